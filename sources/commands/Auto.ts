import {Option}                      from 'clipanion';
import path                          from 'node:path';
import * as t                        from 'typanion';

import {autoShare}                   from '../sync/autoShare.ts';
import {Log}                         from '../sync/log.ts';
import {openProject, statePaths}     from '../sync/project.ts';
import type {Project}                from '../sync/project.ts';

import {BaseCommand, CommandError}   from './Base.ts';

const STALL_MS = 120_000;

/** What git's hooks start (`sync/git-hook.sh`), detached: nobody reads what it prints. No verb for people, so that the manual has none. */
export class AutoCommand extends BaseCommand {
  static override paths = [[`auto`]];

  after = Option.String(`--after`, {validator: t.cascade(t.isNumber(), [t.isInteger(), t.isPositive()])});
  commonDir = Option.String();
  kind = Option.String({validator: t.isEnum([`push`, `pull`] as const)});
  pushedTo = Option.Rest();

  async run() {
    if (!path.isAbsolute(this.commonDir))
      throw new CommandError(`BAD_USAGE`, `The git directory is given by its whole path.`);
    const {machine, now} = this.context;
    const stallMs = Number(machine.env.SESSION_SYNC_STALL_MS ?? STALL_MS);
    const [name, url] = this.pushedTo;
    try {
      await autoShare(await this.projectOf(), this.kind, {
        now, stallMs: Number.isFinite(stallMs) ? stallMs : STALL_MS,
        ...this.after === undefined ? {} : {after: this.after},
        ...name === undefined || url === undefined ? {} : {pushedTo: {name, url}},
      });
    } catch (error) {
      await new Log(statePaths(this.commonDir).log, now).write(`automatic ${this.kind}: ${(error as Error).message}`);
    }
    return this.done({kind: this.kind});
  }

  /** The repository of the hook. Git can be told to use another one than that of the folder it runs in. */
  private async projectOf(): Promise<Project> {
    const found = await openProject(this.context.cwd, this.context.machine).catch(() => null);
    if (found?.repository.commonDir === this.commonDir)
      return found;
    return await openProject(path.basename(this.commonDir) === `.git` ? path.dirname(this.commonDir) : this.commonDir, this.context.machine);
  }
}
