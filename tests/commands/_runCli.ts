import {execFileSync, spawn}                    from 'node:child_process';
import {existsSync}                             from 'node:fs';
import * as fs                                  from 'node:fs/promises';
import os                                       from 'node:os';
import path                                     from 'node:path';
import process                                  from 'node:process';
import {fileURLToPath}                          from 'node:url';
import {afterEach, beforeAll, expect}           from 'vitest';

const root     = fileURLToPath(new URL(`../..`, import.meta.url));
const fixtures = path.join(root, `tests`, `fixtures`, `claude-code`);
const cli      = path.join(root, `dist`, `cli.js`);

/** The session of `handwritten` with a date, and its number of records. */
export const SESSION = `5e551000-0000-4000-8000-000000000001`;
export const OTHER   = `5e551000-0000-4000-8000-000000000002`;
export const RECORDS = 10;

export type Output = {exitCode: number | null; stdout: string; stderr: string};

const folders: Array<string> = [];
afterEach(async () => {
  for (const folder of folders.splice(0))
    await fs.rm(folder, {recursive: true, force: true, maxRetries: 5});
});

beforeAll(() => {
  if (!existsSync(cli))
    execFileSync(process.execPath, [path.join(root, `node_modules/tsup/dist/cli-default.js`)], {cwd: root, stdio: `ignore`});
}, 120_000);

function run(program: string, args: Array<string>, {cwd, env, timeoutMs = 25_000}: {cwd: string; env: NodeJS.ProcessEnv; timeoutMs?: number}): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {cwd, env, stdio: [`ignore`, `pipe`, `pipe`], timeout: timeoutMs, killSignal: `SIGKILL`});
    const [stdout, stderr]: [Array<Buffer>, Array<Buffer>] = [[], []];
    child.stdout.on(`data`, chunk => stdout.push(chunk));
    child.stderr.on(`data`, chunk => stderr.push(chunk));
    child.on(`error`, reject);
    child.on(`close`, exitCode => resolve({exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString()}));
  });
}

/** A person on a machine: a home with Claude Code's and Codex's folders in it (neither program), and a repository. */
export class Person {
  readonly home: string;
  env: NodeJS.ProcessEnv;

  constructor(readonly world: string, readonly name: string, readonly repo: string) {
    this.home = path.join(world, name);
    const person = {GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: `${name}@example.org`, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: `${name}@example.org`};
    this.env = {
      HOME: this.home, LANG: `C.UTF-8`, TMPDIR: path.join(world, `tmp`), PATH: [path.join(world, `bin`), `/usr/bin`, `/bin`].join(path.delimiter),
      GIT_CONFIG_GLOBAL: `/dev/null`, GIT_CONFIG_SYSTEM: `/dev/null`, GIT_TERMINAL_PROMPT: `0`, ...person,
    };
  }

  /** Runs `session-sync` in the repository. */
  async cli(...args: Array<string>): Promise<Output> {
    return await this.cliIn(this.repo, ...args);
  }

  async cliIn(cwd: string, ...args: Array<string>): Promise<Output> {
    return await run(process.execPath, [cli, ...args], {cwd, env: this.env});
  }

  /** Runs it and expects exit code 0. Resolves what it printed on standard output. */
  async ok(...args: Array<string>): Promise<string> {
    const output = await this.cli(...args);
    expect(output, `session-sync ${args.join(` `)}: ${output.stderr}`).toMatchObject({exitCode: 0});
    return output.stdout;
  }

  /** Data of the envelope that `--json` prints; `exitCode` 0 expected unless given. */
  async json(args: Array<string>, exitCode = 0): Promise<any> {
    const output = await this.cli(...args, `--json`);
    expect(output).toMatchObject({exitCode, stderr: ``});
    expect(output.stdout.split(`\n`)).toHaveLength(2);
    const envelope = JSON.parse(output.stdout);
    expect(envelope).toMatchObject({sessionSync: 1, command: args[0], ok: exitCode === 0});
    return exitCode === 1 && envelope.error ? envelope.error : envelope.data;
  }

  async git(...args: Array<string>): Promise<string> {
    const {exitCode, stdout, stderr} = await run(`git`, args, {cwd: existsSync(this.repo) ? this.repo : this.world, env: this.env});
    expect(exitCode, `git ${args.join(` `)}: ${stderr}`).toBe(0);
    return stdout;
  }

  /** Any other program, with this person's environment. */
  async program(name: string, ...args: Array<string>): Promise<Output> {
    return await run(name, args, {cwd: this.repo, env: this.env});
  }

  /** Where Claude Code keeps the sessions of a folder. */
  claudeFolder(cwd = this.repo) {
    return path.join(this.home, `.claude`, `projects`, cwd.replace(/[^A-Za-z0-9]/g, `-`));
  }

  transcript(session = SESSION, cwd = this.repo) {
    return path.join(this.claudeFolder(cwd), `${session}.jsonl`);
  }

  /** Files of Codex's store that are sessions. */
  async rollouts(): Promise<Array<string>> {
    const folder = path.join(this.home, `.codex`, `sessions`);
    const names = existsSync(folder) ? await fs.readdir(folder, {recursive: true}) : [];
    return names.filter(name => name.endsWith(`.jsonl`)).sort().map(name => path.join(folder, name));
  }

  /** Puts recorded sessions into Claude Code's store, as if they had happened in the repository. */
  async record(fixture = `handwritten`, only: string | null = null) {
    await fs.cp(path.join(fixtures, fixture), this.claudeFolder(), {recursive: true, filter: source => only === null || !source.endsWith(`.jsonl`) || source.includes(only)});
    for (const name of await fs.readdir(this.claudeFolder(), {recursive: true})) {
      const file = path.join(this.claudeFolder(), name);
      if (!/\.(jsonl?|txt)$/.test(name))
        continue;
      const text = (await fs.readFile(file, `utf8`)).replaceAll(`/home/alice/shop`, this.repo);
      await fs.writeFile(file, text);
    }
  }

  async refs(): Promise<string> {
    return await this.git(`for-each-ref`, `--format=%(refname) %(objectname)`, `refs/session-sync/`);
  }
}

/** alice with a repository and a remote, of which there is one commit; bob has nothing yet. */
export async function makeWorld() {
  const world = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), `session-sync-cli-`)));
  folders.push(world);
  for (const folder of [`tmp`, `bin`, ...[`alice`, `bob`].flatMap(name => [`${name}/.codex`, `${name}/.claude/projects`])])
    await fs.mkdir(path.join(world, folder), {recursive: true});
  for (const [name, file] of Object.entries({'session-sync': `cli.js`, 'session-sync-worker': `worker.js`, 'session-sync-hook': `hook.sh`}))
    await fs.symlink(path.join(root, `dist`, file), path.join(world, `bin`, name));
  await fs.symlink(process.execPath, path.join(world, `bin`, `node`));

  const alice = new Person(world, `alice`, path.join(world, `alice`, `shop`));
  const bob = new Person(world, `bob`, path.join(world, `bob`, `src`, `my shop`));
  const remote = path.join(world, `shop.git`);
  await alice.git(`init`, `-q`, `-b`, `main`, alice.repo);
  await alice.git(`init`, `-q`, `-b`, `main`, `--bare`, remote);
  await fs.writeFile(path.join(alice.repo, `README.md`), `# Shop\n`);
  await alice.git(`add`, `-A`);
  await alice.git(`commit`, `-q`, `-m`, `The shop as it is`);
  await alice.git(`remote`, `add`, `origin`, remote);
  await alice.git(`push`, `-q`, `origin`, `main`);
  return {world, remote, alice, bob};
}

/** alice's session is kept; the settings that `init` wrote are committed, so that the checkout is clean. */
export async function makeKept(fixture = `handwritten`, only: string | null = SESSION) {
  const made = await makeWorld();
  await made.alice.record(fixture, only);
  await made.alice.ok(`init`);
  await made.alice.git(`add`, `-A`);
  await made.alice.git(`commit`, `-q`, `-m`, `Keep sessions`);
  await made.alice.git(`push`, `-q`, `origin`, `main`);
  await made.alice.ok(`sync`);
  return made;
}

/** bob has cloned alice's repository and fetched her sessions. */
export async function makeShared(fixture = `handwritten`, only: string | null = SESSION) {
  const made = await makeKept(fixture, only);
  await made.alice.ok(`push`);
  await made.bob.git(`clone`, `-q`, made.remote, made.bob.repo);
  await made.bob.ok(`pull`);
  return made;
}

/** Another turn at the end of alice's handwritten session. */
export async function grow(person: Person, text = `And the shipping costs?`, session = SESSION) {
  const file = person.transcript(session);
  const lines = (await fs.readFile(file, `utf8`)).trimEnd().split(`\n`).map(line => JSON.parse(line));
  const last = lines.filter(line => line.uuid !== undefined).at(-1);
  const user = lines.find(line => line.type === `user`);
  // Two people's next turns are two records.
  const uuid = `5e551000-0000-4000-9${String(text.length % 1000).padStart(3, `0`)}-0000000${String(lines.length).padStart(5, `0`)}`;
  await fs.appendFile(file, `${JSON.stringify({...user, uuid, parentUuid: last.uuid, timestamp: `2026-11-20T10:00:00.000Z`, message: {role: `user`, content: text}})}\n`);
}

/** No byte that a terminal obeys, and no mark that turns or hides text; tabs and line feeds are allowed. */
export function expectPlain({stdout, stderr}: Output) {
  const hostile = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/;
  for (const text of [stdout, stderr])
    expect(JSON.stringify(hostile.exec(text)?.[0] ?? null)).toBe(`null`);
}

/** What lies below a folder: every file with its content. */
export async function snapshot(folder: string): Promise<{[file: string]: string}> {
  const files: {[file: string]: string} = {};
  for (const entry of await fs.readdir(folder, {recursive: true, withFileTypes: true}))
    if (entry.isFile()) {
      const file = path.join(entry.parentPath, entry.name);
      files[path.relative(folder, file)] = (await fs.readFile(file)).toString(`latin1`);
    }
  return files;
}
