import {Builtins, Cli}        from 'clipanion';
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
import type {Context}         from './commands/Base.ts';
import {machineOf}            from './system/machine.ts';
import {version}              from './version.ts';

export function makeCli() {
  const cli = new Cli<Context>({
    binaryLabel: `session-sync`,
    binaryName: `session-sync`,
    binaryVersion: version,
  });
  cli.register(Builtins.HelpCommand);
  cli.register(Builtins.VersionCommand);
  for (const command of [
    InitCommand, UninitCommand, StatusCommand, ListCommand, ShowCommand, SyncCommand, PushCommand, PullCommand,
    RestoreCommand, PauseCommand, ResumeCommand, CleanCommand, DoctorCommand,
  ])
    cli.register(command);
  return cli;
}

export async function run(argv: Array<string>): Promise<number> {
  return await makeCli().run(argv, {
    cwd: process.cwd(),
    machine: machineOf(process.env),
    now: () => new Date(),
  });
}
