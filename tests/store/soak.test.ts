import {spawn}                                 from 'node:child_process';
import path                                    from 'node:path';
import {fileURLToPath}                         from 'node:url';
import {build}                                 from 'tsup';
import {expect, it}                            from 'vitest';

import {pull}                                  from '../../sources/store/index.ts';

import {SESSION, content, freshRepository, lines, openStore, scratch} from './_repo.ts';

const PROGRAM = fileURLToPath(new URL(`./_share.ts`, import.meta.url));
const CLONES  = 20;
const ROUNDS  = 3;

const writer = (index: number) => `soak${String(index).padStart(12, `0`)}`;

it(`twenty clones that push and pull one session at once lose nothing`, {timeout: 900_000}, async () => {
  const place = await scratch();
  await freshRepository(place, `seed`);
  await place.git(`.`, `clone`, `-q`, `--bare`, `seed`, `hub.git`);
  for (let index = 0; index < CLONES; index++)
    await place.git(`.`, `clone`, `-q`, place.at(`hub.git`), `clone${index}`);
  await build({
    entry: {share: PROGRAM}, outDir: place.root, format: [`esm`], target: `node20`, platform: `node`,
    noExternal: [/^(?!isomorphic-git)/], external: [`isomorphic-git`], config: false, silent: true, clean: false, splitting: false,
    outExtension: () => ({js: `.mjs`}),
  });

  const outcomes = await Promise.all(Array.from({length: CLONES}, async (_, index) => await new Promise(resolve => {
    const child = spawn(process.execPath, [path.join(place.root, `share.mjs`), place.at(`clone${index}`), writer(index), String(ROUNDS)], {env: place.env as NodeJS.ProcessEnv, stdio: [`ignore`, `pipe`, `pipe`]});
    let text = ``;
    for (const stream of [child.stdout, child.stderr])
      stream.on(`data`, chunk => {
        text += chunk;
      });
    child.on(`close`, code => resolve(`${code} ${text}`));
  })));
  expect(new Set(outcomes)).toEqual(new Set([`0 []`]));

  expect(await place.git(`hub.git`, `fsck`, `--strict`, `--no-dangling`)).toBe(``);
  const trees = new Set<string>();
  for (const index of [0, CLONES - 1]) {
    const store = await openStore(place, `clone${index}`, writer(index));
    expect((await pull(store)).problems).toEqual([]);
    const head = (await store.head(SESSION))!;
    trees.add(await place.git(`clone${index}`, `rev-parse`, `${head.commit}^{tree}`));
    for (let other = 0; other < CLONES; other++)
      expect((await content(store.readStream({...head, writer: writer(other)}, `rec/main`))).equals(lines(0, ROUNDS * 3)), `of ${writer(other)}`).toBe(true);
  }
  expect(trees.size).toBe(1);
});
