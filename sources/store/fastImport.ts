import {spawn}                    from 'node:child_process';
import type {ChildProcess}        from 'node:child_process';
import {createHash}               from 'node:crypto';
import {once}                     from 'node:events';
import * as fs                    from 'node:fs/promises';
import path                       from 'node:path';

import {gitEnv, gitError, isDiskFull, onCommonDir, spawnError} from './git.ts';
import type {MachineEnv}          from './git.ts';
import type {Repository}          from './types.ts';

/**
 * zlib level 4 and delta chains: 160 MB of a transcript and 95 MB of its records take 8.5 s of processor time and 27.9 MB,
 * against 10 s and 26.8 MB at level 6, 7.2 s and 30.6 MB at level 1, and 63.7 MB at level 1 without deltas. `git gc` keeps
 * what stands in a pack, so that this choice lasts.
 */
const COMPRESSION = 4;
const DELTA_DEPTH = 50;
/** A small append becomes loose objects, which git packs when it tidies up, instead of a pack for each. */
const UNPACK_LIMIT = 100;

export type ImportResult = {code: number | null; stdout: string; stderr: string};

/** One `git fast-import`. Blobs stream in as they come; refs move when `finish` has sent the last command. */
export class FastImport {
  private readonly child: ChildProcess;
  private readonly ended: Promise<ImportResult>;
  private failure: Error | null = null;
  private marks = 0;
  private over = false;

  constructor(private readonly repo: Repository, env: MachineEnv) {
    this.child = spawn(`git`, [
      ...onCommonDir(repo), `-c`, `core.compression=${COMPRESSION}`, `-c`, `pack.compression=${COMPRESSION}`, `-c`, `fastimport.unpackLimit=${UNPACK_LIMIT}`,
      `fast-import`, `--quiet`, `--done`, `--date-format=raw`, `--depth=${DELTA_DEPTH}`,
    ], {cwd: repo.commonDir, env: gitEnv(env), stdio: [`pipe`, `pipe`, `pipe`], windowsHide: true});

    let stdout = ``;
    let stderr = ``;
    this.child.stdout!.on(`data`, (chunk: Buffer) => {
      stdout = `${stdout}${chunk.toString()}`.slice(-8192);
    });
    this.child.stderr!.on(`data`, (chunk: Buffer) => {
      stderr = `${stderr}${chunk.toString()}`.slice(-64 * 1024);
    });
    // What it died of stands on its standard error.
    this.child.stdin!.on(`error`, () => {});

    this.ended = new Promise(resolve => {
      this.child.on(`error`, error => {
        this.failure = spawnError(error, repo.commonDir);
        resolve({code: null, stdout, stderr});
      });
      this.child.on(`close`, code => {
        const result = {code, stdout, stderr};
        if (code !== 0)
          this.failure ??= gitError(`fast-import`, result);
        resolve(result);
      });
    });
  }

  /** Mark of a new blob with these bytes. */
  async blob(bytes: Buffer) {
    const mark = ++this.marks;
    this.child.stdin!.write(`blob\nmark :${mark}\ndata ${bytes.length}\n`);
    this.child.stdin!.write(bytes);
    await this.send(`\n`);
    return mark;
  }

  nextMark() {
    return ++this.marks;
  }

  /** Throws DISK_FULL or GIT_FAILED when the process is gone. */
  async send(text: string | Buffer) {
    if (this.child.stdin!.write(text) && this.child.exitCode === null && this.failure === null)
      return;

    if (this.child.exitCode === null && this.failure === null)
      await Promise.race([once(this.child.stdin!, `drain`).catch(() => {}), this.ended]);

    if (this.child.exitCode !== null || this.failure !== null) {
      await this.removeRests((await this.ended).stderr);
      throw this.failure ?? gitError(`fast-import`, {code: this.child.exitCode, stderr: `it ended early`});
    }
  }

  /** Waits for the end. Resolves also where git refused to move a ref; throws DISK_FULL. */
  async finish(commands: string): Promise<ImportResult> {
    this.over = true;
    this.child.stdin!.end(`${commands}done\n`);
    const result = await this.ended;
    if (result.code !== 0)
      await this.removeRests(result.stderr);
    if (result.code === null || isDiskFull(result.stderr))
      throw this.failure ?? gitError(`fast-import`, result);

    return result;
  }

  /** Ends without moving a ref. What was sent stays as objects that nothing refers to, until git tidies up. */
  async abort() {
    if (!this.over && this.failure === null)
      this.child.stdin!.end(`done\n`);

    this.over = true;
    await this.removeRests((await this.ended).stderr);
  }

  /** A failed import leaves its pack behind, unfinished: on a full disk it is what fills it. */
  private async removeRests(stderr: string) {
    const pack = /\/objects\/pack\/(tmp_(?:pack|idx)_\w+)'/.exec(stderr)?.[1];
    if (pack !== undefined)
      await fs.rm(path.join(this.repo.commonDir, `objects`, `pack`, pack), {force: true});

    if (this.child.pid !== undefined)
      await fs.rm(path.join(this.repo.commonDir, `fast_import_crash_${this.child.pid}`), {force: true});
  }
}

/** Removes reports that git left when the program around one of our imports was killed. Those of others stay. */
export async function removeCrashReports(commonDir: string) {
  const names = (await fs.readdir(commonDir).catch(() => [])).filter(name => /^fast_import_crash_\d+$/.test(name)).slice(0, 100);
  for (const name of names) {
    const file = path.join(commonDir, name);
    const text = await fs.readFile(file, `utf8`).catch(() => ``);
    // Nobody else's import is fed with marks and blobs only, or names our refs.
    if (text.includes(`refs/session-sync`) || (/stream ends early/.test(text) && !/^\s*\*? ?(commit|reset|tag) /m.test(text)))
      await fs.rm(file, {force: true});
  }
}

/** Id that git gives to a blob. */
export function blobId(bytes: Buffer, format: Repository[`objectFormat`]) {
  return createHash(format).update(`blob ${bytes.length}\0`).update(bytes).digest(`hex`);
}
