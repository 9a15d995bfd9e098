import {Command, Option}             from 'clipanion';

import {isSafeId}                    from '../interchange/index.ts';
import {defaultRemote, pull}         from '../store/index.ts';
import {progress}                    from '../terminal/progress.ts';
import {safe}                        from '../terminal/safe.ts';

import {BaseCommand, CommandError}   from './Base.ts';
import {knownSessions}               from './support/overview.ts';

export class PullCommand extends BaseCommand {
  static override paths = [[`pull`]];

  static override usage = Command.Usage({
    category: `Sharing`,
    description: `fetch the sessions that a remote has`,
    details: `
      Fetches into \`refs/session-sync-remotes/<remote>/*\`, which are never pushed and where nothing of yours can be
      overwritten. Nothing is written into an agent's store: that is \`session-sync restore\`.

      A session that several machines have gone on with is united: this clone's ref of it takes in what the others have
      stored, each under its own name, in a commit with two parents. Nothing of yours changes by that, there are no
      conflicts, and everybody who unites the same comes to the same. The next push shares it.

      The same with plain git, for a clone that has none of its own: \`git fetch origin 'refs/session-sync/*:refs/session-sync/*'\`.

      With \`--session\` (a whole id, as \`list --remote\` shows it) only that one is transferred.
    `,
    examples: [[`All sessions`, `$0 pull`], [`One session`, `$0 pull --session 5e551000-0000-4000-8000-000000000001`]],
  });

  session = Option.String(`--session`, {description: `Only this session`});
  remote = Option.String({required: false});

  async run() {
    const project = await this.project();
    const {env} = this.context.machine;
    if (this.session !== undefined && !isSafeId(this.session))
      throw new CommandError(`BAD_SESSION_ID`, `${safe(this.session)} is no session id.`);
    const remote = await defaultRemote(project.repository, env, this.remote ?? project.config.remote);
    const store = await this.store(project);

    const bar = await progress(this.context);
    bar.update(`fetching from ${safe(remote)}`);
    const {updated, united, problems: notUnited} = await pull(store, {remote, ...this.session ? {session: this.session} : {}}).finally(() => bar.clear());
    const {sessions, problems: notRead} = await knownSessions(project, store);
    const problems = [...notRead, ...notUnited.filter(({ref}) => !notRead.some(problem => problem.ref === ref))];
    for (const problem of problems)
      this.warn(`${safe(problem.ref)} was left out: ${problem.message}`);
    const remoteOnly = sessions.filter(({where}) => where === `remote`);
    this.say(`Fetched ${updated} ${updated === 1 ? `ref` : `refs`} from ${safe(remote)}.${united.length > 0 ? ` ${united.length} ${united.length === 1 ? `session of this clone was` : `sessions of this clone were`} united with what others have of ${united.length === 1 ? `it` : `them`}.` : ``} ${remoteOnly.length === 0 ? `No session is from elsewhere.` : `${remoteOnly.length} ${remoteOnly.length === 1 ? `session is` : `sessions are`} from elsewhere:`}`);
    for (const {session, agent, title} of remoteOnly.slice(0, 20))
      this.say(`  session-sync restore ${session.slice(0, 8)}   ${safe(agent)}  ${safe(title ?? ``, {width: 60})}`);
    return this.done({remote, updated, united: united.map(({session}) => session), sessions: remoteOnly.map(({session, agent, title, updated}) => ({session, agent, title, updated})), problems});
  }
}
