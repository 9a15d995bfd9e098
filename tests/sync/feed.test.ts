import * as fs                                   from 'node:fs/promises';
import {expect, it}                              from 'vitest';

import type {Redactor}                           from '../../sources/redaction/index.ts';
import {shadowRef}                               from '../../sources/store/layout.ts';
import {StoreFeed}                               from '../../sources/sync/feed.ts';
import {SESSION, content, freshRepository, meta, openStore, scratch} from '../store/_repo.ts';

const FILE = {name: `${SESSION}.jsonl`, path: `/nowhere`, content: `records`, stream: `main`} as const;

it(`a feed goes on only from what was stored last, not from what plain git has put in its place`, {timeout: 120_000}, async () => {
  const place = await scratch();
  const store = await freshRepository(place);
  const feedOf = () => new StoreFeed({
    store, session: SESSION, agent: `claude-code`, redactor: {line: (text: string) => ({text, counts: null})} as unknown as Redactor, tokenizer: () => text => text, redactions: {},
  });
  const say = async (feed: StoreFeed, text: string, records: number) => {
    await feed.line(FILE, {text, value: text, offset: 0, length: text.length + 1}, []);
    return await feed.commit([FILE], async () => meta(SESSION, records));
  };

  const feed = feedOf();
  await say(feed, `"one"`, 1);
  await say(feed, `"two"`, 2);
  // A copy has stored more under the same id, and a fetch of the same-name form brings it.
  const copy = await openStore(place, `shop`);
  const appender = await copy.begin(SESSION);
  await appender.append(`native/claude-code/${FILE.name}`, Buffer.from(`"by the copy"\n`));
  await appender.commit(meta(SESSION, 3));
  await expect(say(feed, `"three"`, 3)).rejects.toMatchObject({code: `REF_MOVED`});
  expect((await content(store.readStream((await store.head(SESSION))!, `native/claude-code/${FILE.name}`))).toString()).toBe(`"one"\n"two"\n"by the copy"\n`);
  await say(feedOf(), `"of one that has looked"`, 4);
});

it(`a feed takes a line for its own that was redacted once and is not today`, {timeout: 120_000}, async () => {
  const place = await scratch();
  const store = await freshRepository(place);
  const lines = [`"begin"`, `"key: sesame"`, `"another"`];
  const file  = {...FILE, path: place.at(`transcript.jsonl`)};
  await fs.writeFile(file.path, lines.map(line => `${line}\n`).join(``));
  const feedOf = (hidden: RegExp) => new StoreFeed({
    store, session: SESSION, agent: `claude-code`, tokenizer: () => text => text, redactions: {},
    redactor: {line: (text: string) => ({text: text.replace(hidden, `[REDACTED:key]`), counts: null})} as unknown as Redactor,
  });
  const lineOf = (text: string, index: number) => ({text, value: text, offset: lines.slice(0, index).join(` `).length + Math.min(index, 1), length: text.length + 1});

  const feed = feedOf(/sesame/);
  for (const [index, text] of lines.entries())
    await feed.line(file, lineOf(text, index), []);
  await feed.commit([file], async () => meta(SESSION, 3));
  // Pushed: then only the lines tell whose it is.
  await place.git(`shop`, `update-ref`, `-d`, shadowRef(SESSION, store.writer));
  const {writer} = store;
  const again = feedOf(/never/);
  for (const [index, text] of lines.entries())
    await again.again(file, lineOf(text, index), 0);
  expect(store.writer).toBe(writer);
  const other = feedOf(/never/);
  await other.again(file, lineOf(`"by another"`, 2), 0);
  await expect(other.commit([file], async () => meta(SESSION, 3))).rejects.toMatchObject({code: `REF_MOVED`});
  expect(store.writer).not.toBe(writer);
});
