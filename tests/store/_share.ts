import process                                         from 'node:process';

import {SessionStore, openRepository, pull, push}      from '../../sources/store/index.ts';

import {SESSION, lines, meta}                          from './_lines.ts';

// A clone that stores, pushes and pulls in turns: `<repository> <writer> <rounds>`. Prints what was refused or left out.
const [repository, writer, rounds] = process.argv.slice(2);
const store = new SessionStore(await openRepository(repository!, process.env), process.env, writer!);
const trouble: Array<unknown> = [];
for (let round = 0; round < Number(rounds); round++) {
  const appender = await store.begin(SESSION);
  for (const stream of [`rec/main`, `native/claude-code/${SESSION}.jsonl`])
    await appender.append(stream, lines(round * 3, round * 3 + 3));
  await appender.commit(meta(SESSION, round * 3 + 3));
  trouble.push(...(await push(store)).rejected);
  trouble.push(...(await pull(store)).problems);
}
trouble.push(...(await push(store)).rejected);
await store.close();
process.stdout.write(JSON.stringify(trouble));
