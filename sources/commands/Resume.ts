import {Command}                      from 'clipanion';

import {isPaused, setPaused}          from '../sync/project.ts';

import {BaseCommand}                  from './Base.ts';
import {syncProject}                  from './support/syncProject.ts';

export class ResumeCommand extends BaseCommand {
  static override paths = [[`resume`]];

  static override usage = Command.Usage({
    category: `Keeping sessions`,
    description: `go on keeping sessions after \`pause\`, and catch up`,
    details: `
      Syncs what the agents wrote while session-sync was paused. To continue a session in an agent, use the command that
      \`session-sync status\` prints, or \`session-sync restore\` for one from another machine.
    `,
    examples: [[`Go on`, `$0 resume`]],
  });

  async run() {
    const project = await this.activeProject();
    const paused = await isPaused(project);
    await setPaused(project, false);
    this.say(paused ? `Going on.` : `It was not paused.`);
    const summary = await this.exclusively(project, async () => await syncProject(project, {say: line => this.say(line), warn: line => this.warn(line), context: this.context}));
    return this.done({paused: false, wasPaused: paused, ...summary}, summary.failed.length + summary.skipped.length > 0 ? 2 : 0);
  }
}
