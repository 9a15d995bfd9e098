import {Command, Option}                     from 'clipanion';

import {agentById}                           from '../agents/index.ts';
import {Keepsakes}                           from '../restore/keepsakes.ts';
import {removeRefs, updateIndex}             from '../store/index.ts';
import type {SessionStore}                   from '../store/index.ts';
import {inspectMirror}                       from '../sync/inspect.ts';
import type {Project}                        from '../sync/project.ts';
import {removeIfThere, sizeOf}               from '../system/files.ts';
import {isJournal}                           from '../system/journal.ts';
import {age}                                 from '../terminal/age.ts';
import {safe}                                from '../terminal/safe.ts';

import {BaseCommand, CommandError}           from './Base.ts';
import {parseBound}                          from './support/bound.ts';
import {knownSessions}                       from './support/overview.ts';
import type {KnownSession}                   from './support/overview.ts';

export class CleanCommand extends BaseCommand {
  static override paths = [[`clean`]];

  static override usage = Command.Usage({
    category: `Keeping sessions`,
    description: `remove old sessions from this clone's git`,
    details: `
      Removes the refs of sessions whose last record is older than the bound (\`30d\`, \`8w\`, \`6m\`, \`1y\`, \`12h\`); git
      frees the space at its next garbage collection. Only sessions that a remote is known to have in the same state
      (\`session-sync push\` and \`pull\` learn that); \`--force\` removes the others, too, but for those that a newer session
      goes on from. Each one is named.

      Transcripts of the agents are never touched. With \`--mirrors\` the mirrors in other agents go as well, but for those
      that the agent has opened or continued, and those that only the agent itself can delete, which are named. A session
      comes back when its transcript grows.

      What \`rewind\` kept before the bound goes as well; where that was not taken back, only with \`--force\`.
    `,
    examples: [[`See what is older than a month`, `$0 clean --older-than 30d --dry-run`], [`Remove it`, `$0 clean --older-than 30d`]],
  });

  olderThan = Option.String(`--older-than`, {description: `Bound: a number and h, d, w, m (30 days) or y`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be removed, and remove nothing`});
  force = Option.Boolean(`--force`, false, {description: `Also sessions that no remote is known to have, and what was rewound and not taken back`});
  mirrors = Option.Boolean(`--mirrors`, false, {description: `Also the mirrors in other agents`});

  async run() {
    const before = this.context.now().getTime() - this.bound();
    const project = await this.project();
    const store = await this.store(project);
    const {sessions} = await knownSessions(project, store);
    const old = sessions.filter(({updated, where}) => where !== `remote` && updated !== undefined && Date.parse(updated) < before);
    const needed = beginningsOf(sessions, sessions.filter(session => !old.includes(session)));
    const removed: Array<string> = [];
    const kept: Array<string> = [];
    let rewinds: Array<number> = [];
    await this.exclusively(project, async () => {
      for (const session of old) {
        if (session.where !== `pushed` && !this.force) {
          kept.push(session.session);
          this.warn(`${this.name(session)}: kept, no remote is known to have it (push it, or --force)`);
          continue;
        }
        if (session.where !== `pushed` && needed.has(session.session)) {
          kept.push(session.session);
          this.warn(`${this.name(session)}: kept, a newer session goes on from it and nobody else is known to have it`);
          continue;
        }
        removed.push(session.session);
        this.say(`${this.name(session)}: ${this.dryRun ? `would be removed` : `removed`}`);
        if (!this.dryRun)
          await this.remove(project, store, session);
      }
      // A remote still has what was pushed, and its line in the index stays; nobody has the others any more.
      const gone = old.filter(({session, where}) => where !== `pushed` && removed.includes(session)).map(({session}) => session);
      if (!this.dryRun && gone.length > 0)
        await updateIndex(store, session => !gone.includes(session));
      rewinds = await this.removeRewinds(project, before);
    });
    this.say(`${removed.length} ${this.dryRun ? `would be removed` : `removed`}, ${kept.length} kept.`);
    return this.done({dryRun: this.dryRun, removed, kept, rewinds}, kept.length > 0 ? 2 : 0);
  }

  private bound() {
    if (this.olderThan === undefined)
      throw new CommandError(`NO_BOUND`, `Nothing is removed without a bound: --older-than 30d.`);
    return parseBound(this.olderThan);
  }

  /** Files as they were before a rewind. What a person may still want to go forward to stays. */
  private async removeRewinds(project: Project, before: number): Promise<Array<number>> {
    const keepsakes = new Keepsakes(project);
    const removed: Array<number> = [];
    for (const {number, kind, undone, files} of await keepsakes.list()) {
      const time = await keepsakes.time(number);
      if (time.getTime() >= before)
        continue;
      const goes = this.force || kind === `forward` || undone;
      this.say(`What was kept before ${kind === `rewind` ? `rewind` : `going forward`} ${number} (${files.length} ${files.length === 1 ? `file` : `files`}, ${age(time.toISOString(), this.context.now().getTime())}): ${!goes ? `kept, it was not taken back (--force)` : this.dryRun ? `would be removed` : `removed`}`);
      if (goes)
        removed.push(number);
      if (goes && !this.dryRun)
        await keepsakes.remove(number);
    }
    return removed;
  }

  private name({session, title, updated}: KnownSession) {
    return `${session.slice(0, 8)} ${safe(title ?? ``, {width: 50})} (${age(updated!, this.context.now().getTime())})`;
  }

  private async remove(project: Project, store: SessionStore, session: KnownSession) {
    const own = session.stored === undefined ? [] : [session.stored.newest, ...session.stored.copies, ...session.stored.others].filter(({remote, via}) => remote === undefined && via === undefined);
    await removeRefs(store, own);
    const {checkpoint} = session;
    if (checkpoint === undefined)
      return;
    if (this.mirrors)
      for (const mirror of checkpoint.mirrors)
        await this.removeMirror(mirror).catch((error: Error) => this.sayItStays(mirror, error.message));
    const size = await sizeOf(checkpoint.path);
    if (size < 0)
      await project.checkpoints.remove(checkpoint.session);
    else
      await project.checkpoints.write({...checkpoint, files: [], mirrors: this.mirrors ? [] : checkpoint.mirrors, cleanedAt: size});
  }

  private async removeMirror(mirror: NonNullable<KnownSession[`checkpoint`]>[`mirrors`][number]) {
    const target = agentById(mirror.agent)?.target;
    if (target === undefined || mirror.size === 0)
      return;
    const {machine} = this.context;
    const reason = await inspectMirror(target, mirror) !== `same` ? `it is not as we left it`
      : target.withdraw !== undefined ? await target.withdraw(machine, mirror)
      // Without the copy of ours nobody would know that the session is a mirror.
      : isJournal(machine, mirror.path) ? `delete ${mirror.id} there` : await removeIfThere(mirror.path);
    if (reason !== undefined)
      this.sayItStays(mirror, reason);
  }

  private sayItStays({agent}: {agent: string}, reason: string) {
    this.warn(`  the mirror in ${agent} stays: ${safe(reason)}`);
  }
}

/** Ids of all sessions without which one of `staying` would lose its beginning. */
function beginningsOf(sessions: Array<KnownSession>, staying: Array<KnownSession>): Set<string> {
  const byId = new Map(sessions.map(session => [session.session, session]));
  const needed = new Set<string>();
  for (const session of staying)
    for (let lineage = session.lineage; lineage?.source !== undefined && !needed.has(lineage.parent); lineage = byId.get(lineage.parent)?.lineage)
      needed.add(lineage.parent);
  return needed;
}
