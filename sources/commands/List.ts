import {Command, Option}                from 'clipanion';

import {defaultRemote, remoteSessions}  from '../store/index.ts';
import {age}                            from '../terminal/age.ts';
import {safe}                           from '../terminal/safe.ts';
import {table}                          from '../terminal/table.ts';

import {BaseCommand}                    from './Base.ts';
import {knownSessions}                  from './support/overview.ts';
import {asTree}                         from './support/tree.ts';

export class ListCommand extends BaseCommand {
  static override paths = [[`list`], [`ls`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `all sessions of this repository that are known here`,
    details: `
      Sessions of this machine and those that were pulled, newest first: id, age, agent, branch, records, where they are,
      title. \`--remote\` asks the remote which sessions it has, without fetching their transcripts.

      \`--tree\` puts a session that an agent went on with under the one it comes from: which agent did which leg.

      \`--json\` prints one envelope whose \`data.sessions\` is the list.
    `,
    examples: [[`All sessions`, `$0 list`], [`What the remote has`, `$0 list --remote`], [`Who went on with what`, `$0 list --tree`], [`For a script`, `$0 list --json`]],
  });

  remote = Option.Boolean(`--remote`, false, {description: `List what the remote has`});

  tree = Option.Boolean(`--tree`, false, {description: `Draw which session goes on from which`});

  async run() {
    const project = await this.project();
    if (this.remote)
      return await this.listRemote();

    const {sessions, problems} = await knownSessions(project, await this.store(project));
    const now = this.context.now().getTime();
    if (sessions.length === 0)
      this.say(`No session is known here. \`session-sync sync\` catches up with older ones, \`session-sync pull\` fetches those of others.`);
    else
      this.say(table((this.tree ? asTree(sessions) : sessions.map(session => ({session, prefix: ``}))).map(({prefix, session: {session, updated, agent, branch, records, where, remote, title}}) => [
        `${prefix}${session.slice(0, 8)}`, updated ? age(updated, now) : ``, agent, safe(branch ?? ``, {width: 24}), String(records),
        where === `remote` || where === `pushed` ? `${where === `remote` ? `on` : `pushed to`} ${safe(remote ?? ``, {width: 20})}` : where,
        safe(title ?? ``, {width: 60}),
      ]), {columns: [`session`, `age`, `agent`, `branch`, `records`, `where`, `title`]}));
    for (const problem of problems)
      this.warn(`${problem.ref} was left out: ${problem.message}`);
    return this.done({sessions: sessions.map(({checkpoint: _, stored, ...rest}) => ({...rest, author: stored?.newest.header.author, machine: stored?.newest.header.machine})), problems});
  }

  private async listRemote() {
    const project = await this.project();
    const remote = await defaultRemote(project.repository, this.context.machine.env, project.config.remote);
    const {sessions, problems} = await remoteSessions(project.repository, this.context.machine.env, remote);
    const now = this.context.now().getTime();
    if (sessions.length === 0)
      this.say(`${safe(remote)} has no session that it lists.`);
    else
      this.say(table(sessions.map(header => [
        header.session.slice(0, 8), header.updated ? age(header.updated, now) : ``, safe(header.agent.id, {width: 20}), safe(header.branch ?? ``, {width: 24}),
        String(header.streams[`rec/main`]?.records ?? 0), safe(header.author?.name ?? ``, {width: 24}), safe(header.title ?? ``, {width: 60}),
      ]), {columns: [`session`, `age`, `agent`, `branch`, `records`, `author`, `title`]}));
    for (const problem of problems)
      this.warn(`${problem.ref} was left out: ${problem.message}`);
    return this.done({remote, sessions, problems});
  }
}
