import {Command}                      from 'clipanion';

import {setPaused}                    from '../sync/project.ts';

import {BaseCommand}                  from './Base.ts';

export class PauseCommand extends BaseCommand {
  static override paths = [[`pause`]];

  static override usage = Command.Usage({
    category: `Keeping sessions`,
    description: `stop keeping sessions for a while`,
    details: `
      Hooks stay registered and do nothing until \`session-sync resume\`. What happens in between is not lost: the
      transcripts are there, and \`resume\` catches up. Applies to this clone, with all its worktrees.
    `,
    examples: [[`Work on something that nobody needs to see yet`, `$0 pause`]],
  });

  async run() {
    const project = await this.activeProject();
    await setPaused(project, true);
    this.say(`Paused. Nothing is mirrored or stored until \`session-sync resume\`, which catches up.`);
    return this.done({paused: true});
  }
}
