import {Command, Option}                from 'clipanion';

import {recordCount}                    from '../restore/history.ts';
import {defaultRemote, remoteSessions}  from '../store/index.ts';
import type {StoreProblem}              from '../store/index.ts';
import {pullAfterFetch}                 from '../sync/autoShare.ts';
import {age}                            from '../terminal/age.ts';
import {safe}                           from '../terminal/safe.ts';
import {size}                           from '../terminal/size.ts';
import {table}                          from '../terminal/table.ts';

import {BaseCommand, CommandError}      from './Base.ts';
import {filtered}                       from './support/filters.ts';
import {knownSessions}                  from './support/overview.ts';
import {shortIds}                       from './support/shortIds.ts';
import {asTree, describeRecords, fromElsewhere, legsOf} from './support/tree.ts';

/** Problems that a person reads; with `--json` all of them are there. */
const SHOWN_PROBLEMS = 10;

export class ListCommand extends BaseCommand {
  static override paths = [[`list`], [`ls`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `all sessions of this repository that are known here`,
    details: `
      Sessions of this machine and those that were pulled, newest first: id, age, agent, branch, records, where they are,
      title. \`--remote\` asks the remote which sessions it has, without fetching their transcripts, and shows author and
      size; with \`--archived\` those that were moved into its archives. \`pull --session\` fetches one.

      \`--author\` and \`--title\` take a part of a name, address or title, \`--branch\` and \`--agent\` the whole name, \`--since\`
      a day or an age (\`2026-10-01\`, \`30d\`). Ids are as long as they must be to mean one session.

      \`--tree\` puts a session that an agent went on with under the one it comes from: which agent did which leg, on whose
      machine, at which commit; its records are those it took over and its own (\`39 + 8\`). Two people who went on with the same session stand side by side below it (\`~name\`).

      \`--json\` prints one envelope whose \`data.sessions\` is the list.
    `,
    examples: [[`All sessions`, `$0 list`], [`What the remote has`, `$0 list --remote`], [`What Bob did about the cart in the last month`, `$0 list --remote --author bob --since 30d --title cart`], [`Who went on with what`, `$0 list --tree`], [`For a script`, `$0 list --json`]],
  });

  remote = Option.Boolean(`--remote`, false, {description: `List what the remote has`});

  tree = Option.Boolean(`--tree`, false, {description: `Draw which session goes on from which`});

  archived = Option.Boolean(`--archived`, false, {description: `With --remote: list what lies in its archives`});
  author = Option.String(`--author`, {description: `Only of this author (part of the name or address)`});
  branch = Option.String(`--branch`, {description: `Only of this branch`});
  agent = Option.String(`--agent`, {description: `Only of this agent`});
  since = Option.String(`--since`, {description: `Only what is newer than a day or an age`});
  titled = Option.String(`--title`, {description: `Only titles with this text in them`});
  limit = Option.String(`--limit`, {description: `Not more than so many, the newest`});

  async run() {
    const project = await this.project();
    if (this.remote)
      return await this.listRemote();
    if (this.archived)
      throw new CommandError(`BAD_USAGE`, `Archives are on a remote: list --remote --archived.`);

    await pullAfterFetch(project, this.context.now);
    const {sessions: all, problems} = await knownSessions(project, await this.store(project));
    const now = this.context.now().getTime();
    const sessions = filtered(all, this.filters, now, session => ({...session, author: session.stored?.newest.header.author}));
    const ids = shortIds(all.map(({session}) => session));
    const known = new Set(ids.keys());
    if (all.length === 0)
      this.say(`No session is known here. \`session-sync sync\` catches up with older ones, \`session-sync pull\` fetches those of others.`);
    else if (this.tree)
      this.say(table(asTree(legsOf(sessions)).map(({prefix, session: leg}) => [
        `${prefix}${ids.get(leg.session) ?? leg.label}`, leg.updated ? age(leg.updated, now) : ``, leg.agent, safe(leg.author ?? ``, {width: 24}), safe(leg.machine ?? ``, {width: 24}),
        `${safe(leg.branch ?? ``, {width: 24})}${leg.commit ? ` @ ${leg.commit.slice(0, 7)}` : ``}`, describeRecords(leg), `${fromElsewhere(leg, known)}${safe(leg.title ?? ``, {width: 60})}`,
      ]), {columns: [`session`, `age`, `agent`, `by`, `machine`, `branch`, `records`, `title`]}));
    else
      this.say(table(sessions.map(({session, updated, agent, branch, records, where, remote, title, forks}) => [
        ids.get(session)!, updated ? age(updated, now) : ``, agent, safe(branch ?? ``, {width: 24}), String(records),
        where === `remote` || where === `pushed` ? `${where === `remote` ? `on` : `pushed to`} ${safe(remote ?? ``, {width: 20})}` : where,
        `${forks === undefined ? `` : `(${forks.length} forks) `}${safe(title ?? ``, {width: 60})}`,
      ]), {columns: [`session`, `age`, `agent`, `branch`, `records`, `where`, `title`]}));
    this.warnOf(problems);
    return this.done({sessions: sessions.map(({checkpoint: _, stored, forks, ...rest}) => ({
      ...rest, author: stored?.newest.header.author, machine: stored?.newest.header.machine,
      ...forks !== undefined ? {forks: forks.map(({name, since, writers, state: {header}}) => ({name, since, writers, records: recordCount(header), author: header.author, machine: header.machine, updated: header.updated}))} : {},
    })), problems});
  }

  private async listRemote() {
    const project = await this.project();
    const remote = await defaultRemote(project.repository, this.context.machine.env, undefined, {shared: project.config.remote});
    const {sessions: all, problems, archives} = await remoteSessions(project.repository, this.context.machine.env, remote, {archived: this.archived});
    const now = this.context.now().getTime();
    const sessions = filtered(all, this.filters, now, header => ({...header, agent: header.agent.id})).map(header => ({...header, bytes: bytesOf(header)}));
    const ids = shortIds(all.map(({session}) => session));
    if (all.length === 0)
      this.say(`${safe(remote)} has no session that it lists${this.archived ? ` in an archive` : ``}.`);
    else
      this.say(table(sessions.map(header => [
        ids.get(header.session)!, header.updated ? age(header.updated, now) : ``, safe(header.agent.id, {width: 20}), safe(header.author?.name ?? ``, {width: 24}),
        safe(header.branch ?? ``, {width: 24}), size(header.bytes), String(recordCount(header)), safe(header.title ?? ``, {width: 60}),
      ]), {columns: [`session`, `age`, `agent`, `author`, `branch`, `size`, `records`, `title`]}));
    if (archives > 0 && !this.archived)
      this.say(`Older ones may lie in archives: session-sync list --remote --archived`);
    this.warnOf(problems);
    return this.done({remote, sessions, problems});
  }

  private get filters() {
    const {author, branch, agent, since, titled: title, limit} = this;
    return {author, branch, agent, since, title, limit};
  }

  private warnOf(problems: Array<StoreProblem>) {
    for (const problem of problems.slice(0, SHOWN_PROBLEMS))
      this.warn(`${problem.ref} was left out: ${problem.message}`);
    if (problems.length > SHOWN_PROBLEMS)
      this.warn(`${problems.length - SHOWN_PROBLEMS} more were left out, for reasons such as these; --json names them all.`);
  }
}

/** All that is stored of a session, before git packs it. */
function bytesOf({streams}: {streams: {[name: string]: {bytes: number}}}) {
  return Object.values(streams).reduce((sum, {bytes}) => sum + bytes, 0);
}
