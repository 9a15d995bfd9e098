import {spawn}                 from 'node:child_process';
import {existsSync, readFileSync, readdirSync} from 'node:fs';
import {cp, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir}                from 'node:os';
import path                    from 'node:path';
import {setTimeout as sleep}   from 'node:timers/promises';
import {fileURLToPath}         from 'node:url';

import {agentPath, agents}     from '../agents.mjs';
import type {AgentProgram}     from '../agents.mjs';

const repository = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

export type Outcome = {exitCode: number | null; signal: string | null; stdout: string; stderr: string};
export type RunOptions = {
  cwd?: string;
  env?: {[name: string]: string | undefined};
  input?: string;
  timeoutMs?: number;
  /** Called with the process when it runs. */
  started?: (process: {pid: number; kill: (signal: NodeJS.Signals) => void}) => void;
};

/** Runs a program, without a terminal, to its end; after `timeoutMs` (default 60,000) it is killed and the promise rejects. */
export function execute(program: string, args: Array<string>, {cwd, env, input, timeoutMs = 60_000, started}: RunOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {cwd, env: env as NodeJS.ProcessEnv, stdio: [input === undefined ? `ignore` : `pipe`, `pipe`, `pipe`]});
    let stdout = ``;
    let stderr = ``;
    let late = false;
    child.stdout!.setEncoding(`utf8`).on(`data`, text => stdout += text);
    child.stderr!.setEncoding(`utf8`).on(`data`, text => stderr += text);
    child.stdin?.on(`error`, () => {});
    child.stdin?.end(input);
    const timer = setTimeout(() => {
      late = true;
      child.kill(`SIGKILL`);
      // A grandchild may hold the pipes open.
      child.stdout!.destroy();
      child.stderr!.destroy();
    }, timeoutMs);
    child.on(`error`, error => {
      clearTimeout(timer);
      reject(error);
    });
    child.on(`close`, (exitCode, signal) => {
      clearTimeout(timer);
      if (late)
        reject(new Error(`${path.basename(program)} ${args.join(` `).slice(0, 200)} was still running after ${timeoutMs} ms\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`));
      else
        resolve({exitCode, signal, stdout, stderr});
    });
    if (child.pid !== undefined)
      started?.({pid: child.pid, kill: signal => child.kill(signal)});
  });
}

/** Waits until `check` gives something; rejects after `timeoutMs` with `what`. */
export async function eventually<T>(what: string, timeoutMs: number, check: () => Promise<T | null | undefined | false> | T | null | undefined | false): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value)
      return value;
    if (performance.now() > end)
      throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(50);
  }
}

export type MachineOptions = {
  user: string;
  /** Home below the world's folder, as `home/alice`. */
  home: string;
  /** The project below the home. */
  project: string;
  /** Without the program on PATH, as for a teammate who never installed it. */
  program?: boolean;
};

/** One person's computer: a home, a project in it, an environment that knows nothing of the computer that runs the tests. */
export class Machine {
  readonly home: string;
  readonly project: string;
  readonly env: {[name: string]: string};
  /** What ends the programs that outlive their start; run when the world is disposed of. */
  readonly endings: Array<() => Promise<void>> = [];

  constructor(readonly world: World, readonly options: MachineOptions) {
    this.home = path.join(world.root, options.home);
    this.project = path.join(this.home, options.project);
    this.env = {
      HOME: this.home,
      USER: options.user,
      LANG: `C.UTF-8`,
      TERM: `dumb`,
      TMPDIR: path.join(world.root, `tmp-${options.user}`),
      PATH: [options.program === false ? world.agentsBin : world.bin, `/usr/bin`, `/bin`].join(path.delimiter),
      GIT_CONFIG_GLOBAL: path.join(this.home, `.gitconfig`),
      GIT_CONFIG_SYSTEM: `/dev/null`,
      GIT_TERMINAL_PROMPT: `0`,
      // A worker stays for a while after its last work; a test waits for its end.
      SESSION_SYNC_LINGER_MS: `1000`,
      // The only key that the stand-in models ask for.
      FAKE_KEY: `sk-none`,
    };
  }

  get claudeHome() {
    return path.join(this.home, `.claude`);
  }

  get codexHome() {
    return path.join(this.home, `.codex`);
  }

  async prepare() {
    await mkdir(this.home, {recursive: true});
    await mkdir(this.env.TMPDIR!, {recursive: true});
    const name = this.options.user[0]!.toUpperCase() + this.options.user.slice(1);
    await writeFile(path.join(this.home, `.gitconfig`), `[user]\n\tname = ${name}\n\temail = ${this.options.user}@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n`);
  }

  run(program: string, args: Array<string>, options: RunOptions = {}): Promise<Outcome> {
    return execute(program, args, {cwd: this.project, ...options, env: {...this.env, ...options.env}});
  }

  /** git in the project; rejects when it fails, resolves to its output without the last newline. */
  async git(...args: Array<string>): Promise<string> {
    const {exitCode, stdout, stderr} = await this.run(`git`, args);
    if (exitCode !== 0)
      throw new Error(`git ${args.join(` `)} exited with ${exitCode}: ${stderr}`);
    return stdout.replace(/\n$/, ``);
  }

  /** The built `session-sync`, as this person would start it. */
  sessionSync(...args: Array<string>): Promise<Outcome> {
    return this.run(path.join(this.world.bin, `session-sync`), args);
  }

  /** Makes the project a repository with a first commit of `files`. */
  async createProject(files: {[name: string]: string | Buffer}) {
    await mkdir(this.project, {recursive: true});
    for (const [name, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(this.project, name)), {recursive: true});
      await writeFile(path.join(this.project, name), content);
    }
    await this.git(`init`, `-q`);
    await this.git(`add`, `-A`);
    await this.git(`commit`, `-q`, `-m`, `The shop as it is`);
  }

  async cloneProject(remote: string) {
    await mkdir(path.dirname(this.project), {recursive: true});
    await this.run(`git`, [`clone`, `-q`, remote, this.project], {cwd: this.home});
  }

  /** Resolves when no event waits and no worker of this project runs; the worker lingers a while after its last work. */
  async settled(timeoutMs = 60_000): Promise<void> {
    const state = await this.stateFolder();
    await eventually(`the worker of ${this.project} comes to rest`, timeoutMs, () => {
      const spool = path.join(state, `spool`);
      const waiting = existsSync(spool) ? readdirSync(spool).length : 0;
      return waiting === 0 && workerOf(state) === null;
    });
  }

  /** Kills the project's worker, if one still runs. */
  async stopWorker() {
    if (!existsSync(path.join(this.project, `.git`)))
      return;
    const pid = workerOf(await this.stateFolder());
    if (pid !== null)
      process.kill(pid, `SIGKILL`);
  }

  private async stateFolder() {
    return path.join(path.resolve(this.project, await this.git(`rev-parse`, `--git-common-dir`)), `session-sync`);
  }

  /**
   * Runs `body` on a copy of `folder` in its place, and puts the untouched original back after it: asking an agent what
   * it would send appends to its store. The path stays, because Codex keeps absolute paths in its state database (0.169.0).
   */
  async withCopy<T>(folder: string, body: () => Promise<T>): Promise<T> {
    const kept = `${folder}.kept`;
    await rename(folder, kept);
    try {
      await cp(kept, folder, {recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: source => !source.endsWith(`.sock`)});
      return await body();
    } finally {
      await rm(folder, {recursive: true, force: true, maxRetries: 5});
      await rename(kept, folder);
    }
  }
}

/** Process number in the worker's lock or in the hook's note of whom it woke, while that process lives. */
function workerOf(state: string): number | null {
  for (const name of [`worker`, `waking`]) {
    let pid: number;
    try {
      pid = Number.parseInt(readFileSync(path.join(state, name), `utf8`), 10);
      process.kill(pid, 0);
      // One that has ended but was not waited for still takes signals.
      if (process.platform === `linux` && /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, `utf8`)))
        continue;
    } catch {
      continue;
    }
    return pid;
  }
  return null;
}

/** A scratch folder with several machines and a place for remotes. KEEP=1 leaves it when a test has failed. */
export class World {
  readonly machines: Array<Machine> = [];

  private constructor(readonly root: string) {}

  /** Folder with the three programs of `dist/`, the agents and node. */
  get bin() {
    return path.join(this.root, `bin`);
  }

  /** The same without our programs. */
  get agentsBin() {
    return path.join(this.root, `agents-bin`);
  }

  /** With these agents on PATH; each one that is there gets a mirror of every session. */
  static async create(programs = Object.keys(agents) as Array<AgentProgram>): Promise<World> {
    const world = new World(await realpath(await mkdtemp(path.join(tmpdir(), `session-sync-world-`))));
    await mkdir(world.bin);
    await mkdir(world.agentsBin);
    const ours = {'session-sync': `dist/cli.js`, 'session-sync-worker': `dist/worker.js`, 'session-sync-hook': `dist/hook.sh`};
    for (const [name, file] of Object.entries(ours))
      await symlink(path.join(repository, file), path.join(world.bin, name));
    for (const folder of [world.bin, world.agentsBin]) {
      await symlink(process.execPath, path.join(folder, `node`));
      for (const name of programs) {
        const program = agentPath(name);
        if (program !== null)
          await symlink(program, path.join(folder, name));
      }
    }
    return world;
  }

  async machine(options: MachineOptions): Promise<Machine> {
    const machine = new Machine(this, options);
    await machine.prepare();
    this.machines.push(machine);
    return machine;
  }

  async bareRemote(name: string): Promise<string> {
    const folder = path.join(this.root, name);
    await execute(`git`, [`init`, `-q`, `--bare`, `-b`, `main`, folder], {cwd: this.root, env: {PATH: `/usr/bin:/bin`, GIT_CONFIG_GLOBAL: `/dev/null`, GIT_CONFIG_SYSTEM: `/dev/null`}});
    return folder;
  }

  async dispose({failed = false} = {}) {
    for (const machine of this.machines) {
      await machine.stopWorker();
      for (const end of machine.endings)
        await end();
    }
    if (failed && process.env.KEEP) {
      process.stderr.write(`kept: ${this.root}\n`);
      return;
    }
    await rm(this.root, {recursive: true, force: true, maxRetries: 5});
  }
}

/** Lines of a file of JSON lines, parsed. */
export async function jsonLines(file: string): Promise<Array<any>> {
  return (await readFile(file, `utf8`)).split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line));
}

