import {spawn}                from 'node:child_process';
import {constants}            from 'node:fs';
import {open, stat}           from 'node:fs/promises';
import type {FileHandle}      from 'node:fs/promises';
import path                   from 'node:path';

import {isCode, makeFolder}   from './files.ts';

/** A lock that is held. `release` may be called again; it also ends with the process, however that ends. */
export type Lock = {release(): Promise<void>};

/** No way to take a `flock` was found (`NO_FLOCK`): neither util-linux or busybox `flock`, nor Perl. */
export class NoFlockError extends Error {
  readonly code = `NO_FLOCK`;
}

/** Programs that lock descriptor 3, and how they say that somebody else holds it. */
const WAYS: Array<{command: string; args: Array<string>; busy: number}> = [
  {command: `flock`, args: [`-n`, `-x`, `3`], busy: 1},
  {command: `perl`, args: [`-MErrno=EWOULDBLOCK`, `-e`, `open(my $f, "+<&=", 3) or exit 4; exit(flock($f, 6) ? 0 : $! == EWOULDBLOCK ? 1 : 4)`], busy: 1},
];

const SECONDS = 5;

/**
 * Takes an exclusive `flock(2)` on a file, which is made when missing (0600, its folder 0700) and never removed. Resolves
 * `null` at once when somebody else holds it; throws `NoFlockError` when this machine has no way to take one.
 *
 * Node has no `flock`. The lock belongs to the open file description, not to the process that asks for it: a program that
 * inherits the descriptor takes the lock and exits, and it stays ours until we close the descriptor.
 */
export async function tryLock(file: string, {env}: {env?: NodeJS.ProcessEnv} = {}): Promise<Lock | null> {
  await makeFolder(path.dirname(file));

  // Whoever had the lock may remove the file as it leaves (Codex does). A lock on a removed file keeps nobody out.
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    let kept = false;
    try {
      if (!await lockDescriptor(handle.fd, env))
        return null;
      if (await isStillAt(handle, file)) {
        kept = true;
        return {release: () => handle.close()};
      }
    } finally {
      if (!kept)
        await handle.close();
    }
  }
  return null;
}

async function isStillAt(handle: FileHandle, file: string) {
  try {
    const [ours, there] = await Promise.all([handle.stat(), stat(file)]);
    return ours.ino === there.ino && ours.dev === there.dev;
  } catch (error) {
    if (isCode(error, `ENOENT`))
      return false;
    throw error;
  }
}

async function lockDescriptor(fd: number, env: NodeJS.ProcessEnv | undefined): Promise<boolean> {
  for (const {command, args, busy} of WAYS) {
    const code = await run(command, args, fd, env);
    if (code === 0)
      return true;
    if (code === busy)
      return false;
  }
  throw new NoFlockError(`Cannot lock a file here: neither flock nor perl is there, or the file system has no locks`);
}

/** Exit code of the program; `null` when it could not be started or did not end in time. */
function run(command: string, args: Array<string>, fd: number, env: NodeJS.ProcessEnv | undefined): Promise<number | null> {
  return new Promise(resolve => {
    const child = spawn(command, args, {stdio: [`ignore`, `ignore`, `ignore`, fd], timeout: SECONDS * 1000, killSignal: `SIGKILL`, ...env ? {env} : {}});
    child.once(`error`, () => resolve(null));
    child.once(`close`, code => resolve(code));
  });
}
