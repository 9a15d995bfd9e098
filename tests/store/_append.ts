import process                         from 'node:process';

import {SessionStore, openRepository}  from '../../sources/store/index.ts';

import {SESSION, WRITER, lines, meta}  from './_lines.ts';

// A program that makes one append: `<repository> <from> <to>`. Prints `begun` when the first byte is about to go.
const [repository, from, to] = process.argv.slice(2);
const store = new SessionStore(await openRepository(repository!, process.env), process.env, WRITER);
const appender = await store.begin(SESSION);
process.stdout.write(`begun\n`);
for (let at = Number(from); at < Number(to); at += 10) {
  const piece = lines(at, at + 10);
  await appender.append(`rec/main`, piece);
  await appender.append(`native/claude-code/${SESSION}.jsonl`, piece);
}
await appender.commit(meta(SESSION, Number(to)));
