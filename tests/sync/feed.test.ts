import {expect, it}                              from 'vitest';

import type {Redactor}                           from '../../sources/redaction/index.ts';
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
