import {spawn}                          from 'node:child_process';
import type {ChildProcess}              from 'node:child_process';
import type {Socket}                    from 'node:net';

import {cleanText, git, gitEnv, onCommonDir, spawnError} from './git.ts';
import type {MachineEnv}                from './git.ts';
import {OBJECT_ID}                      from './layout.ts';
import {StoreError}                     from './types.ts';
import type {Repository}                from './types.ts';

export type GitObject = {oid: string; type: string; body: Buffer};

/** Reads refs and objects. Two kinds: `CatFile` on git, and the one of fallback.ts without. */
export interface ObjectReader {
  /** Refs whose name begins with one of `prefixes` (whole components, ending in `/`), sorted by name. */
  refs(prefixes: Array<string>): Promise<Array<{ref: string; oid: string}>>;
  /**
   * The object that `name` means: a full object id, a full ref name, or either with `:<path>`. Null where there is none.
   *
   * Throws TOO_LARGE over `limit` bytes, MISSING_OBJECT where a partial clone could not fetch it.
   */
  object(name: string, limit: number): Promise<GitObject | null>;
  close(): Promise<void>;
}

type Request = {
  name: string;
  limit: number;
  resolve: (object: GitObject | null) => void;
  reject: (error: Error) => void;
};

/** Requests that git has at most before it has answered; the rest wait here. */
const IN_FLIGHT = 128;
/** An object that is too large is read past up to this size; beyond it the process is given up. */
const DRAIN_BYTES = 4 * 1024 * 1024;
/** A partial clone may have to fetch what is asked for. */
const ANSWER_TIMEOUT_MS = 120_000;

/**
 * One `git cat-file --batch` for many objects, started when it is first needed and again after it died. It does not keep
 * the program alive while nothing is asked.
 */
export class CatFile implements ObjectReader {
  private child: ChildProcess | null = null;
  private readonly waiting: Array<Request> = [];
  private readonly asked: Array<Request> = [];
  private head = Buffer.alloc(0);
  private answer: {oid: string; type: string; size: number; body: Buffer | null; filled: number} | null = null;
  private stderr = ``;
  private timer: NodeJS.Timeout | undefined;
  private watched: ChildProcess | null = null;
  private closed = false;

  constructor(private readonly repo: Repository, private readonly env: MachineEnv) {}

  async refs(prefixes: Array<string>) {
    // Only names and ids: any other field makes git open the object, and fail on one that is missing.
    const {stdout} = await git([`for-each-ref`, `--format=%(objectname) %(refname)`, ...prefixes.map(prefix => prefix.replace(/\/$/, ``))], {repo: this.repo, env: this.env});
    return stdout.split(`\n`).filter(line => line !== ``).map(line => {
      const space = line.indexOf(` `);
      return {oid: line.slice(0, space), ref: line.slice(space + 1)};
    });
  }

  object(name: string, limit: number): Promise<GitObject | null> {
    if (/[\u0000-\u0020\u007f]/.test(name))
      return Promise.reject(new StoreError(`UNSAFE_NAME`, `Not the name of an object: ${JSON.stringify(name.slice(0, 200))}`));

    return new Promise((resolve, reject) => {
      this.waiting.push({name, limit, resolve, reject});
      this.send();
    });
  }

  async close() {
    this.closed = true;
    const {child} = this;
    this.fail(new StoreError(`GIT_FAILED`, `The store was closed`));
    if (child === null || child.exitCode !== null || child.signalCode !== null)
      return;

    // The program must not end before this promise does.
    child.ref();
    await new Promise<void>(resolve => {
      child.once(`exit`, () => resolve());
      child.kill();
    });
  }

  private send() {
    if (this.closed)
      return this.fail(new StoreError(`GIT_FAILED`, `The store was closed`));

    // Few large writes: one a question costs more than the answer.
    if (this.waiting.length > 0 && this.asked.length <= IN_FLIGHT / 2) {
      this.child ??= this.start();
      const requests = this.waiting.splice(0, IN_FLIGHT - this.asked.length);
      this.asked.push(...requests);
      this.child.stdin!.write(requests.map(({name}) => `${name}\n`).join(``));
    }
    this.watch();
  }

  /** The program lives as long as something is asked for, and so long runs the clock. */
  private watch() {
    const busy = this.asked.length > 0;
    if (busy && this.timer)
      this.timer.refresh();
    if (busy === (this.timer !== undefined) && this.watched === this.child)
      return;

    const {child} = this;
    for (const handle of [child, child?.stdin as Socket | undefined, child?.stdout as Socket | undefined, child?.stderr as Socket | undefined])
      handle?.[busy ? `ref` : `unref`]?.();

    this.watched = child;
    if (busy) {
      this.timer ??= setTimeout(() => {
        this.giveUp(new StoreError(`GIT_FAILED`, `git cat-file did not answer for ${ANSWER_TIMEOUT_MS / 1000} s`));
      }, ANSWER_TIMEOUT_MS);
    } else {
      clearTimeout(this.timer);
      this.timer = undefined;
    }
  }

  private start() {
    const child = spawn(`git`, [...onCommonDir(this.repo), `cat-file`, `--batch`], {
      cwd: this.repo.commonDir, env: gitEnv(this.env), stdio: [`pipe`, `pipe`, `pipe`], windowsHide: true,
    });
    this.stderr = ``;
    this.head   = Buffer.alloc(0);
    this.answer = null;

    child.stdin.on(`error`, () => {});
    child.stderr.on(`data`, (chunk: Buffer) => {
      this.stderr = `${this.stderr}${chunk.toString()}`.slice(-8192);
    });
    child.stdout.on(`data`, (chunk: Buffer) => {
      if (this.child === child)
        this.take(chunk);
    });
    child.on(`error`, error => {
      if (this.child === child)
        this.fail(spawnError(error, this.repo.commonDir));
    });
    child.on(`close`, () => {
      if (this.child !== child)
        return;

      // It dies on an object that it can neither find nor fetch: the first that is not answered yet.
      this.giveUp(new StoreError(`MISSING_OBJECT`, `git could not read ${this.asked[0]?.name ?? `an object`}${this.repo.partial ? ` (this is a partial clone: session-sync pull fetches whole sessions)` : ``}: ${cleanText(this.stderr, 500) || `git cat-file ended`}`));
    });
    return child;
  }

  private take(chunk: Buffer) {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.answer === null) {
        const newline = rest.indexOf(10);
        this.head = Buffer.concat([this.head, newline < 0 ? rest : rest.subarray(0, newline)]);
        if (newline < 0)
          return;

        rest = rest.subarray(newline + 1);
        const line = this.head.toString();
        this.head = Buffer.alloc(0);
        if (!this.begin(line))
          return;
        continue;
      }

      const {answer} = this;
      const wanted = Math.min(answer.size - answer.filled, rest.length);
      if (answer.body)
        rest.copy(answer.body, answer.filled, 0, wanted);

      answer.filled += wanted;
      rest = rest.subarray(wanted);
      // A line feed follows the bytes.
      if (answer.filled === answer.size && rest.length > 0) {
        rest = rest.subarray(1);
        this.answer = null;
        const request = this.asked.shift()!;
        if (answer.body)
          request.resolve({oid: answer.oid, type: answer.type, body: answer.body});
        else
          request.reject(tooLarge(request, answer.size));

        this.send();
      }
    }
  }

  /** False when the process was given up. */
  private begin(line: string) {
    const request = this.asked[0];
    if (!request)
      return false;

    const match = /^([0-9a-f]{40,64}) ([a-z]+) (\d+)$/.exec(line);
    if (!match) {
      this.asked.shift();
      if (/ (missing|ambiguous|dangling|loop|notdir)$/.test(line) || / \d+$/.test(line))
        request.resolve(null);
      else
        request.reject(new StoreError(`GIT_FAILED`, `git cat-file answered ${cleanText(line, 200)}`));

      this.send();
      return true;
    }

    const size = Number(match[3]);
    if (size > request.limit && size > DRAIN_BYTES) {
      this.giveUp(tooLarge(request, size));
      return false;
    }

    this.answer = {oid: match[1]!, type: match[2]!, size, body: size > request.limit ? null : Buffer.allocUnsafe(size), filled: 0};
    return true;
  }

  /** Ends the process; the first request gets `error`, the others a new process. */
  private giveUp(error: Error) {
    const {child} = this;
    this.child  = null;
    this.answer = null;
    child?.kill(`SIGKILL`);
    this.asked.shift()?.reject(error);
    this.waiting.unshift(...this.asked.splice(0));
    this.send();
  }

  private fail(error: Error) {
    this.child  = null;
    this.answer = null;
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const request of [...this.asked.splice(0), ...this.waiting.splice(0)])
      request.reject(error);
  }
}

function tooLarge(request: Request, size: number) {
  return new StoreError(`TOO_LARGE`, `${request.name} has ${size} bytes, more than the ${request.limit} that are allowed`);
}

export type TreeEntry = {mode: string; name: string; oid: string};

/** Entries of a raw tree object. Throws BAD_DATA where it is torn. Names are not checked here. */
export function parseTree(body: Buffer, oidBytes: number): Array<TreeEntry> {
  const entries: Array<TreeEntry> = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const nul   = body.indexOf(0, at);
    if (space < 0 || nul < space || nul + 1 + oidBytes > body.length)
      throw new StoreError(`BAD_DATA`, `A tree object is damaged`);

    entries.push({
      mode: body.toString(`latin1`, at, space),
      name: body.toString(`utf8`, space + 1, nul),
      oid:  body.toString(`hex`, nul + 1, nul + 1 + oidBytes),
    });
    at = nul + 1 + oidBytes;
  }

  return entries;
}

/** Tree of a raw commit object. Throws BAD_DATA. */
export function commitTree(object: GitObject) {
  const match = /^tree ([0-9a-f]+)\n/.exec(object.body.toString(`latin1`, 0, 80));
  if (object.type !== `commit` || !match || !OBJECT_ID.test(match[1]!))
    throw new StoreError(`BAD_DATA`, `${object.oid} is not a commit`);

  return match[1]!;
}
