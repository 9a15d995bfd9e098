import {Builtins, Cli, Command} from 'clipanion';
import process                from 'node:process';

import {CleanCommand}         from './commands/Clean.ts';
import {DoctorCommand}        from './commands/Doctor.ts';
import {InitCommand}          from './commands/Init.ts';
import {ListCommand}          from './commands/List.ts';
import {PauseCommand}         from './commands/Pause.ts';
import {PullCommand}          from './commands/Pull.ts';
import {PushCommand}          from './commands/Push.ts';
import {RestoreCommand}       from './commands/Restore.ts';
import {ResumeCommand}        from './commands/Resume.ts';
import {ShowCommand}          from './commands/Show.ts';
import {StatusCommand}        from './commands/Status.ts';
import {SyncCommand}          from './commands/Sync.ts';
import {UninitCommand}        from './commands/Uninit.ts';
import {envelope}             from './commands/Base.ts';
import type {Context}         from './commands/Base.ts';
import {machineOf}            from './system/machine.ts';
import {safe}                 from './terminal/safe.ts';
import {version}              from './version.ts';

const COMMANDS = [
  InitCommand, UninitCommand, StatusCommand, ListCommand, ShowCommand, SyncCommand, PushCommand, PullCommand,
  RestoreCommand, PauseCommand, ResumeCommand, CleanCommand, DoctorCommand,
];

export function makeCli() {
  const cli = new Cli<Context>({
    binaryLabel: `session-sync`,
    binaryName: `session-sync`,
    binaryVersion: version,
  });
  cli.register(Builtins.HelpCommand);
  cli.register(Builtins.VersionCommand);
  for (const command of COMMANDS)
    cli.register(command);
  return cli;
}

export async function run(argv: Array<string>): Promise<number> {
  const context: Context = {
    ...Cli.defaultContext,
    cwd: process.cwd(),
    machine: machineOf(process.env),
    now: () => new Date(),
  };
  const cli = makeCli();
  const input = asAsked(argv);
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

function verbOf([verb]: Array<string>) {
  return COMMANDS.flatMap(({paths}) => paths).find(([name]) => name === verb)?.[0];
}

/** Why a command line is none. The parser's own words for an unknown verb are a list of everything. */
function explain(cli: Cli<Context>, input: Array<string>, error: Error) {
  const known = COMMANDS.map(({paths}) => paths[0]![0]).join(` `);
  if (verbOf(input) === undefined)
    return safe(`${JSON.stringify(input[0] ?? ``)} is no verb of session-sync. There are: ${known}.\n\`session-sync <verb> --help\` is the manual.`, {multiline: true});
  return safe(cli.error(error, {colored: false}), {multiline: true}).trimEnd();
}
