import {Command, Option}             from 'clipanion';

import {defaultRemote, push}         from '../store/index.ts';
import type {SessionStore}           from '../store/index.ts';
import type {Project}                from '../sync/project.ts';
import {progress}                    from '../terminal/progress.ts';
import {safe}                        from '../terminal/safe.ts';

import {BaseCommand}                 from './Base.ts';
import {earlierLegs}                 from './support/legs.ts';
import {chooseSession, knownSessions} from './support/overview.ts';

export class PushCommand extends BaseCommand {
  static override paths = [[`push`]];

  static override usage = Command.Usage({
    category: `Sharing`,
    description: `send this clone's sessions to a remote`,
    details: `
      Pushes the session refs that this clone has written, each on its own: one that the remote refuses does not keep the
      others. Never forces. A ref whose counterpart moved meanwhile is fetched, united and tried again. Without a remote it
      is the one that git would push to. The same with plain git: \`git push origin 'refs/session-sync/*'\` (with the
      quotes).

      What was archived or pruned on the remote is not sent again as long as it does not grow.

      With \`--session\` only that one (id or unique beginning; may be repeated), and what it goes on from, as far as this
      clone has written that: without it it has no begin.
    `,
    examples: [[`All sessions to origin`, `$0 push`], [`One session to another remote`, `$0 push backup --session 5e551000`]],
  });

  sessions = Option.Array(`--session`, {description: `Only this session`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be pushed, and push nothing`});
  remote = Option.String({required: false});

  async run() {
    const project = await this.project();
    const {env} = this.context.machine;
    const store = await this.store(project);
    const remote = await defaultRemote(project.repository, env, this.remote, {shared: project.config.remote});
    const only = this.sessions === undefined ? undefined : await this.chosen(project, store, remote, this.sessions);

    const bar = await progress(this.context);
    bar.update(`pushing to ${safe(remote)}`);
    const {pushed, upToDate, rejected, withheld, renewed} = await push(store, {
      remote, dryRun: this.dryRun, ...only ?? {},
      exclusively: async work => await this.exclusively(project, work),
    }).finally(() => bar.clear());
    if (renewed !== undefined)
      this.warn(`Another copy of this clone has pushed sessions under the same writer id. This clone is ${safe(renewed.to)} from now on; what it had stored and the other had not is kept under that, united with the other's.`);
    for (const {ref, message} of renewed?.problems ?? [])
      this.warn(`${safe(ref)} could not be taken along: ${message}`);
    for (const {ref, reason} of rejected)
      this.warn(`${safe(ref)} was refused: ${reason}`);
    const along = new Set(pushed.flatMap(({session}) => session !== undefined && only?.along.includes(session) === true ? [session] : []));
    this.say(`${this.dryRun ? `Would push` : `Pushed`} ${pushed.length} ${pushed.length === 1 ? `ref` : `refs`} to ${safe(remote)}${along.size > 0 ? `, ${along.size} of them what ${only!.sessions.length === 1 ? `it goes` : `these go`} on from` : ``}; ${upToDate.length} were there already${rejected.length > 0 ? `; ${rejected.length} were refused` : ``}.`);
    if (withheld.length > 0)
      this.say(`${withheld.length} were archived or removed there and are not sent again, unless they grow or are named with --session.`);
    return this.done({remote, dryRun: this.dryRun, pushed, upToDate, rejected, withheld, ...renewed ? {renewed} : {}}, rejected.length + (renewed?.problems.length ?? 0) > 0 ? 2 : 0);
  }

  private async chosen(project: Project, store: SessionStore, remote: string, given: Array<string>) {
    const {sessions} = await knownSessions(project, store);
    const chosen = given.map(one => chooseSession(sessions, one));
    const ids = chosen.map(({session}) => session);
    const along = [...new Set(chosen.flatMap(session => earlierLegs(sessions, session)))].filter(id => !ids.includes(id));
    for (const id of along) {
      const known = sessions.find(one => one.session === id);
      if (known === undefined || (known.where === `remote` && known.remote !== remote))
        this.warn(`Session ${id.slice(0, 8)}, which ${ids.length === 1 ? `it goes` : `one of them goes`} on from, is ${known === undefined ? `not known here` : `another clone's`}, and not sent.`);
    }
    return {sessions: ids, along};
  }
}
