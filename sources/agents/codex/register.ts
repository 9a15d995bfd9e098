import {spawn}                  from 'node:child_process';
import type {ChildProcess}      from 'node:child_process';
import {stat}                   from 'node:fs/promises';
import {createInterface}        from 'node:readline';

import {cleanEnv, findProgram}  from '../../system/programs.ts';
import type {Machine, Registered, Registration} from '../types.ts';

import {titleOf}                from '../families/text.ts';

const SECONDS = 10;

type Answer = {id?: unknown; result?: unknown; error?: {message?: unknown}};

type Thread = {name: string | null; preview: string; updatedAt: number};

/**
 * Makes `codex resume` and `codex resume --last` list the session: they read a database that learns of a new file when
 * Codex's own server is asked for it once. Takes about 0.2 s, needs no login, asks no model. Resuming by id works without.
 *
 * For a session that has grown since, 0.169.0 goes on with the time it knows, whether asked for the session or for the
 * list, and `--last` takes another one. Naming the session makes it look at the file again and leaves the file alone
 * (`thread/metadata/update` does as well, but writes to the file). So such a session gets the name that it shows anyway.
 */
export async function register(machine: Machine, {id, path, title}: Pick<Registered, `id` | `path` | `title`>): Promise<Registration> {
  const note = await withServer(machine, async server => {
    const thread = threadOf(await server.request(`thread/read`, {threadId: id}));
    const name = titleOf(title ?? thread.name ?? thread.preview);
    if (name !== `` && (title !== undefined && name !== thread.name || await isStale(thread, path)))
      await server.request(`thread/name/set`, {threadId: id, name});
  });
  return note === undefined ? {listed: true} : {listed: false, note};
}

/**
 * Opens the session once for another folder, as `codex resume` does there: only then the database that its list is made of
 * has the new one (0.169.0). Codex adds a line of settings to the file. Resolves what stood in the way.
 */
export async function resumeIn(machine: Machine, id: string, cwd: string): Promise<string | undefined> {
  return await withServer(machine, async server => {
    await server.request(`thread/resume`, {threadId: id, cwd});
  });
}

async function withServer(machine: Machine, work: (server: AppServer) => Promise<void>): Promise<string | undefined> {
  const binary = await findProgram(machine, `codex`);
  if (binary === undefined)
    return `codex is not on PATH here; resuming by id will work, its list will not show the session`;

  const server = new AppServer(binary, machine);
  try {
    await server.request(`initialize`, {clientInfo: {name: `session-sync`, version: `1`}});
    server.notify(`initialized`);
    await work(server);
    return undefined;
  } catch (error) {
    return `codex did not take the session into its list: ${(error as Error).message}`;
  } finally {
    await server.close();
  }
}

function threadOf(result: unknown): Thread {
  const thread = (result as {thread?: Partial<Thread>} | null)?.thread;
  return {
    name: typeof thread?.name === `string` ? thread.name : null,
    preview: typeof thread?.preview === `string` ? thread.preview : ``,
    updatedAt: typeof thread?.updatedAt === `number` ? thread.updatedAt : Infinity,
  };
}

async function isStale({updatedAt}: Thread, file: string) {
  try {
    return Math.floor((await stat(file)).mtimeMs / 1000) > updatedAt;
  } catch {
    return false;
  }
}

/** `codex app-server`: JSON lines over its standard streams. All that is asked of it must be done within ten seconds. */
class AppServer {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, {resolve(value: unknown): void; reject(error: Error): void}>();
  private readonly exited: Promise<void>;
  private readonly deadline: NodeJS.Timeout;
  private failure: Error | null = null;
  private next = 1;

  constructor(binary: string, machine: Machine) {
    // A group of its own: what npm installs as `codex` is a script that starts the real program.
    this.child = spawn(binary, [`app-server`], {env: cleanEnv(machine.env), cwd: machine.home, stdio: [`pipe`, `pipe`, `ignore`], detached: true});
    this.exited = new Promise(resolve => {
      this.child.once(`error`, error => {
        this.fail(error);
        resolve();
      });
      this.child.once(`close`, () => {
        this.fail(new Error(`codex app-server ended`));
        resolve();
      });
    });
    // A server that is gone cannot be written to; its end says so, and sooner or later comes.
    this.child.stdin!.on(`error`, () => {});
    createInterface({input: this.child.stdout!}).on(`line`, text => this.receive(text));
    this.deadline = setTimeout(() => this.fail(new Error(`no answer within ${SECONDS} seconds`)), SECONDS * 1000);
  }

  request(method: string, params: {[key: string]: unknown}): Promise<unknown> {
    if (this.failure)
      return Promise.reject(this.failure);

    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, {resolve, reject});
      this.child.stdin!.write(`${JSON.stringify({id, method, params})}\n`);
    });
  }

  notify(method: string) {
    this.child.stdin!.write(`${JSON.stringify({method})}\n`);
  }

  async close() {
    clearTimeout(this.deadline);
    this.child.stdin!.end();
    const kill = setTimeout(() => this.kill(), 2_000);
    await this.exited;
    clearTimeout(kill);
  }

  private receive(text: string) {
    let answer: Answer;
    try {
      answer = JSON.parse(text) as Answer;
    } catch {
      return;
    }
    const waiting = typeof answer?.id === `number` ? this.waiting.get(answer.id) : undefined;
    if (!waiting)
      return;

    this.waiting.delete(answer.id as number);
    if (answer.error)
      waiting.reject(new Error(String(answer.error.message ?? `unknown error`).slice(0, 300)));
    else
      waiting.resolve(answer.result);
  }

  private fail(error: Error) {
    this.failure ??= error;
    for (const waiting of this.waiting.values())
      waiting.reject(error);
    this.waiting.clear();
  }

  private kill() {
    try {
      process.kill(-this.child.pid!, `SIGKILL`);
    } catch {
      this.child.kill(`SIGKILL`);
    }
  }
}
