import {execFileSync}                          from 'node:child_process';
import * as fs                                 from 'node:fs/promises';
import path                                    from 'node:path';
import {describe, expect, it}                  from 'vitest';

import {Keepsakes}                             from '../../sources/restore/keepsakes.ts';
import {planForward, planRewind}               from '../../sources/restore/rewind.ts';
import {filesAt, turnAt}                       from '../../sources/restore/turns.ts';
import {applyActions}                          from '../../sources/restore/workFiles.ts';
import fc                                      from '../_properties.ts';
import {isClean, projectOf, put, treeOf, turn} from '../restore/_tree.ts';
import {freshRepository, scratch}              from '../store/_repo.ts';

import {RECORDS, SESSION, expectPlain, grow, makeWorld} from './_runCli.ts';
import type {Person}                           from './_runCli.ts';

/** alice's session with two turns, at record 9 and 10, each with files of its own. */
async function makeTurns(mode = `all`) {
  const made = await makeWorld();
  const {alice} = made;
  await put(alice.repo, {'cart.ts': `0\n`, 'old.ts': `old\n`, 'run.sh': `echo\n`, link: `→cart.ts`, '.gitignore': `ignored\n`});
  await alice.record(`handwritten`, SESSION);
  await alice.ok(`init`, `--snapshot`, mode);
  await alice.git(`add`, `-A`);
  await alice.git(`commit`, `-q`, `-m`, `Keep sessions`);
  await put(alice.repo, {'cart.ts': `1\n`, 'new.ts': `new\n`, 'run.sh*': `echo\n`});
  await alice.ok(`sync`);
  const first = await treeOf(alice.repo);
  await put(alice.repo, {'cart.ts': `2\n`, 'new.ts': null, 'old.ts': null, 'later/deep.ts': `later\n`, link: `→run.sh`, ignored: `mine\n`});
  await grow(alice);
  await alice.ok(`sync`);
  return {...made, first};
}

async function index({repo}: Person) {
  return (await fs.readFile(path.join(repo, `.git/index`))).toString(`hex`);
}

describe(`rewind`, {timeout: 120_000}, () => {
  it(`brings files and session back to a turn, and forward again byte for byte`, async () => {
    const {alice, first} = await makeTurns();
    const later = await treeOf(alice.repo);
    const before = await index(alice);
    const refs = await alice.git(`for-each-ref`);

    const planned = await alice.json([`rewind`, `${RECORDS - 1}`, `--dry-run`, `--agent`, `codex`]);
    expect(planned).toMatchObject({dryRun: true, kept: null, filesOf: RECORDS - 1});
    expect(await treeOf(alice.repo)).toEqual(later);

    const output = await alice.cli(`rewind`, `${RECORDS - 1}`, `--agent`, `codex`);
    expect(output, output.stderr).toMatchObject({exitCode: 0, stderr: ``});
    expectPlain(output);
    expect(output.stdout).toMatch(/codex → codex resume [0-9a-f-]{36} \(up to record 9\)/);
    expect(output.stdout).toContain(`Forward again: session-sync rewind --forward`);
    expect(await treeOf(alice.repo)).toEqual({...first, ignored: `644 mine\n`});
    expect(await fs.readdir(alice.repo)).not.toContain(`later`);
    expect(await index(alice)).toBe(before);
    expect(await alice.git(`for-each-ref`)).toBe(refs);
    expect(await alice.git(`stash`, `list`)).toBe(``);
    expect(await alice.rollouts()).toHaveLength(2);

    // Work that was done meanwhile is not lost either.
    await put(alice.repo, {'cart.ts': `meanwhile\n`});
    const forward = await alice.json([`rewind`, `--forward`]);
    expect(forward).toMatchObject({number: 1, kept: 2, left: []});
    expect(await treeOf(alice.repo)).toEqual(later);
    expect(await alice.json([`rewind`, `--forward`], 1)).toMatchObject({code: `NOTHING_KEPT`});
    await alice.json([`rewind`, `--forward`, `--to`, `2`]);
    expect(await treeOf(alice.repo)).toEqual({...first, ignored: `644 mine\n`, 'cart.ts': `644 meanwhile\n`});
    expect(await alice.json([`rewind`, `--list`])).toMatchObject({
      turns: [{record: RECORDS, files: `kept`}, {record: RECORDS - 1, files: `kept`}],
      kept: [{number: 1, kind: `rewind`, record: RECORDS - 1, undone: true}, {number: 2, kind: `forward`, undone: true}, {number: 3, kind: `forward`, undone: false}],
    });
    expect(await alice.ok(`rewind`, `--list`)).toContain(`     9  files kept at `);
  });

  it(`writes the session for its own agent, and for one that is asked for`, async () => {
    const {alice} = await makeTurns();
    const {restored} = await alice.json([`rewind`, `${RECORDS - 1}`]);
    expect(restored).toMatchObject({agent: `claude-code`, outcome: `created`});
    expect(await fs.readFile(restored.path, `utf8`)).not.toContain(`shipping`);
    expect(await alice.ok(`status`)).toContain(restored.command);
    expect(await alice.json([`rewind`, `${RECORDS - 1}`, `--agent`, `nobody`], 1)).toMatchObject({code: `UNKNOWN_AGENT`});
  });

  it(`takes back what was committed since, in the files only; from elsewhere it asks for a worktree`, async () => {
    const {alice, first} = await makeTurns();
    await alice.git(`add`, `-A`);
    await alice.git(`commit`, `-q`, `-m`, `Later`);
    const later = await treeOf(alice.repo);
    const head = await alice.git(`rev-parse`, `HEAD`);
    const output = await alice.cli(`rewind`, `${RECORDS - 1}`);
    expect(output.exitCode, output.stderr).toBe(0);
    expect(output.stdout).toContain(`HEAD stays at ${head.slice(0, 8)}`);
    expect(await treeOf(alice.repo)).toEqual({...first, ignored: `644 mine\n`});
    expect(await alice.git(`rev-parse`, `HEAD`)).toBe(head);
    await alice.ok(`rewind`, `--forward`);
    expect(await treeOf(alice.repo)).toEqual(later);
    expect(await alice.git(`status`, `--porcelain`)).toBe(``);

    await alice.git(`checkout`, `-q`, `--orphan`, `other`);
    await alice.git(`commit`, `-q`, `-m`, `Other`);
    expect(await alice.json([`rewind`, `${RECORDS - 1}`], 1)).toMatchObject({code: `OTHER_COMMIT`, message: expect.stringContaining(`--at 9 --checkout --with-changes`)});
    expect(await treeOf(alice.repo)).toEqual(later);
    const {cwd} = await alice.json([`restore`, SESSION, `--at`, `9`, `--checkout`, `--with-changes`, `--agent`, `codex`]);
    expect(await treeOf(cwd)).toEqual(first);
  });

  it(`leaves alone what is not known to have been otherwise, and says so with exit code 2`, async () => {
    const {alice} = await makeTurns(`tracked`);
    await put(alice.repo, {'.env': `nothing\n`, 'staged.ts': `x\n`});
    await alice.git(`add`, `-N`, `staged.ts`);
    const output = await alice.cli(`rewind`, `${RECORDS - 1}`);
    expect(output.exitCode).toBe(2);
    expect(output.stderr).toContain(`staged.ts stays as it is now: a new file`);
    expect(await treeOf(alice.repo)).toMatchObject({'cart.ts': `644 1\n`, 'old.ts': `644 old\n`, 'later/deep.ts': `644 later\n`, '.env': `644 nothing\n`, 'staged.ts': `644 x\n`, link: `link cart.ts`});
  });

  it(`takes a session of somebody else only where it is named`, async () => {
    const {alice, bob, remote, first} = await makeTurns();
    await alice.ok(`push`);
    await alice.git(`push`, `-q`, `origin`, `main`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`);
    const clean = await treeOf(bob.repo);
    expect(await bob.json([`rewind`, `9`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
    expect(await treeOf(bob.repo)).toEqual(clean);
    await bob.ok(`rewind`, `9`, `--session`, SESSION, `--agent`, `codex`);
    expect(await treeOf(bob.repo)).toEqual(first);
    await bob.ok(`rewind`, `--forward`);
    expect(await treeOf(bob.repo)).toEqual(clean);
  });

  it(`keeps what it replaces for a time, and finds it again when the project was moved`, async () => {
    const {alice} = await makeTurns();
    const later = await treeOf(alice.repo);
    const folder = path.join(alice.repo, `.git/session-sync/rewind`);
    const kept = async () => (await fs.readdir(folder)).sort((a, b) => Number(a) - Number(b));
    await alice.ok(`rewind`, `${RECORDS - 1}`, `--agent`, `codex`);
    await fs.mkdir(path.join(folder, `.9.999999`));
    // As if there had been many, of which some long ago.
    for (const number of Array.from({length: 104}, (_, index) => index + 2))
      await fs.cp(path.join(folder, `1`), path.join(folder, `${number}`), {recursive: true});
    const old = new Date(Date.now() - 100 * 86_400_000);
    for (const number of [50, 51])
      await fs.utimes(path.join(folder, `${number}/state.json`), old, old);
    await alice.ok(`rewind`, `--forward`, `--to`, `105`);
    expect(await treeOf(alice.repo)).toEqual(later);
    expect(await kept()).toEqual(Array.from({length: 100}, (_, index) => `${index + 7}`).filter(number => number !== `50` && number !== `51`));

    for (const number of [105, 106])
      await fs.utimes(path.join(folder, `${number}/state.json`), old, old);
    await fs.utimes(path.join(folder, `104/state.json`), old, old);
    expect(await alice.ok(`clean`, `--older-than`, `30d`, `--dry-run`)).toMatch(/^What was kept before rewind 104 .*: kept, it was not taken back \(--force\)\nWhat was kept before rewind 105 .*: would be removed$/m);
    expect(await alice.json([`clean`, `--older-than`, `30d`])).toMatchObject({rewinds: [105, 106]});
    expect((await kept()).slice(-2)).toEqual([`103`, `104`]);
    expect(await alice.json([`clean`, `--older-than`, `30d`, `--force`])).toMatchObject({rewinds: [104]});

    const moved = `${alice.repo}-moved`;
    await fs.rename(alice.repo, moved);
    await put(moved, {'cart.ts': `moved\n`});
    const forward = await alice.cliIn(moved, `rewind`, `--forward`);
    expect(forward, forward.stderr).toMatchObject({exitCode: 0});
    expect(await treeOf(moved)).toEqual(later);
  });

  it(`keeps what it goes forward to, however old, as long as not all of it is back`, async () => {
    const {alice} = await makeTurns();
    const later = await treeOf(alice.repo);
    const folder = path.join(alice.repo, `.git/session-sync/rewind`);
    await alice.ok(`rewind`, `${RECORDS - 1}`, `--agent`, `codex`);
    const old = new Date(Date.now() - 100 * 86_400_000);
    await fs.utimes(path.join(folder, `1/state.json`), old, old);
    await put(alice.repo, {'later/deep.ts/in-the-way': `mine\n`});
    const part = await alice.cli(`rewind`, `--forward`);
    expect(part, part.stderr).toMatchObject({exitCode: 2, stderr: expect.stringContaining(`later/deep.ts stays as it is now: a folder is there`)});
    await put(alice.repo, {'later/deep.ts': null});
    expect(await alice.json([`rewind`, `--forward`])).toMatchObject({number: 1, left: []});
    expect(await treeOf(alice.repo)).toEqual(later);
    // It is said of one that is there whole.
    expect((await fs.readdir(path.join(folder, `1`))).sort()).toEqual(expect.arrayContaining([`state.json`, `undone`]));
  });

  it(`refuses what it cannot do, and changes nothing`, async () => {
    const {alice} = await makeTurns();
    const later = await treeOf(alice.repo);
    expect(await alice.json([`rewind`], 1)).toMatchObject({code: `BAD_USAGE`});
    expect(await alice.json([`rewind`, `3`, `--forward`], 1)).toMatchObject({code: `BAD_USAGE`});
    expect(await alice.json([`rewind`, `99`], 1)).toMatchObject({code: `BAD_RECORD`});
    expect(await alice.json([`rewind`, `x`], 1)).toMatchObject({code: `BAD_RECORD`});
    expect(await alice.json([`rewind`, `2`], 1)).toMatchObject({code: `NO_CHANGES`});
    expect(await alice.json([`rewind`, `9`, `--session`, `ffff`], 1)).toMatchObject({code: `UNKNOWN_SESSION`});
    expect(await alice.json([`rewind`, `--forward`, `--to`, `7`], 1)).toMatchObject({code: `NOTHING_KEPT`});
    expect(await treeOf(alice.repo)).toEqual(later);
    expect(await fs.readdir(path.join(alice.repo, `.git/session-sync`))).not.toContain(`rewind`);
  });
});

describe(`back and forward again`, () => {
  it(`is the same tree, whatever happened in between`, async () => {
    const names = [`a`, `b`, `dir/a`, `dir/sub/b`, `dir2`, `größe.ts`, `tab name.ts`];
    const content = fc.oneof(fc.constant(null), fc.constantFrom(`→a`, `→dir/a`, `x\n`, `x\r\ny`, ``), fc.string({unit: `binary`, maxLength: 5}).map(text => Buffer.from(text)));
    const edits = fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean(), content), {maxLength: 6});
    const edit = async (root: string, changes: Array<[string, boolean, string | Buffer | null]>) => {
      for (const [name, executable, what] of changes) {
        // A file takes the place of a folder, or a folder that of a file.
        const parts = name.split(`/`);
        for (let index = 1; index < parts.length; index++)
          if (!(await fs.lstat(path.join(root, ...parts.slice(0, index))).catch(() => null))?.isDirectory())
            await fs.rm(path.join(root, ...parts.slice(0, index)), {force: true});
        await fs.rm(path.join(root, name), {recursive: true, force: true});
        if (what !== null)
          await put(root, {[`${name}${executable && !(typeof what === `string` && what.startsWith(`→`)) ? `*` : ``}`]: what});
      }
    };

    const place = await scratch();
    const seen = {changed: 0, same: 0};
    await fc.assert(fc.asyncProperty(edits, edits, edits, fc.constantFrom(`tracked` as const, `all` as const), fc.boolean(), async (committed, then, now, scope, commits) => {
      await fs.rm(place.at(`shop`), {recursive: true, force: true});
      const store = await freshRepository(place);
      const root = place.at(`shop`);
      await edit(root, committed);
      execFileSync(`git`, [`add`, `-A`], {cwd: root, env: place.env as NodeJS.ProcessEnv});
      execFileSync(`git`, [`commit`, `-q`, `--allow-empty`, `-m`, `x`], {cwd: root, env: place.env as NodeJS.ProcessEnv});
      await edit(root, then);
      const stored = await turn(place, store, 0, 3, {scope});
      const was = await treeOf(root);
      await edit(root, now);
      if (commits) {
        execFileSync(`git`, [`add`, `-A`], {cwd: root, env: place.env as NodeJS.ProcessEnv});
        execFileSync(`git`, [`commit`, `-q`, `--allow-empty`, `-m`, `y`], {cwd: root, env: place.env as NodeJS.ProcessEnv});
      }
      const is = await treeOf(root);
      const indexed = (await fs.readFile(path.join(root, `.git/index`))).toString(`hex`);

      const project = await projectOf(place, `shop`);
      const found = (await turnAt(store, stored))!;
      const state = await filesAt(store, found);
      const plan = await planRewind({project, store, turn: found, state, isClean});
      const keepsakes = new Keepsakes(project);
      const kept = await keepsakes.keep({kind: `rewind`}, plan.actions, new Date());
      await applyActions(root, plan.actions);
      if (scope === `all` && plan.left.length === 0 && state.leftOut.length === 0)
        expect(await treeOf(root), `then`).toEqual(was);
      seen.changed += plan.actions.length > 0 ? 1 : 0;
      seen.same += scope === `all` && plan.left.length === 0 && state.leftOut.length === 0 ? 1 : 0;

      const forward = await planForward(project, (await keepsakes.list())[0]!, async file => await keepsakes.content(kept.number, file));
      expect(forward.left).toEqual([]);
      await applyActions(root, forward.actions);
      expect(await treeOf(root)).toEqual(is);
      expect((await fs.readFile(path.join(root, `.git/index`))).toString(`hex`)).toBe(indexed);
      await store.close();
    }), {numRuns: 40, interruptAfterTimeLimit: 120_000});
    expect(seen.changed).toBeGreaterThan(0);
    expect(seen.same).toBeGreaterThan(0);
  }, 240_000);
});
