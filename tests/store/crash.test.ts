import {spawn}                                            from 'node:child_process';
import * as fs                                            from 'node:fs/promises';
import path                                               from 'node:path';
import {setTimeout as sleep}                              from 'node:timers/promises';
import {fileURLToPath}                                    from 'node:url';
import {build}                                            from 'tsup';
import {describe, expect, it}                             from 'vitest';

import {StoreError}                                       from '../../sources/store/index.ts';
import type {SessionStore}                                from '../../sources/store/index.ts';

// Vite 7 takes the `meta` of `import.meta` for an import of that name.
import {SESSION, WRITER, content, freshRepository, lines, meta as metaOf, openStore, scratch} from './_repo.ts';

const PROGRAM = fileURLToPath(new URL(`./_append.ts`, import.meta.url));
const ROUNDS = 30;
const STEP   = 900;

describe(`a process that is killed while it appends`, () => {
  it(`leaves the session whole, and does not keep the next from going on`, {timeout: 120_000}, async () => {
    const place = await scratch();
    await freshRepository(place);
    const program = await buildProgram(place.root);

    const run = (records: number) => {
      const child = spawn(process.execPath, [program, place.at(`shop`), String(records), String(records + STEP)], {env: place.env as NodeJS.ProcessEnv, stdio: [`ignore`, `pipe`, `inherit`], detached: true});
      const begun = new Promise<number>(resolve => child.stdout.once(`data`, () => resolve(performance.now())));
      const ended = new Promise<number>(resolve => child.once(`close`, () => resolve(performance.now())));
      return {child, begun: Promise.race([begun, ended]), ended};
    };

    const whole    = run(0);
    const duration = -(await whole.begun) + await whole.ended;
    let records    = STEP;
    let kills      = 0;
    const outcomes = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      // Killed after a time that walks through all of a run: stream, objects, refs.
      const {child, begun, ended} = run(records);
      await begun;
      await sleep(duration * 1.3 * round / ROUNDS);
      // Every third time git dies with it, which may leave a lock or half an object; else git sees its input end.
      try {
        process.kill(round % 3 === 0 ? -child.pid! : child.pid!, `SIGKILL`);
        kills++;
      } catch {
        // It was faster.
      }
      await ended;
      await sleep(round % 3 === 0 ? 0 : 60);

      const store = await openStore(place, `shop`, WRITER, {staleLockMs: 300});
      const head  = await store.head(SESSION);
      const known = head?.header.streams[`rec/main`]?.records ?? 0;
      expect([records, records + STEP]).toContain(known);
      outcomes.add(known === records ? `as before` : `stored`);
      if (head)
        expect((await content(store.readStream(head, `rec/main`))).equals(lines(0, known))).toBe(true);

      records = await goOn(store);
      expect((await store.head(SESSION))!.header.streams[`rec/main`]).toEqual({records, bytes: lines(0, records).length});
      await store.close();
    }

    expect(kills).toBeGreaterThan(ROUNDS / 3);
    expect(outcomes).toEqual(new Set([`as before`, `stored`]));
    expect((await place.git(`shop`, `fsck`, `--strict`, `--no-dangling`))).toBe(``);
    expect((await fs.readdir(place.at(`shop`, `.git`))).filter(name => name.startsWith(`fast_import_crash`))).toEqual([]);
    await place.git(`shop`, `gc`, `-q`, `--prune=now`);
    const store = await openStore(place, `shop`);
    expect((await content(store.readStream((await store.head(SESSION))!, `rec/main`))).equals(lines(0, records))).toBe(true);
  });
});

/**
 * One more record after what is there. The git of a killed process may live a moment longer and store what it was given:
 * then the ref has moved, and the next try goes on from there.
 */
async function goOn(store: SessionStore): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const appender = await store.begin(SESSION);
    const known = appender.base?.streams[`rec/main`]?.records ?? 0;
    for (const stream of [`rec/main`, `native/claude-code/${SESSION}.jsonl`])
      await appender.append(stream, lines(known, known + 1));

    try {
      await appender.commit(metaOf(SESSION, known + 1));
      return known + 1;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== `REF_MOVED` || attempt === 3)
        throw error;
    }
  }
}

/** `_append.ts` as a file that Node runs. */
async function buildProgram(folder: string) {
  await build({
    entry: {append: PROGRAM}, outDir: folder, format: [`esm`], target: `node20`, platform: `node`,
    noExternal: [/^(?!isomorphic-git)/], external: [`isomorphic-git`], config: false, silent: true, clean: false, splitting: false,
    outExtension: () => ({js: `.mjs`}),
  });
  return path.join(folder, `append.mjs`);
}
