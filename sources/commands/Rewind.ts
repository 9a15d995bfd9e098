import {Command, Option}                   from 'clipanion';

import {agentById, agents}                 from '../agents/index.ts';
import type {AgentAdapter}                 from '../agents/types.ts';
import {Keepsakes}                         from '../restore/keepsakes.ts';
import type {Keepsake}                     from '../restore/keepsakes.ts';
import {restore}                           from '../restore/restore.ts';
import type {Restored}                     from '../restore/restore.ts';
import {planForward, planRewind, RewindError} from '../restore/rewind.ts';
import type {RewindPlan}                   from '../restore/rewind.ts';
import {filesAt, turnAt, turnsOf}          from '../restore/turns.ts';
import type {Turn}                         from '../restore/turns.ts';
import {ApplyError, applyActions}          from '../restore/workFiles.ts';
import type {SessionStore}                 from '../store/index.ts';
import {remember}                          from '../sync/remembered.ts';
import type {Project}                      from '../sync/project.ts';
import {openRedactor}                      from '../sync/sync.ts';
import {makeFolder}                        from '../system/files.ts';
import {age}                               from '../terminal/age.ts';
import {safe}                              from '../terminal/safe.ts';

import {BaseCommand, CommandError}         from './Base.ts';
import {sayLeftOut, shown}                 from './support/changes.ts';
import {chooseFork, chooseSession, forked, knownSessions} from './support/overview.ts';
import type {KnownSession}                 from './support/overview.ts';

/** Turns that `--list` shows. */
const LISTED = 30;

export class RewindCommand extends BaseCommand {
  static override paths = [[`rewind`]];

  static override usage = Command.Usage({
    category: `Going on`,
    description: `bring files and session back to an earlier turn, with a way forward again`,
    details: `
      Takes the number of a record, as \`show --text\` has them. The files of this working tree become what they were when
      the last turn up to there ended, where that was kept (\`init --snapshot\`) or everything was committed then; and the
      session, ending with that record, is written for its agent as \`restore --at\` does. Without \`--session\` it is the
      newest one of this clone. Files as they are now are kept first, in the git directory and not in git: \`rewind --forward\` brings
      them back, byte for byte, also after several steps. What is older than 90 days, or more than 100 steps back, goes with a later
      rewind, or with \`clean\`.

      Neither HEAD, nor the index, nor any branch is moved. Commits that were made since then stay; the working tree shows
      what they changed as taken back. Where this checkout does not come from the commit of that turn, it refuses:
      \`restore --at <record> --checkout --with-changes\` gives that turn a worktree of its own.

      What was not kept then (secrets, binary or large files, and untracked ones, unless \`--snapshot all\`) stays as it is
      now, and is named. Ignored files are never touched.
    `,
    examples: [
      [`Which turns are there?`, `$0 rewind --list`],
      [`Back to the turn that ended with record 24`, `$0 rewind 24`],
      [`See what would change`, `$0 rewind 24 --dry-run`],
      [`Forward again`, `$0 rewind --forward`],
    ],
  });

  session = Option.String(`--session`, {description: `The session; without it, the newest of this clone`});
  agent = Option.String(`--agent`, {description: `Write the session for this agent, instead of its own`});
  forward = Option.Boolean(`--forward`, false, {description: `Bring back what was there before the last rewind`});
  to = Option.String(`--to`, {description: `With --forward: what was kept under this number (see --list)`});
  list = Option.Boolean(`--list`, false, {description: `Show the turns, and what was kept before earlier rewinds`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would change, and change nothing`});
  record = Option.String({required: false});

  async run() {
    const project = await this.project();
    if (project.repository.workTree === null)
      throw new CommandError(`NO_WORK_TREE`, `This is a bare repository: there are no files to bring back.`);
    if ([this.record !== undefined, this.forward, this.list].filter(Boolean).length !== 1)
      throw new CommandError(`BAD_USAGE`, `Give the number of a record, or --forward, or --list.`);
    if (this.list)
      return await this.runList(project);
    await makeFolder(project.paths.folder);
    return await this.exclusively(project, async () => this.forward ? await this.runForward(project) : await this.runBack(project));
  }

  private async runBack(project: Project) {
    const store = await this.store(project);
    const session = await this.choose(project, store);
    const at = this.parseRecord(session);
    const adapter = this.target(session);
    const turn = await turnAt(store, session.stored!.newest, at);
    if (turn === null)
      throw new CommandError(`NO_CHANGES`, `It is not known what the files were like at record ${at} or before: \`session-sync init --snapshot tracked\` keeps them from the next turn on.`);

    const state = await filesAt(store, turn);
    const redactor = openRedactor(project);
    const plan = await planRewind({project, store, turn, state, isClean: async text => (await redactor.text(text)).counts === null}).catch(error => {
      throw error instanceof RewindError && error.code === `OTHER_COMMIT`
        ? new CommandError(error.code, `${error.message} Nothing was changed. \`session-sync restore ${session.session.slice(0, 8)} --at ${at} --checkout --with-changes\` gives it a worktree of its own.`)
        : error;
    });
    this.say(`Files ${this.dryRun ? `would be` : `are`} as they were after record ${turn.records - 1}${turn.records - 1 < at ? ` (the last turn before ${at} of which they are known)` : ``}.`);
    this.describe(plan);
    sayLeftOut(state, line => this.say(line));
    const kept = await this.carryOut(project, plan, {kind: `rewind`, session: session.session, record: at});
    if (plan.head !== plan.base)
      this.say(`HEAD stays at ${plan.head?.slice(0, 8)}; the files are those of ${plan.base?.slice(0, 8)}: \`git status\` shows what was committed since as taken back.`);

    const apart = session.fork !== undefined && !session.fork.writers.includes(store.writer);
    const restored = await restore({project, store, stored: session.stored!.newest, adapter, cwd: project.root, at, dryRun: this.dryRun, apart, incomplete: true});
    await this.note(project, session, restored);
    this.say(`${adapter.id} → ${restored.command} (up to record ${at})`);
    if (kept !== null)
      this.say(`Forward again: session-sync rewind --forward`);
    const {ours: _, ...one} = restored;
    return this.done({
      session: session.session, record: at, filesOf: turn.records - 1, dryRun: this.dryRun, kept: kept?.number ?? null,
      files: plan.actions.map(({path, wanted}) => ({path, outcome: wanted === null ? `deleted` : `written`})), left: plan.left, restored: one,
    }, plan.left.length > 0 ? 2 : 0);
  }

  private async runForward(project: Project) {
    const keepsakes = new Keepsakes(project);
    const all = await keepsakes.here();
    const chosen = this.to === undefined ? all.findLast(({kind, undone}) => kind === `rewind` && !undone) : all.find(({number}) => String(number) === this.to);
    if (chosen === undefined)
      throw new CommandError(`NOTHING_KEPT`, this.to === undefined ? `There is no rewind of this working tree to go forward from.` : `Nothing was kept under ${safe(this.to)} for this working tree: see \`session-sync rewind --list\`.`);

    const plan = await planForward(project, chosen, async file => await keepsakes.content(chosen.number, file));
    this.say(`Files ${this.dryRun ? `would be` : `are`} as they were before rewind ${chosen.number}${chosen.record === undefined ? `` : ` (to record ${chosen.record})`}.`);
    this.describe(plan);
    const kept = await this.carryOut(project, plan, {kind: `forward`}, chosen.number);
    if (!this.dryRun && plan.left.length === 0)
      await keepsakes.markUndone(chosen.number);
    if (kept !== null)
      this.say(`What was there until now: session-sync rewind --forward --to ${kept.number}`);
    return this.done({
      number: chosen.number, dryRun: this.dryRun, kept: kept?.number ?? null,
      files: plan.actions.map(({path, wanted}) => ({path, outcome: wanted === null ? `deleted` : `written`})), left: plan.left,
    }, plan.left.length > 0 ? 2 : 0);
  }

  private async runList(project: Project) {
    const store = await this.store(project);
    const session = await this.choose(project, store);
    const turns: Array<Turn> = [];
    for await (const turn of turnsOf(store, session.stored!.newest)) {
      if (turns.at(-1)?.records !== turn.records)
        turns.push(turn);
      if (turns.length >= LISTED)
        break;
    }
    const now = this.context.now().getTime();
    this.say(`Session ${session.session.slice(0, 8)} ${safe(session.title ?? ``, {width: 60})}`.trimEnd());
    for (const {records, files, stored: {header}} of turns)
      this.say(`${String(records - 1).padStart(6)}  ${files === `kept` ? `files kept` : `all committed`}${header.commit === undefined ? `` : ` at ${header.commit.slice(0, 8)}`}${header.updated === undefined ? `` : `, ${age(header.updated, now)}`}`);
    if (turns.length === 0)
      this.say(`It is not known what the files were like at any turn: \`session-sync init --snapshot tracked\` keeps them from the next one on.`);
    const kept = await new Keepsakes(project).here();
    for (const {number, kind, session: of, record, files, undone} of kept)
      this.say(`kept ${number}: ${files.length} ${files.length === 1 ? `file as it was` : `files as they were`} before ${kind === `rewind` ? `the rewind of ${of?.slice(0, 8)} to record ${record}` : `going forward again`}${undone ? `; taken back` : ``}`);
    return this.done({
      session: session.session,
      turns: turns.map(({records, files, stored: {header, commit}}) => ({record: records - 1, files, commit: header.commit, updated: header.updated, stored: commit})),
      kept: kept.map(({number, kind, session: of, record, files, undone, head}) => ({number, kind, session: of, record, files: files.length, undone, head})),
    });
  }

  /** First what is there now is kept, whole and on the disk; then the files change. Null where there was nothing to do. */
  private async carryOut(project: Project, plan: RewindPlan, about: Pick<Keepsake, `kind` | `session` | `record`>, from?: number): Promise<Keepsake | null> {
    if (this.dryRun || plan.actions.length === 0)
      return null;
    const kept = await new Keepsakes(project).keep({...about, ...plan.head !== undefined ? {head: plan.head} : {}}, plan.actions, this.context.now(), from);
    try {
      await applyActions(project.root, plan.actions);
    } catch (error) {
      if (!(error instanceof ApplyError))
        throw error;
      throw new CommandError(error.code, `${error.message}\n${error.done.length} of ${plan.actions.length} files were changed before that. Nothing is lost: \`session-sync rewind --forward --to ${kept.number}\` brings back what was there.`);
    }
    return kept;
  }

  private describe({actions, left}: RewindPlan) {
    for (const line of shown(actions.map(({path, wanted}) => `  ${wanted === null ? `deleted` : `written`}  ${safe(path)}`)))
      this.say(line);
    if (actions.length === 0)
      this.say(`  They are already.`);
    for (const line of shown(left.map(({path, reason}) => `${safe(path)} stays as it is now: ${safe(reason)}`)))
      this.warn(line);
  }

  private async choose(project: Project, store: SessionStore): Promise<KnownSession> {
    const sessions = (await knownSessions(project, store)).sessions.filter(session => session.stored !== undefined);
    // What somebody else did comes over these files only when it is named.
    const session = this.session === undefined ? sessions.find(({checkpoint, stored}) => checkpoint !== undefined || stored!.newest.writer === store.writer) : chooseSession(sessions, this.session);
    if (session === undefined)
      throw new CommandError(`UNKNOWN_SESSION`, `No session of this clone is stored yet; \`--session\` names one of others.`);
    if (session.forks === undefined || session.fork !== undefined)
      return session;
    // These files are this clone's, and so is the way that they went.
    const own = session.forks.find(({writers}) => writers.includes(store.writer));
    if (own === undefined)
      throw forked(session, `\`--session ${session.session.slice(0, 8)}~<name>\``);
    return chooseFork(session, own.name);
  }

  private parseRecord(session: KnownSession) {
    const at = Number(this.record);
    if (!/^\d+$/.test(this.record!) || at >= session.records)
      throw new CommandError(`BAD_RECORD`, `${safe(this.record!)} is no record of session ${session.session.slice(0, 8)}: it has 0 to ${session.records - 1}.`);
    return at;
  }

  private target(session: KnownSession): AgentAdapter {
    const id = this.agent ?? session.agent;
    const adapter = agentById(id);
    if (adapter === undefined)
      throw new CommandError(`UNKNOWN_AGENT`, `${safe(id)} is no agent that is known here: ${agents.map(one => one.id).join(`, `)}.`);
    if (adapter.target === undefined || adapter.target.consent !== undefined)
      throw new CommandError(`NOT_A_TARGET`, `A part of a session cannot be written for ${adapter.name} here. Name another agent with --agent.`);
    return adapter;
  }

  private async note(project: Project, session: KnownSession, {agent, id, path, command, records, ours}: Restored) {
    if (!this.dryRun)
      await remember(project, session.session, [{agent, id, path, cwd: project.root, commit: session.stored!.newest.commit, writer: session.stored!.newest.writer, command, records, ...ours ?? {}}])
        .catch((error: Error) => this.warn(`\`status\` will not show this: ${error.message}`));
  }
}
