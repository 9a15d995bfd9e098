import {Command, Option}                   from 'clipanion';

import {agentById}                         from '../agents/index.ts';
import {recall}                            from '../sync/remembered.ts';
import type {Remembered}                   from '../sync/remembered.ts';
import {isActive, isPaused}                from '../sync/project.ts';
import {lastOutcome}                       from '../sync/autoShare.ts';
import {runningWorker}                     from '../sync/exclusive.ts';
import {ownSettings}                       from '../sync/gitHooks.ts';
import {sizeOf}                            from '../system/files.ts';
import {age}                               from '../terminal/age.ts';
import {safe}                              from '../terminal/safe.ts';

import {BaseCommand}                       from './Base.ts';
import {describeForks, describeMirror, knownSessions, leftAt} from './support/overview.ts';
import {describeSharing}                   from './support/sharing.ts';
import type {KnownSession}                 from './support/overview.ts';

const SHOWN = 10;

export class StatusCommand extends BaseCommand {
  static override paths = [[`status`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `what is kept, where it can be continued, and what was reduced`,
    details: `
      For each session of this machine, or restored on it: branch and commit it was recorded at, then a line an agent with the command that
      continues it there, how many records it has, and what could not be carried over in full or why a mirror stopped.
      Shows the ${SHOWN} newest sessions; \`--all\` shows all.
    `,
    examples: [[`Where do I go on?`, `$0 status`], [`For a script`, `$0 status --json`]],
  });

  all = Option.Boolean(`--all`, false, {description: `Show all sessions`});

  async run() {
    const project = await this.project();
    const active = await isActive(project);
    const paused = await isPaused(project);
    const store = await this.store(project);
    const {sessions, problems} = await knownSessions(project, store);
    const restored = new Map<string, Array<Remembered>>();
    for (const {session} of sessions)
      restored.set(session, await recall(project, session));
    const here = sessions.filter(session => session.checkpoint !== undefined || session.where !== `remote` || restored.get(session.session)!.length > 0);
    const shown = this.all ? here : here.slice(0, SHOWN);

    if (!active)
      this.warn(`session-sync is not set up in this clone: \`session-sync init\`.`);
    if (paused)
      this.warn(`Paused: nothing is kept until \`session-sync resume\`.`);
    for (const session of shown)
      await this.show(session, restored.get(session.session)!, project.root, sessions.filter(({lineage}) => lineage?.parent === session.session));
    if (here.length === 0)
      this.say(`No session is kept yet.`);
    if (here.length > shown.length)
      this.say(`… and ${here.length - shown.length} older ones (--all).`);

    const {snapshot = `off`} = project.config;
    if (snapshot !== `off`)
      this.say(`Uncommitted files are kept with sessions at the end of turns (${snapshot}).`);
    const redactions = total(here.map(session => session.checkpoint?.redactions ?? session.stored?.newest.header.redactions ?? {}));
    if (redactions > 0)
      this.say(`${redactions} ${redactions === 1 ? `secret was` : `secrets were`} kept out of git (\`session-sync doctor\` counts them by rule).`);
    const waiting = sessions.filter(session => session.where === `local`).length;
    const settings = await ownSettings(project);
    if (waiting > 0)
      this.say(`${waiting} of the sessions above ${waiting === 1 ? `is` : `are`} not known to be on a remote: ${settings.remote === null ? `git push origin 'refs/session-sync/*'` : `session-sync push`}`);
    const described = await describeSharing(project, settings, this.context.now().getTime());
    if (described !== null)
      this.say(described);
    for (const problem of problems)
      this.warn(`${safe(problem.ref)} was left out: ${problem.message}`);
    return this.done({
      active, paused, snapshot, worker: await runningWorker(project.paths), redactions,
      sessions: here.map(session => toJson(session, restored.get(session.session)!)),
      problems,
      sharing: {...settings, push: await lastOutcome(project.paths, `push`), pull: await lastOutcome(project.paths, `pull`)},
    });
  }

  private async show(session: KnownSession, restored: Array<Remembered>, root: string, children: Array<KnownSession>) {
    if (this.json)
      return;
    const place = session.branch || session.commit ? ` (${safe(session.branch ?? `detached`)}${session.commit ? ` @ ${session.commit.slice(0, 7)}` : ``}${session.dirty ? `, dirty` : ``})` : ``;
    const when = session.updated ? `, ${age(session.updated, this.context.now().getTime())}` : ``;
    this.say(`Session ${session.session.slice(0, 8)}${place} ${safe(session.title ?? ``, {width: 60})}${when}`.trimEnd());
    const {checkpoint, lineage} = session;
    if (lineage !== undefined)
      this.say(`  goes on from ${lineage.parent.slice(0, 8)} ${leftAt(lineage)}`);
    for (const {session: child, agent, updated} of children)
      this.say(`  goes on in ${safe(agent)} as ${child.slice(0, 8)}${updated ? `, ${age(updated, this.context.now().getTime())}` : ``}`);
    for (const line of describeForks(session))
      this.say(`  fork${line}`);
    const source = agentById(session.agent);
    const resume = source?.native?.resumeCommand ?? source?.target?.resumeCommand;
    if (checkpoint !== undefined && resume !== undefined) {
      const there = await sizeOf(checkpoint.path).catch(() => -1) >= 0 || restored.some(({path}) => path === checkpoint.path);
      this.say(`  ${session.agent} → ${there ? `${resume(checkpoint.nativeId)} (the source)` : `its transcript is gone; what was stored stays: session-sync restore ${session.session.slice(0, 8)}`}`);
    }
    for (const mirror of checkpoint?.mirrors ?? [])
      this.say(`  ${await describeMirror(mirror)}`);
    for (const one of restored) {
      const place = one.cwd === root ? `` : `, for ${safe(one.cwd)}`;
      const grown = session.stored !== undefined && session.stored.newest.commit !== one.commit ? `; it has grown since: session-sync restore ${session.session.slice(0, 8)}` : ``;
      if (checkpoint?.path !== one.path && checkpoint?.mirrors.some(({path}) => path === one.path) !== true)
        this.say(`  ${one.agent} → ${safe(one.command)} (${one.records} records, restored${place}${grown})`);
    }
    this.say(`  git → ${session.where === `unstored` ? `not stored` : `${session.records} records, ${{local: `not known to be pushed`, pushed: `pushed to`, remote: `from`}[session.where]}${session.remote === undefined ? `` : ` ${safe(session.remote)}`}`}`);
    if (checkpoint?.problem !== undefined)
      this.warn(`  problem: ${checkpoint.problem}`);
    for (const repair of checkpoint?.repairs ?? [])
      this.say(`  repaired: ${safe(repair.message)}${(repair.count ?? 1) > 1 ? ` (${repair.count} times)` : ``}`);
    this.say();
  }
}

function toJson({session, agent, title, branch, commit, dirty, updated, records, where, remote, lineage, checkpoint}: KnownSession, restored: Array<Remembered>) {
  return {
    session, agent, title, branch, commit, dirty, updated, records, where, remote, lineage,
    problem: checkpoint?.problem, repairs: checkpoint?.repairs, redactions: checkpoint?.redactions,
    restored,
    mirrors: checkpoint?.mirrors.map(mirror => ({
      agent: mirror.agent, id: mirror.id, path: mirror.path, generation: mirror.generation, records: mirror.records,
      resume: agentById(mirror.agent)?.target?.resumeCommand(mirror.id), stopped: mirror.stopped, note: mirror.note, listed: mirror.listed,
      report: mirror.report, previous: mirror.previous,
    })),
  };
}

function total(counts: Array<{[rule: string]: number}>) {
  return counts.flatMap(one => Object.values(one)).reduce((sum, count) => sum + count, 0);
}
