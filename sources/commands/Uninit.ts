import {Command, Option}              from 'clipanion';
import {rm}                           from 'node:fs/promises';
import path                           from 'node:path';

import {agents}                       from '../agents/index.ts';
import {stableJson}                   from '../interchange/index.ts';
import {CONFIG_PATH, DEFAULT_CONFIG}  from '../sync/config.ts';
import {isGone, readIfThere, removeIfThere} from '../system/files.ts';
import {stateFolder}                  from '../system/journal.ts';

import {BaseCommand}                  from './Base.ts';
import {shownPath, writeSettings}     from './Init.ts';
import {endSharing}                   from './support/sharing.ts';

export class UninitCommand extends BaseCommand {
  static override paths = [[`uninit`]];

  static override usage = Command.Usage({
    category: `Setting up`,
    description: `take the hooks out and stop keeping sessions`,
    details: `
      Removes our hooks from the shared and the local settings of this project; everything else in these files stays.
      Sessions that are stored in git and mirrors in other agents stay, too: \`session-sync clean\` removes the former.
      Hooks in your own settings for all projects stay, and do nothing here any more; \`--everywhere\` removes those, too.
      Our part comes out of git's hooks, which are then what they were, and \`session-sync.*\` out of this clone's git
      configuration, with the remote that \`init --remote\` made.
      Outside of repositories there is one folder of ours, \`~/.local/state/session-sync\` (below \`XDG_STATE_HOME\` where that
      is set): copies of sessions of agents that keep no file which only grows, of all your projects, for your eyes only. It
      stays, since other projects need it; when none is kept any more it may be deleted.
      A \`${CONFIG_PATH}\` that was changed is left alone, and said.
    `,
    examples: [[`Stop here`, `$0 uninit`], [`See what would change`, `$0 uninit --dry-run`]],
  });

  everywhere = Option.Boolean(`--everywhere`, false, {description: `Also remove hooks that serve all your projects`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be written, and write nothing`});

  async run() {
    const project = await this.project();
    const changed: Array<string> = [];
    let leftAlone = false;
    const kept: Array<string> = [];
    for (const agent of agents) {
      for (const local of agent.hooks === undefined ? [] : agent.hooks.scope === `user` ? [false] : [false, true]) {
        const file = agent.hooks!.settingsPath(this.context.machine, project.root, {local});
        const text = await readIfThere(file);
        if (text === null)
          continue;
        try {
          const after = agent.hooks!.remove(text);
          if (after === null)
            continue;
          if (agent.hooks!.scope === `user` && !this.everywhere) {
            kept.push(file);
            continue;
          }
          changed.push(shownPath(project, file));
          if (!this.dryRun)
            await (after.text === null ? removeIfThere(file) : writeSettings(file, after.text, agent.hooks!.scope));
        } catch (error) {
          leftAlone = true;
          this.warn(`${shownPath(project, file)} was left as it is: ${(error as Error).message}`);
        }
      }
    }

    const config = await readIfThere(path.join(project.root, CONFIG_PATH));
    if (config === stableJson(DEFAULT_CONFIG)) {
      changed.push(CONFIG_PATH);
      if (!this.dryRun)
        await removeIfThere(path.join(project.root, CONFIG_PATH));
    } else if (config !== null) {
      this.say(`${CONFIG_PATH} has settings of yours and stays.`);
    }

    const sharing = await endSharing(project, {dryRun: this.dryRun});
    for (const {file, problem} of sharing.hooks) {
      leftAlone ||= problem !== undefined;
      if (problem === undefined)
        changed.push(shownPath(project, file));
      else
        this.warn(problem);
    }
    if (sharing.settings || sharing.remote)
      changed.push(`this clone's git configuration`);

    if (!this.dryRun) {
      await rm(project.paths.spool, {recursive: true, force: true});
      await this.exclusively(project, async () => undefined);
    }
    for (const file of changed)
      this.say(`${this.dryRun ? `Would take our part out of` : `Took our part out of`} ${file}`);
    for (const file of kept)
      this.say(`${file} serves all your projects and stays; in this one its hooks do nothing any more. \`uninit --everywhere\` takes our part out.`);
    this.say(`${this.dryRun ? `Sessions would not be kept any more` : `Sessions of this repository are not kept any more`}. What is stored in git stays.`);
    const copies = stateFolder(this.context.machine);
    if (!await isGone(copies))
      this.say(`${copies} has copies of sessions of all your projects and stays. When none of them is kept any more it may be deleted.`);
    return this.done({dryRun: this.dryRun, changed, kept}, leftAlone ? 2 : 0);
  }
}
