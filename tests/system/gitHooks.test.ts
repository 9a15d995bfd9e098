import {spawnSync}          from 'node:child_process';
import {existsSync}                       from 'node:fs';
import * as fs                            from 'node:fs/promises';
import path                               from 'node:path';
import {describe, expect, it}             from 'vitest';

import {hookForm, installHook, previousHook, removeHook} from '../../sources/system/gitHooks.ts';
import fc                                 from '../_properties.ts';
import {scratch}                          from '../store/_repo.ts';
import type {Scratch}                     from '../store/_repo.ts';

/** Says all that a hook can see, so that a difference shows. */
const TELL = `printf 'as %s with [%s] in %s\\n' "$0" "$*" "$PWD"; cat; printf 'err\\n' >&2; env | grep -c SESSION_SYNC`;

/** A clone with a remote, one commit ahead of it, and a script in our place that notes when it is called. */
async function clone() {
  const place = await scratch();
  await place.git(`.`, `init`, `-q`, `--bare`, `hub.git`);
  await place.git(`.`, `init`, `-q`, `shop`);
  await place.git(`shop`, `commit`, `-q`, `--allow-empty`, `-m`, `Begin`);
  await place.git(`shop`, `remote`, `add`, `origin`, place.at(`hub.git`));
  const hooks = place.at(`shop`, `.git`, `hooks`);
  const script = place.at(`shop`, `.git`, `session-sync`, `git-hook`);
  await fs.rm(hooks, {recursive: true});
  await fs.mkdir(hooks);
  await fs.mkdir(path.dirname(script));
  await fs.writeFile(script, `echo "$*" >> "\${0%/*}/called"\n`);
  const called = async () => (await fs.readFile(path.join(path.dirname(script), `called`), `utf8`).catch(() => ``)).trim().split(`\n`).filter(line => line !== ``);
  /** A push as a person would type it; the branch is taken away again. */
  const push = (...args: Array<string>) => {
    const {status, stdout, stderr} = spawnSync(`git`, [`push`, ...args, `origin`, `main`], {cwd: place.at(`shop`), env: place.env, encoding: `utf8`, timeout: 60_000});
    spawnSync(`git`, [`update-ref`, `-d`, `refs/heads/main`], {cwd: place.at(`hub.git`), env: place.env});
    spawnSync(`git`, [`update-ref`, `-d`, `refs/remotes/origin/main`], {cwd: place.at(`shop`), env: place.env});
    return {status, stdout, stderr};
  };
  return {place, hooks, script, called, push, hook: path.join(hooks, `pre-push`)};
}

async function state(folder: string) {
  const found: {[name: string]: [string, number, number]} = {};
  for (const name of (await fs.readdir(folder)).sort()) {
    const info = await fs.lstat(path.join(folder, name));
    found[name] = [info.isSymbolicLink() ? await fs.readlink(path.join(folder, name)) : (await fs.readFile(path.join(folder, name))).toString(`latin1`), info.mode, info.ino];
  }
  return found;
}

const content = (found: Awaited<ReturnType<typeof state>>) => Object.fromEntries(Object.entries(found).map(([name, [text, mode]]) => [name, [text, mode]]));

type Kind = {name: string; form: string; make: (hook: string, place: Scratch) => Promise<void>};
const write = (text: string | Buffer, mode = 0o755) => async (hook: string) => {
  await fs.writeFile(hook, text);
  await fs.chmod(hook, mode);
};
/** A program that is no script, which says nothing and ends with 0 or 1. */
const program = (name: string) => async (hook: string) => {
  await fs.copyFile(`/bin/${name}`, hook);
  await fs.chmod(hook, 0o755);
};

const KINDS: Array<Kind> = [
  {name: `sh`, form: `within`, make: write(`#!/bin/sh\n${TELL}\n`)},
  {name: `sh -eu`, form: `within`, make: write(`#! /bin/sh -eu\n${TELL}\nexit 0\n`)},
  {name: `sh that fails`, form: `within`, make: write(`#!/bin/sh -e\n${TELL}\nexit 7\n`)},
  {name: `sh that is killed`, form: `within`, make: write(`#!/bin/sh\n${TELL}\nkill -TERM $$\n`)},
  {name: `bash by env, that finds its neighbours`, form: `within`, make: async (hook, place) => {
    await write(`${TELL}\n`)(path.join(path.dirname(hook), `shared.sh`));
    await write(`#!/usr/bin/env bash\nset -euo pipefail\n. "$(dirname "$0")/shared.sh"\necho "\${BASH_SOURCE[0]} $(basename "$0")"\n`)(hook);
    void place;
  }},
  {name: `a script without a first line`, form: `within`, make: write(`${TELL}\n`)},
  {name: `no line feed at the end, another encoding`, form: `within`, make: write(Buffer.from(`#!/bin/sh\nprintf 'caf\xe9 %s' "$1"`, `latin1`))},
  {name: `one that leaves at once`, form: `within`, make: write(`#!/bin/sh\nexec cat\n`)},
  {name: `one that only its owner may run`, form: `within`, make: write(`#!/bin/sh\n${TELL}\n`, 0o700)},
  {name: `node`, form: `beside`, make: write(`#!/usr/bin/env node\nprocess.stdin.pipe(process.stdout); console.log(process.argv.slice(2)); process.exitCode = 3;\n`)},
  {name: `perl`, form: `beside`, make: write(`#!/usr/bin/env perl\nprint "@ARGV\\n"; print while <STDIN>; exit 0;\n`)},
  {name: `python behind sh`, form: `beside`, make: write(`#!/bin/sh\n''':'\nexec cat "$0" -\n'''\n`)},
  {name: `a program`, form: `beside`, make: program(`true`)},
  {name: `a program that fails`, form: `beside`, make: program(`false`)},
  {name: `not executable`, form: `beside`, make: write(`#!/bin/sh\n${TELL}\nexit 1\n`, 0o644)},
  {name: `empty`, form: `beside`, make: write(``)},
  {name: `a link to a script of the project`, form: `beside`, make: async (hook, place) => {
    await write(`#!/bin/sh\nls "$(dirname "$0")/../HEAD"; cat; exit 4\n`)(place.at(`shop`, `check.sh`));
    await fs.symlink(`../../check.sh`, hook);
  }},
  {name: `a link to nothing`, form: `beside`, make: async hook => await fs.symlink(`../../gone.sh`, hook)},
];

describe(`a hook that is there`, () => {
  for (const {name, form, make} of KINDS) {
    it(`does what it did: ${name}`, async () => {
      const {place, hooks, script, called, push, hook} = await clone();
      await make(hook, place);
      const before = await state(hooks);
      const alone = push();

      expect(await installHook(hooks, `pre-push`, {script, dryRun: true})).toEqual({form, changed: true});
      expect(await state(hooks)).toEqual(before);
      expect(await installHook(hooks, `pre-push`, {script})).toEqual({form, changed: true});
      expect(await hookForm(hooks, `pre-push`)).toBe(form);
      // Git tells of a hook that it passes over, and cannot tell of one that we pass over; a shell tells in its own words of
      // one that was killed.
      const others = /^(?:hint: .*|error: .* died of signal 15|Terminated)\n/gm;
      const {status, stdout, stderr} = push();
      expect({status, stdout, stderr: stderr.replace(others, ``)}).toEqual({...alone, stderr: alone.stderr.replace(others, ``)});
      expect(await called()).toEqual(alone.status === 0 ? [`pre-push origin ${place.at(`hub.git`)}`] : []);

      const installed = await state(hooks);
      expect(await installHook(hooks, `pre-push`, {script})).toEqual({form, changed: false});
      expect(await state(hooks)).toEqual(installed);

      // Without the script, the hook is as good as alone.
      await fs.rename(script, `${script}.away`);
      expect(push().status).toBe(alone.status);
      await fs.rename(`${script}.away`, script);

      expect(await removeHook(hooks, `pre-push`, {dryRun: true})).toBe(true);
      expect(await state(hooks)).toEqual(installed);
      expect(await removeHook(hooks, `pre-push`)).toBe(true);
      expect(content(await state(hooks))).toEqual(content(before));
      expect(await removeHook(hooks, `pre-push`)).toBe(false);
      expect(push()).toEqual(alone);
    });
  }

  it(`that goes by its own name is left alone`, async () => {
    const {hooks, script, hook, place} = await clone();
    for (const make of [
      write(`#!/usr/bin/env ruby\nputs File.basename($0)\n`),
      async () => await fs.symlink(`/bin/true`, hook),
      async () => {
        await write(`#!/bin/sh\ncase $(basename "$0") in pre-push) exit 0;; esac; exit 1\n`)(place.at(`shop`, `all.sh`));
        await fs.symlink(`../../all.sh`, hook);
      },
    ]) {
      await make(hook);
      const before = await state(hooks);
      await expect(installHook(hooks, `pre-push`, {script})).rejects.toMatchObject({code: `HOOK_LEFT_ALONE`});
      expect(await state(hooks)).toEqual(before);
      await fs.rm(hook);
    }
  });

  it(`may push itself, and its own push has our part as well`, async () => {
    const {hooks, script, called, push, hook, place} = await clone();
    await place.git(`.`, `init`, `-q`, `--bare`, `backup.git`);
    await write(`#!/bin/sh\ncase $1 in */backup.git) ;; *) git push -q ${place.at(`backup.git`)} main || exit 1 ;; esac\n`)(hook);
    await installHook(hooks, `pre-push`, {script});
    expect(push().status).toBe(0);
    expect(await called()).toEqual([`pre-push ${place.at(`backup.git`)} ${place.at(`backup.git`)}`, `pre-push origin ${place.at(`hub.git`)}`]);
  });
});

describe(`our part`, () => {
  it(`is a file of its own where there was none, and --no-verify passes it over`, async () => {
    const {hooks, script, called, push, place} = await clone();
    await fs.rm(hooks, {recursive: true});
    expect(await installHook(hooks, `pre-push`, {script})).toEqual({form: `own`, changed: true});
    expect(push()).toMatchObject({status: 0, stdout: ``});
    expect(await called()).toHaveLength(1);
    expect(push(`--no-verify`).status).toBe(0);
    expect(await called()).toHaveLength(1);
    // The whole clone may be moved.
    await fs.rename(place.at(`shop`), place.at(`moved`));
    await place.git(`moved`, `push`, `-q`, `origin`, `main`);
    expect(await fs.readFile(place.at(`moved`, `.git`, `session-sync`, `called`), `utf8`)).toMatch(/^(pre-push .*\n){2}$/);
    await fs.rename(place.at(`moved`), place.at(`shop`));
    await removeHook(hooks, `pre-push`);
    expect(await fs.readdir(hooks)).toEqual([]);
  });

  it(`cannot make a push fail, whatever it does`, async () => {
    const {hooks, script, push} = await clone();
    await installHook(hooks, `pre-push`, {script});
    for (const text of [`exit 9\n`, `kill -9 $$\n`, `syntax ( error\n`, `exec false\n`]) {
      await fs.writeFile(script, text);
      expect(push().status).toBe(0);
    }
  });

  it(`is brought up to date, and what others have written after it stays`, async () => {
    const {hooks, script, push, called, hook} = await clone();
    await installHook(hooks, `pre-push`, {script});
    const ours = await fs.readFile(hook, `utf8`);
    await fs.writeFile(hook, `${ours.replace(/^\[ ! -r.*\n/m, `echo old\n`)}echo mine >&2\n`);
    expect(await installHook(hooks, `pre-push`, {script})).toEqual({form: `own`, changed: true});
    expect(await fs.readFile(hook, `utf8`)).toBe(`${ours}echo mine >&2\n`);
    expect(push().stderr).toContain(`mine\n`);
    expect(await called()).toHaveLength(1);
    await removeHook(hooks, `pre-push`);
    expect(await fs.readFile(hook, `utf8`)).toBe(`#!/bin/sh\necho mine >&2\n`);
  });

  it(`is left alone where somebody has changed it or taken its place`, async () => {
    const {hooks, script, hook} = await clone();
    await write(`#!/usr/bin/env node\n`)(hook);
    await installHook(hooks, `pre-push`, {script});
    const ours = await fs.readFile(hook, `utf8`);
    const refused = async (work: () => Promise<unknown>) => {
      const before = await state(hooks);
      await expect(work()).rejects.toMatchObject({code: `HOOK_LEFT_ALONE`});
      expect(await state(hooks)).toEqual(before);
    };
    await fs.writeFile(hook, `${ours}echo mine\n`);
    await refused(async () => await removeHook(hooks, `pre-push`));
    await fs.writeFile(hook, ours.replace(`# session-sync: end\n`, ``));
    await refused(async () => await removeHook(hooks, `pre-push`));
    await fs.writeFile(hook, `#!/bin/sh\nanother tool\n`);
    await refused(async () => await removeHook(hooks, `pre-push`));
    await refused(async () => await installHook(hooks, `pre-push`, {script}));
    await fs.rm(hook);
    await fs.mkdir(hook);
    await expect(removeHook(hooks, `pre-push`)).rejects.toMatchObject({code: `HOOK_LEFT_ALONE`});
    await expect(installHook(hooks, `pre-push`, {script})).rejects.toMatchObject({code: `HOOK_LEFT_ALONE`});
  });

  it(`comes to its end after it was killed in the middle`, async () => {
    const {hooks, script, hook, push} = await clone();
    await write(`#!/usr/bin/env node\nconsole.log(1)\n`)(hook);
    const before = content(await state(hooks));
    await fs.rename(hook, previousHook(hooks, `pre-push`));
    expect(await installHook(hooks, `pre-push`, {script})).toEqual({form: `beside`, changed: true});
    expect(push().stdout).toBe(`1\n`);
    await fs.rm(hook);
    expect(await removeHook(hooks, `pre-push`)).toBe(true);
    expect(content(await state(hooks))).toEqual(before);
    expect(existsSync(previousHook(hooks, `pre-push`))).toBe(false);
  });
});

it(`whatever stands in a hook comes back byte for byte`, async () => {
  const {hooks, script, hook} = await clone();
  const line = fc.oneof(fc.constantFrom(`#!/bin/sh`, `#!/usr/bin/env python3`, `exit 1`, `# session-sync: end`, `unset SESSION_SYNC_HOOK`, ``, `\r`, `exec perl -x "$0"`), fc.string());
  const text = fc.tuple(fc.array(line), fc.boolean(), fc.uint8Array({maxLength: 4})).map(([lines, end, bytes]) => Buffer.concat([Buffer.from(lines.join(`\n`) + (end ? `\n` : ``)), Buffer.from(bytes)]));
  await fc.assert(fc.asyncProperty(text, fc.constantFrom(0o755, 0o644, 0o700, 0o555), async (bytes, mode) => {
    await fs.rm(hook, {force: true});
    await write(bytes, mode)(hook);
    await installHook(hooks, `pre-push`, {script}).catch(error => expect(error).toMatchObject({code: `HOOK_LEFT_ALONE`}));
    await removeHook(hooks, `pre-push`);
    expect(await fs.readdir(hooks)).toEqual([`pre-push`]);
    expect((await fs.readFile(hook)).equals(bytes)).toBe(true);
    expect((await fs.stat(hook)).mode & 0o777).toBe(mode);
  }), {numRuns: 150});
});
