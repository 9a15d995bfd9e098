import {Builtins, Cli}         from 'clipanion';
import type {Command, CommandClass} from 'clipanion';
import process                from 'node:process';

import {envelope}             from './commands/Base.ts';
import type {Context}         from './commands/Base.ts';
import {machineOf}            from './system/machine.ts';
import {safe}                 from './terminal/safe.ts';
import {version}              from './version.ts';

/**
 * Every verb and where its command is. Only what a command line asks for is loaded: `status` would spend half its time
 * on what the others need.
 */
const VERBS: {[verb: string]: () => Promise<CommandClass<Context>>} = {
  init:    async () => (await import(`./commands/Init.ts`)).InitCommand,
  uninit:  async () => (await import(`./commands/Uninit.ts`)).UninitCommand,
  status:  async () => (await import(`./commands/Status.ts`)).StatusCommand,
  list:    async () => (await import(`./commands/List.ts`)).ListCommand,
  show:    async () => (await import(`./commands/Show.ts`)).ShowCommand,
  log:     async () => (await import(`./commands/Log.ts`)).LogCommand,
  why:     async () => (await import(`./commands/Why.ts`)).WhyCommand,
  sync:    async () => (await import(`./commands/Sync.ts`)).SyncCommand,
  import:  async () => (await import(`./commands/Import.ts`)).ImportCommand,
  watch:   async () => (await import(`./commands/Watch.ts`)).WatchCommand,
  push:    async () => (await import(`./commands/Push.ts`)).PushCommand,
  pull:    async () => (await import(`./commands/Pull.ts`)).PullCommand,
  prune:   async () => (await import(`./commands/Prune.ts`)).PruneCommand,
  archive: async () => (await import(`./commands/Archive.ts`)).ArchiveCommand,
  restore: async () => (await import(`./commands/Restore.ts`)).RestoreCommand,
  rewind:  async () => (await import(`./commands/Rewind.ts`)).RewindCommand,
  pause:   async () => (await import(`./commands/Pause.ts`)).PauseCommand,
  resume:  async () => (await import(`./commands/Resume.ts`)).ResumeCommand,
  clean:   async () => (await import(`./commands/Clean.ts`)).CleanCommand,
  doctor:  async () => (await import(`./commands/Doctor.ts`)).DoctorCommand,
};
/** What our own hooks start; not for people. */
const INNER: typeof VERBS = {
  auto:    async () => (await import(`./commands/Auto.ts`)).AutoCommand,
};
const ALIASES: {[alias: string]: string} = {ls: `list`};

/** The manual with a sign for the values of options; the library writes `#0`. */
class ManualCli extends Cli<Context> {
  override usage(...args: Parameters<Cli<Context>[`usage`]>) {
    return super.usage(...args).replaceAll(/ #\d(?=[\]>])/g, ` …`).replaceAll(/(?<=--[\w-]+) #\d/g, ` … `);
  }
}

/** With the command of one verb, or of all. */
export async function makeCli(verb: string | undefined) {
  const cli = new ManualCli({
    binaryLabel: `session-sync`,
    binaryName: `session-sync`,
    binaryVersion: version,
    // Of itself it looks only at what the terminal can do, not whether there is one.
    enableColors: process.stdout.isTTY === true && Cli.defaultContext.colorDepth! > 1,
  });
  cli.register(Builtins.HelpCommand);
  cli.register(Builtins.VersionCommand);
  const wanted = verb === undefined ? Object.keys(VERBS) : [verb];
  for (const command of await Promise.all(wanted.map(async name => await (VERBS[name] ?? INNER[name])!())))
    cli.register(command);
  return cli;
}

/** One that was removed has no name any more but what the shell says; the command then says that it is not there. */
function workingFolder() {
  try {
    return process.cwd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== `ENOENT`)
      throw error;
    return process.env.PWD ?? `/`;
  }
}

export async function run(argv: Array<string>): Promise<number> {
  const context: Context = {
    ...Cli.defaultContext,
    cwd: workingFolder(),
    machine: machineOf(process.env),
    now: () => new Date(),
  };
  const input = asAsked(argv);
  const cli = await makeCli(verbOf(input));
  let command: Command<Context>;
  try {
    command = cli.process(input, context);
  } catch (error) {
    const message = explain(cli, input, error as Error);
    if (input.includes(`--json`))
      context.stdout.write(envelope({command: verbOf(input) ?? ``, ok: false, warnings: [], error: {code: `BAD_USAGE`, message}}));
    else
      context.stderr.write(`${message}\n`);
    return 1;
  }
  return await cli.run(command, context);
}

/** `session-sync`, `session-sync help` and `session-sync help <verb>` are the manual as well. */
function asAsked(argv: Array<string>) {
  if (argv.length > 0 && argv[0] !== `help`)
    return argv;
  return [...argv.slice(1, 2), `--help`];
}

function verbOf([name = ``]: Array<string>): string | undefined {
  const verb = Object.hasOwn(ALIASES, name) ? ALIASES[name]! : name;
  return Object.hasOwn(VERBS, verb) || Object.hasOwn(INNER, verb) ? verb : undefined;
}

/** Why a command line is none. The parser's own words for an unknown verb are a list of everything. */
function explain(cli: Cli<Context>, input: Array<string>, error: Error) {
  const known = Object.keys(VERBS).join(` `);
  if (verbOf(input) === undefined)
    return safe(`${JSON.stringify(input[0] ?? ``)} is no verb of session-sync. There are: ${known}.\n\`session-sync <verb> --help\` is the manual.`, {multiline: true});
  return safe(cli.error(error, {colored: false}), {multiline: true}).trimEnd();
}
