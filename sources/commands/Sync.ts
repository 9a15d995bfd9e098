import {Command, Option}              from 'clipanion';

import {BaseCommand}                  from './Base.ts';
import {syncProject}                  from './support/syncProject.ts';

export class SyncCommand extends BaseCommand {
  static override paths = [[`sync`]];

  static override usage = Command.Usage({
    category: `Keeping sessions`,
    description: `catch up from the agents' transcripts`,
    details: `
      Reads the transcripts of this project's sessions and brings mirrors and git store up to date: also for sessions
      that are older than \`init\`, and where hooks did not fire. Reads only what is new; running it twice changes nothing.

      With ids (or their unique beginnings), only those sessions. \`--force\` also looks at sessions that seem unchanged,
      and makes a mirror again that was deleted from the agent's store.
    `,
    examples: [
      [`All sessions of this project`, `$0 sync`],
      [`One session`, `$0 sync 5e551000`],
    ],
  });

  force = Option.Boolean(`--force`, false, {description: `Look at sessions that seem unchanged, too`});

  sessions = Option.Rest({name: `session`});

  async run() {
    const project = await this.activeProject();
    const summary = await this.exclusively(project, async () => await syncProject(project, {
      only: this.sessions, force: this.force, say: line => this.say(line), warn: line => this.warn(line), context: this.context,
    }));
    if (summary.synced.length === 0 && summary.failed.length === 0)
      this.say(summary.unchanged === 0 ? `No agent has a session of this project on this machine.` : `Everything is up to date (${summary.unchanged} sessions).`);
    return this.done(summary, summary.failed.length + summary.skipped.length > 0 ? 2 : 0);
  }
}
