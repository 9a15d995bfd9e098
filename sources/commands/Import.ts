import {Command, Option}              from 'clipanion';

import {agentById, agents}            from '../agents/index.ts';
import {safe}                         from '../terminal/safe.ts';

import {BaseCommand, CommandError}    from './Base.ts';
import {syncProject}                  from './support/syncProject.ts';

export class ImportCommand extends BaseCommand {
  static override paths = [[`import`]];

  static override usage = Command.Usage({
    category: `Keeping sessions`,
    description: `bring a session here that an agent keeps on its own servers`,
    details: `
      Asks the agent's own program for the session, with your login, and keeps it like any other of this project: in git,
      and mirrored into the agents on this machine. Agents that keep their sessions on this machine need none of this:
      \`session-sync sync\` finds them. Doing it again brings what was added since.
    `,
    examples: [[`A thread of Amp`, `$0 import --agent amp T-5e551000-0000-4000-8000-000000000001`]],
  });

  agent = Option.String(`--agent`, {required: true, description: `The agent that has it`});
  session = Option.String({name: `session`});

  async run() {
    const project = await this.activeProject();
    const source = agentById(this.agent)?.source;
    if (source?.fetch === undefined)
      throw new CommandError(`NOT_FETCHED`, `${safe(this.agent)} keeps no sessions elsewhere; this can be asked of: ${agents.filter(agent => agent.source?.fetch !== undefined).map(({id}) => id).join(`, `)}.`);

    const located = await source.fetch(this.context.machine, this.session, project.root);
    const summary = await this.exclusively(project, async () => await syncProject(project, {
      only: [located.session], say: line => this.say(line), warn: line => this.warn(line), context: this.context,
    }));
    if (summary.synced.length === 0 && summary.failed.length === 0)
      this.say(`Session ${located.session.slice(0, 8)} has nothing new.`);
    return this.done({session: located.session, ...summary}, summary.failed.length > 0 ? 2 : 0);
  }
}
