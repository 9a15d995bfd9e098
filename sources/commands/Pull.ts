import {Command, Option}             from 'clipanion';

import {looksLikeId}                 from '../restore/choose.ts';
import {defaultRemote, pull, pullArchives, pullSession} from '../store/index.ts';
import type {PullOptions, PullResult, SessionPull, SessionStore} from '../store/index.ts';
import {progress}                    from '../terminal/progress.ts';
import {safe}                        from '../terminal/safe.ts';

import {BaseCommand, CommandError}   from './Base.ts';
import {knownSessions}               from './support/overview.ts';
import {wholeIds}                    from './support/remoteIds.ts';
import {shortIds}                    from './support/shortIds.ts';

const WHOLE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

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

      With \`--session\` only that one is transferred, and what it goes on from: an id or unique beginning, as \`list --remote\`
      shows it. It is looked for in archives as well. All sessions that lie in archives come with \`--archived\` only.
    `,
    examples: [[`All sessions`, `$0 pull`], [`One session`, `$0 pull --session 5e551000`]],
  });

  session = Option.String(`--session`, {description: `Only this session`});
  archived = Option.Boolean(`--archived`, false, {description: `Also what lies in archives`});
  remote = Option.String({required: false});

  async run() {
    const project = await this.project();
    const {env} = this.context.machine;
    const remote = await defaultRemote(project.repository, env, this.remote, {shared: project.config.remote});
    const store = await this.store(project);

    const bar = await progress(this.context);
    bar.update(`fetching from ${safe(remote)}`);
    const {updated, united, problems: notUnited, archives = [], missing = []} = await this.fetch(store, {remote, exclusively: async work => await this.exclusively(project, work)}).finally(() => bar.clear());
    for (const archive of archives)
      this.warn(`${safe(remote)} gives no single session out of ${safe(archive)}: all of it was transferred.`);
    for (const session of missing)
      this.warn(`${safe(remote)} has no session ${session}, which this one goes on from.`);
    const {sessions, problems: notRead} = await knownSessions(project, store);
    const problems = [...notRead, ...notUnited.filter(({ref}) => !notRead.some(problem => problem.ref === ref))];
    for (const problem of problems)
      this.warn(`${safe(problem.ref)} was left out: ${problem.message}`);
    const remoteOnly = sessions.filter(({where}) => where === `remote`);
    this.say(`Fetched ${updated} ${updated === 1 ? `ref` : `refs`} from ${safe(remote)}.${united.length > 0 ? ` ${united.length} ${united.length === 1 ? `session of this clone was` : `sessions of this clone were`} united with what others have of ${united.length === 1 ? `it` : `them`}.` : ``} ${remoteOnly.length === 0 ? `No session is from elsewhere.` : `${remoteOnly.length} ${remoteOnly.length === 1 ? `session is` : `sessions are`} from elsewhere:`}`);
    const ids = shortIds(sessions.map(({session}) => session));
    for (const {session, agent, title} of remoteOnly.slice(0, 20))
      this.say(`  session-sync restore ${ids.get(session)!}   ${safe(agent)}  ${safe(title ?? ``, {width: 60})}`);
    return this.done({remote, updated, united: united.map(({session}) => session), archives, missing, sessions: remoteOnly.map(({session, agent, title, updated}) => ({session, agent, title, updated})), problems});
  }

  private async fetch(store: SessionStore, options: PullOptions & {remote: string}): Promise<PullResult & Partial<SessionPull>> {
    if (this.session === undefined) {
      const result = await pull(store, options);
      return {...result, updated: result.updated + (this.archived ? await pullArchives(store, options) : 0)};
    }

    if (!looksLikeId(this.session))
      throw new CommandError(`BAD_SESSION_ID`, `${safe(this.session)} is no session id, nor the beginning of one.`);
    // A whole id needs no look at what else there is.
    if (WHOLE.test(this.session))
      return await pullSession(store, this.session.toLowerCase(), options);

    const [session] = await wholeIds(store, options.remote, [this.session], {archived: true});
    return await pullSession(store, session!, options);
  }
}
