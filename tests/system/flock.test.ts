import {spawn}                        from 'node:child_process';
import {once}                         from 'node:events';
import {mkdtemp, rm, stat, symlink, unlink} from 'node:fs/promises';
import os                             from 'node:os';
import path                           from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {tryLock}                      from '../../sources/system/flock.ts';

const PROGRAMS = {flock: `/usr/bin/flock`, perl: `/usr/bin/perl`};

let folder: string;
beforeEach(async () => { folder = await mkdtemp(path.join(os.tmpdir(), `flock-test-`)); });
afterEach(async () => { await rm(folder, {recursive: true, force: true}); });

describe.each([`flock`, `perl`] as const)(`with %s alone`, name => {
  let env: {PATH: string};
  beforeEach(async () => {
    await symlink(PROGRAMS[name], path.join(folder, name));
    env = {PATH: folder};
  });

  it(`a lock is held by one, until it is released`, async () => {
    const file = path.join(folder, `deep/er/lock`);
    const lock = await tryLock(file, {env});
    expect(lock).not.toBeNull();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);

    expect(await tryLock(file, {env})).toBeNull();
    await lock!.release();
    const again = await tryLock(file, {env});
    expect(again).not.toBeNull();
    await again!.release();
  });
});

it(`a lock on a file that its holder removed keeps nobody out, and is not mistaken for one`, async () => {
  const file = path.join(folder, `lock`);
  const first = await tryLock(file);
  await unlink(file);
  const second = await tryLock(file);
  expect(second).not.toBeNull();
  expect(await tryLock(file)).toBeNull();
  await first!.release();
  await second!.release();
});

it(`a lock ends with its process, however that ends`, async () => {
  const file = path.join(folder, `lock`);
  const holder = spawn(`perl`, [`-e`, `use Fcntl ":flock"; open(my $f, ">>", $ARGV[0]) or die; flock($f, LOCK_EX) or die; $| = 1; print "held"; sleep 20`, file], {stdio: [`ignore`, `pipe`, `inherit`]});
  await once(holder.stdout!, `data`);
  expect(await tryLock(file)).toBeNull();

  holder.kill(`SIGKILL`);
  await once(holder, `exit`);
  const lock = await tryLock(file);
  expect(lock).not.toBeNull();
  await lock!.release();
});

it(`without a program that can lock there is an error with a code`, async () => {
  await expect(tryLock(path.join(folder, `lock`), {env: {PATH: folder}})).rejects.toMatchObject({code: `NO_FLOCK`});
});
