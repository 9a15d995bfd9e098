import {Command, Option}                   from 'clipanion';
import type {BaseContext}                  from 'clipanion';

import type {Machine}                      from '../agents/types.ts';
import type {SessionStore}                 from '../store/index.ts';
import {acquire, runningWorker}            from '../sync/exclusive.ts';
import {isActive, openProject, openStore}  from '../sync/project.ts';
import type {Project}                      from '../sync/project.ts';
import {safe}                              from '../terminal/safe.ts';

export type Context = BaseContext & {
  cwd: string;
  machine: Machine;
  now: () => Date;
};

/** What every `--json` prints, on one line. `data` differs by command and is documented in docs/json.md. */
export type Envelope = {
  sessionSync: 1;
  command: string;
  ok: boolean;
  data?: unknown;
  warnings: Array<string>;
  error?: {code: string; message: string};
};

/** How long a command waits for a running sync before it gives up. */
const PATIENCE_MS = 60_000;

/** What JSON leaves as it is, and a terminal may obey: C1 controls, and marks that turn or hide text. */
const UNPRINTABLE = /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB]/g;

/**
 * Shared by all commands. `run` does the work and returns the exit code: 0 all done, 2 done in part (what was left out
 * is said). What a person can mend is thrown as an error with a `code` and becomes exit code 1.
 */
export abstract class BaseCommand extends Command<Context> {
  json = Option.Boolean(`--json`, false, {
    description: `Print one line of JSON instead of text`,
  });

  protected warnings: Array<string> = [];

  abstract run(): Promise<number>;

  async execute(): Promise<number> {
    try {
      return await this.run();
    } catch (error) {
      const code = codeOf(error);
      const message = code !== null ? (error as Error).message : `This is a fault of session-sync, please report it: ${error instanceof Error ? error.stack ?? error.message : String(error)}`;
      this.fail(code ?? `FAULT`, message);
      return code !== null ? 1 : 70;
    }
  }

  protected get verb() {
    return (this.path[0] ?? ``);
  }

  /** Text for a person, in lines; nothing with `--json`. Whatever is in it, it cannot steer a terminal. */
  protected say(text = ``) {
    if (!this.json)
      this.context.stdout.write(`${text.split(`\n`).map(line => safe(line, {multiline: true})).join(`\n`)}\n`);
  }

  /** Something that was left out or needs a look: on standard error, and in the envelope. */
  protected warn(message: string) {
    const clean = safe(message, {multiline: true});
    this.warnings.push(clean);
    if (!this.json)
      this.context.stderr.write(`${clean}\n`);
  }

  /** Ends the command: the data for `--json`, the exit code for the caller. */
  protected done(data: unknown, exitCode = 0) {
    if (this.json)
      this.print({ok: exitCode === 0, data});
    return exitCode;
  }

  protected async project(): Promise<Project> {
    return await openProject(this.context.cwd, this.context.machine);
  }

  protected async activeProject(): Promise<Project> {
    const project = await this.project();
    if (!await isActive(project))
      throw new CommandError(`NOT_INITIALISED`, `session-sync is not set up in this clone. Run \`session-sync init\` first.`);
    return project;
  }

  /** The project's session store. It need not be closed: git's reading process ends with us, and waiting for it takes time. */
  protected async store(project: Project): Promise<SessionStore> {
    return await openStore(project);
  }

  /** Runs `work` while no other sync runs in this repository. */
  protected async exclusively<T>(project: Project, work: () => Promise<T>): Promise<T> {
    const held = await acquire(project.paths, {waitMs: PATIENCE_MS, ask: true, worker: false});
    if (held === null)
      throw new CommandError(`BUSY`, `A sync is running in this repository (process ${await runningWorker(project.paths) ?? `unknown`}). Try again when it is done.`);
    try {
      return await work();
    } finally {
      await held.release();
    }
  }

  private fail(code: string, given: string) {
    const message = safe(given, {multiline: true});
    if (this.json)
      this.print({ok: false, error: {code, message}});
    else
      this.context.stderr.write(`${message}\n`);
  }

  private print(part: Omit<Envelope, `sessionSync` | `command` | `warnings`>) {
    this.context.stdout.write(envelope({command: this.verb, ...part, warnings: this.warnings}));
  }
}

/** The line that `--json` prints: all in it that could steer a terminal is written as an escape. */
export function envelope(part: Omit<Envelope, `sessionSync`>): string {
  const whole: Envelope = {sessionSync: 1, ...part};
  return `${JSON.stringify(whole).replaceAll(UNPRINTABLE, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, `0`)}`)}\n`;
}

/** What a person can mend; `code` is for scripts. */
export class CommandError extends Error {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** The code of an error of ours, or of the operating system; null for what must not happen. */
function codeOf(error: unknown): string | null {
  const code = error instanceof Error ? (error as {code?: unknown}).code : undefined;
  return typeof code === `string` && /^[A-Z][A-Z0-9_]*$/.test(code) && !code.startsWith(`ERR_`) ? code : null;
}
