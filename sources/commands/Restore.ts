import {Command, Option}                       from 'clipanion';
import path                                    from 'node:path';

import {agentById, agents}                     from '../agents/index.ts';
import type {AgentAdapter}                     from '../agents/types.ts';
import {summarise}                             from '../interchange/index.ts';
import {describeDifference}                    from '../restore/compare.ts';
import {missingParent}                         from '../restore/history.ts';
import {describeMissing, restore}              from '../restore/restore.ts';
import type {Restored}                         from '../restore/restore.ts';
import {turnAt}                                from '../restore/turns.ts';
import type {Turn}                             from '../restore/turns.ts';
import {pullAfterFetch}                        from '../sync/autoShare.ts';
import {remember}                              from '../sync/remembered.ts';
import {addWorktree, distance, gitState, hasBranch, rootCommit, rootCommitCache} from '../store/index.ts';
import type {SessionStore}                     from '../store/index.ts';
import {openProject}                from '../sync/project.ts';
import type {Project}                          from '../sync/project.ts';
import {sizeOf}                                from '../system/files.ts';
import {age}                                   from '../terminal/age.ts';
import {confirm, picker}                       from '../terminal/picker.ts';
import {progress}                              from '../terminal/progress.ts';
import {safe}                                  from '../terminal/safe.ts';

import {BaseCommand, CommandError}             from './Base.ts';
import {bringChanges}                          from './support/changes.ts';
import {chooseFork, chooseSession, describeForks, forked, knownSessions} from './support/overview.ts';
import type {KnownSession}                     from './support/overview.ts';

export class RestoreCommand extends BaseCommand {
  static override paths = [[`restore`]];

  static override usage = Command.Usage({
    category: `Going on`,
    description: `write a stored session into an agent on this machine, to go on with it`,
    details: `
      Takes the newest state of the session that is known here (\`session-sync pull\` first, for those of others), puts in
      this machine's folders, writes it into the agent's own store and prints the command that continues it. Without an
      id it offers a choice on a terminal, else takes the newest session (with \`--branch\`, of that branch).

      \`--agent\` says which agent; without it, every agent found here gets it. An agent's own session comes back byte for
      byte, but for the folders. Says what differs between the commit the session was recorded at and this checkout;
      \`--checkout\` makes a worktree at that commit and restores there.

      Where two people went on with the same session, each on their own machine, there are two forks of it. They are never
      mixed: a terminal asks which one is meant, otherwise \`--fork\` says it. The fork of somebody else becomes a session
      beside your own.

      Doing it twice changes nothing; a session that has grown is appended to. A file that the agent has continued is
      left alone. Of a session that goes on from one that is not known here, the begin is missing: \`pull --session\` fetches
      both, \`--incomplete\` restores the rest all the same, beside the whole one. Amp keeps its threads on its own servers: \`--agent amp\` asks before it uploads anything, and writes a
      document to hand over when Amp does not take the session. \`--at\` ends with an earlier record, also one on an abandoned branch (see \`show --text\`).

      \`--with-changes\` also brings the files that were not committed when the last turn ended (with \`--at\`, the turn up
      to there), where \`init --snapshot\` had them kept. The working tree must have no changes of its own. Where it is at
      another commit, what both have changed is merged file by file, with marks in what does not fit together.
    `,
    examples: [
      [`Choose a session`, `$0 restore`],
      [`Go on in Codex`, `$0 restore 5e551000 --agent codex`],
      [`What Bob made of it`, `$0 restore 5e551000 --fork bob`],
      [`In a worktree at the commit it was recorded at`, `$0 restore 5e551000 --checkout`],
      [`With the uncommitted files, too`, `$0 restore 5e551000 --checkout --with-changes`],
    ],
  });

  agent = Option.String(`--agent`, {description: `Write it for this agent only`});
  branch = Option.String(`--branch`, {description: `Only sessions that were recorded on this branch`});
  checkout = Option.Boolean(`--checkout`, false, {description: `Restore in a new worktree at the recorded commit`});
  fork = Option.String(`--fork`, {description: `Which of a session's forks: begin of its name, its author or its machine`});
  withChanges = Option.Boolean(`--with-changes`, false, {description: `Also bring the files that were not committed then`});
  at = Option.String(`--at`, {description: `Number of the last record to restore`});
  incomplete = Option.Boolean(`--incomplete`, false, {description: `Also where the session that it goes on from is not known here`});
  yes = Option.Boolean(`--yes`, false, {description: `Answer with yes what would be asked before something is sent to an agent's servers`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be written, and write nothing`});
  session = Option.String({required: false});

  async run() {
    const project = await this.project();
    const store = await this.store(project);
    await pullAfterFetch(project, this.context.now);
    const sessions = await this.candidates(project, store);
    const chosen = await this.choose(sessions);
    const session = chosen && await this.chooseFork(chosen);
    if (session === null) {
      this.say(`Nothing was restored.`);
      return this.done({cancelled: true}, 1);
    }
    const at = this.parseAt(session);

    // Before anything is made or changed: what cannot be written at all is refused.
    const targets = await this.targets(session);
    await this.checkWhole(store, session);
    const turn = this.withChanges ? await this.turn(store, session, at) : null;
    const place = this.checkout ? await this.worktree(project, session, turn) : project;
    const {newest} = session.stored!;
    this.introduce(session);
    for (const {session: child, agent, stored, updated} of sessions.filter(({lineage}) => lineage?.parent === session.session).slice(0, 5))
      this.say(`  It goes on in ${safe(agent)}${stored?.newest.header.author ? ` (${safe(stored.newest.header.author.name, {width: 40})}${updated ? `, ${age(updated, this.context.now().getTime())}` : ``})` : ``}: session-sync restore ${child.slice(0, 8)}`);

    const files = turn === null ? null : await bringChanges(store, this.checkout && this.dryRun ? null : place, turn, {dryRun: this.dryRun, apart: this.checkout, say: line => this.say(line), warn: line => this.warn(line)});
    const restored: Array<Restored> = [];
    const failed: Array<{agent: string; reason: string}> = [];
    const bar = await progress(this.context);
    for (const adapter of targets) {
      bar.update(`writing for ${adapter.name}`);
      try {
        restored.push(await this.into(adapter, place, session, at));
      } catch (error) {
        failed.push({agent: adapter.id, reason: (error as Error).message});
      }
    }
    bar.clear();

    for (const one of restored)
      this.report(one);
    const reasons = byReason(failed);
    for (const reason of restored.length > 0 ? reasons : [])
      this.warn(reason);
    // A worktree that would be made would be at the very commit.
    const differences = this.checkout && this.dryRun ? [] : await this.differences(place, session, files !== null);
    for (const difference of differences)
      this.say(difference);
    if (!this.dryRun && restored.length > 0)
      await remember(place, session.session, restored.map(({agent, id, path: file, command, records, ours}) => ({
        agent, id, path: file, cwd: place.root, commit: newest.commit, command, records, writer: newest.writer, ...ours ?? {},
      }))).catch((error: Error) => this.warn(`\`status\` will not show this: ${error.message}`));
    if (restored.length === 0)
      throw new CommandError(`NOT_RESTORED`, reasons.join(`\n`));
    return this.done({session: session.session, cwd: place.root, dryRun: this.dryRun, restored: restored.map(({ours: _, ...one}) => one), failed, differences, ...files !== null ? {changes: files.brought} : {}}, failed.length > 0 || files?.complete === false ? 2 : 0);
  }

  private async candidates(project: Project, store: SessionStore) {
    const {sessions, problems} = await knownSessions(project, store);
    for (const problem of problems)
      this.warn(`${safe(problem.ref)} was left out: ${problem.message}`);
    const stored = sessions.filter(session => session.stored !== undefined && (this.branch === undefined || session.branch === this.branch));
    if (stored.length === 0)
      throw new CommandError(`UNKNOWN_SESSION`, `No stored session${this.branch ? ` of branch ${safe(this.branch)}` : ``} is known here. \`session-sync pull\` fetches those of others.`);
    return stored;
  }

  private async choose(sessions: Array<KnownSession>): Promise<KnownSession | null> {
    if (this.session !== undefined)
      return chooseSession(sessions, this.session);
    const {stdin, stdout} = this.context as unknown as {stdin: {isTTY?: boolean}; stdout: {isTTY?: boolean}};
    if (sessions.length === 1 || this.json || stdin.isTTY !== true || stdout.isTTY !== true)
      return sessions[0]!;

    const now = this.context.now().getTime();
    const chosen = await picker(this.context, {
      message: `Which session?`,
      options: sessions.map(({session, title, agent, branch, updated, records}) => ({
        value: session,
        label: `${session.slice(0, 8)}  ${safe(title ?? `(no title)`, {width: 60})}`,
        hint: [agent, safe(branch ?? ``, {width: 24}), `${records} records`, updated ? age(updated, now) : ``].filter(Boolean).join(`, `),
      })),
    });
    return chosen === undefined ? null : chooseSession(sessions, chosen);
  }

  /** Two people went on with the same session: which of them is meant is never guessed. */
  private async chooseFork(session: KnownSession): Promise<KnownSession | null> {
    if (this.fork !== undefined)
      return chooseFork(session, this.fork);
    if (session.forks === undefined || session.fork !== undefined)
      return session;
    const {stdin, stdout} = this.context as unknown as {stdin: {isTTY?: boolean}; stdout: {isTTY?: boolean}};
    if (this.json || stdin.isTTY !== true || stdout.isTTY !== true)
      throw forked(session, `--fork`);
    const lines = describeForks(session);
    const name = await picker(this.context, {
      message: `It went on in ${session.forks.length} ways. Which one?`,
      options: session.forks.map((fork, index) => ({value: fork.name, label: lines[index]!.trim(), hint: ``})),
    });
    return name === undefined ? null : chooseFork(session, name);
  }

  private parseAt(session: KnownSession) {
    if (this.at === undefined)
      return undefined;
    const at = Number(this.at);
    if (!Number.isInteger(at) || at < 0 || at >= session.records)
      throw new CommandError(`BAD_RECORD`, `${safe(this.at)} is no record of this session: it has 0 to ${session.records - 1}.`);
    return at;
  }

  private async targets(session: KnownSession): Promise<Array<AgentAdapter>> {
    if (this.agent !== undefined) {
      const adapter = agentById(this.agent);
      if (adapter === undefined)
        throw new CommandError(`UNKNOWN_AGENT`, `${safe(this.agent)} is no agent that is known here: ${agents.map(({id}) => id).join(`, `)}.`);
      return [adapter];
    }
    const targets: Array<AgentAdapter> = [];
    for (const adapter of agents)
      // What goes to another machine is asked for by name.
      if ((adapter.target !== undefined && adapter.target.consent === undefined || (adapter.native !== undefined && session.agent === adapter.id && this.at === undefined)) && await adapter.present(this.context.machine))
        targets.push(adapter);
    if (targets.length === 0)
      throw new CommandError(`NO_AGENT`, `No agent that this session can be written for was found here. \`--agent\` writes it all the same.`);
    return targets;
  }

  /** One whose transcript is here needs nothing from git, as long as it stays in this folder. */
  private async checkWhole(store: SessionStore, {session, stored, checkpoint}: KnownSession) {
    const missing = this.incomplete || (checkpoint !== undefined && !this.checkout) ? null : await missingParent(store, stored!.newest);
    if (missing !== null)
      throw new CommandError(`PARENT_UNKNOWN`, describeMissing(session, missing));
  }

  private async into(adapter: AgentAdapter, place: Project, session: KnownSession, at: number | undefined): Promise<Restored> {
    // A session whose transcript is on this machine has live mirrors, which are better than what git has: nothing in
    // them is redacted.
    const store = await this.store(place);
    const checkpoint = session.fork === undefined || session.fork.state.writer === store.writer ? session.checkpoint : undefined;
    const mirror = checkpoint?.mirrors.find(one => one.agent === adapter.id && one.stopped === undefined && one.size > 0);
    const known = {outcome: `unchanged` as const, generation: mirror?.generation ?? 0, repairs: []};
    if (checkpoint !== undefined && at === undefined && !this.checkout && await sizeOf(checkpoint.path) >= 0) {
      const own = (adapter.native ?? adapter.target)?.resumeCommand(checkpoint.nativeId);
      if (adapter.id === checkpoint.agent && own !== undefined)
        return {...known, agent: adapter.id, id: checkpoint.nativeId, path: checkpoint.path, command: own, records: session.records, note: `it is this machine's own session`};
      if (mirror !== undefined && adapter.target !== undefined)
        return {...known, agent: adapter.id, id: mirror.id, path: mirror.path, command: adapter.target.resumeCommand(mirror.id), records: mirror.records, report: mirror.report, note: `it is mirrored live on this machine`};
    }
    await this.askConsent(adapter);
    // The own way of this clone keeps the ids that it has; that of somebody else stands beside it.
    const apart = session.fork !== undefined && session.fork.state.writer !== store.writer;
    return await restore({project: place, store, stored: session.stored!.newest, adapter, cwd: place.root, dryRun: this.dryRun, apart, incomplete: this.incomplete, ...at !== undefined ? {at} : {}});
  }

  /** Only what a person has said yes to leaves the machine. */
  private async askConsent({name, target}: AgentAdapter) {
    if (target?.consent === undefined || this.yes || this.dryRun)
      return;
    const {stdin, stdout} = this.context as unknown as {stdin: {isTTY?: boolean}; stdout: {isTTY?: boolean}};
    if (this.json || stdin.isTTY !== true || stdout.isTTY !== true)
      throw new CommandError(`CONSENT_NEEDED`, `${target.consent} Nothing was sent: say yes with --yes.`);
    if (!await confirm(this.context, target.consent))
      throw new CommandError(`CONSENT_REFUSED`, `Nothing was sent to ${name}.`);
  }

  private introduce(session: KnownSession) {
    const {header} = session.stored!.newest;
    const by = [header.author?.name && `by ${safe(header.author.name, {width: 40})}`, header.machine && `on ${safe(header.machine, {width: 40})}`, header.updated && age(header.updated, this.context.now().getTime())].filter(Boolean).join(`, `);
    this.say(`Session ${session.session.slice(0, 8)} ${safe(header.title ?? ``, {width: 60})}${by ? ` (${by})` : ``}`);
  }

  private report(one: Restored) {
    const verb = {created: `written`, appended: `appended to`, unchanged: `already there`, continued: `already there, and continued by the agent`, planned: `would be written`}[one.outcome];
    this.say(`  ${one.agent} → ${one.command} (${one.records} records, ${verb})`);
    const lost = one.report === undefined ? `` : summarise(one.report);
    if (lost)
      this.say(`    ${safe(lost, {multiline: true})}`);
    for (const repair of one.repairs.slice(0, 10))
      this.warn(`    repaired: ${repair.message}`);
    if (one.note)
      this.say(`    ${safe(one.note)}`);
  }

  /** `brought`: the uncommitted files, which need not be told of then. */
  private async differences(place: Project, session: KnownSession, brought: boolean) {
    const {header} = session.stored!.newest;
    const {env} = this.context.machine;
    if (!place.hasGit)
      return [`Without the git program this checkout cannot be compared with where the session was recorded.`];
    const checkout = await gitState(place.repository, env);
    const far = await distance(place.repository, env, header.commit, checkout.commit);
    const root = far.missing && header.rootCommit !== undefined ? await rootCommit(place.repository, env, rootCommitCache(place.repository.commonDir)) : undefined;
    const told = brought ? {dirty: false} : {};
    return describeDifference({...header, ...told}, {...checkout, ...told}, far, {
      rewritten: root !== undefined && root !== header.rootCommit,
      branchGone: header.branch !== undefined && header.branch !== checkout.branch && !await hasBranch(place.repository, env, header.branch),
    }).map(line => safe(line));
  }

  private async turn(store: SessionStore, session: KnownSession, at: number | undefined): Promise<Turn> {
    const turn = await turnAt(store, session.stored!.newest, at);
    if (turn === null)
      throw new CommandError(`NO_CHANGES`, `It is not known what the files of this session were like${at === undefined ? `` : ` up to record ${at}`}: \`session-sync init --snapshot tracked\` keeps them from the next turn on.`);
    return turn;
  }

  private async worktree(project: Project, session: KnownSession, turn: Turn | null): Promise<Project> {
    const {header} = turn?.stored ?? session.stored!.newest;
    if (header.commit === undefined)
      throw new CommandError(`NO_COMMIT`, `The session was recorded before the first commit: there is nothing to check out.`);
    const folder = path.join(path.dirname(project.root), `${path.basename(project.root)}-${session.session.slice(0, 8)}${turn !== null && this.at !== undefined ? `-${turn.records - 1}` : ``}`);
    if (this.dryRun) {
      this.say(`Would make a worktree at ${folder} (${header.commit.slice(0, 8)})`);
      return project;
    }
    // Twice is as once. What the person has checked out there since is theirs; the differences are said as ever.
    const known = await openProject(folder, this.context.machine).catch(() => null);
    if (known?.root === folder && known.repository.commonDir === project.repository.commonDir) {
      this.say(`Worktree ${folder} is there already: cd ${folder}`);
      return known;
    }
    await addWorktree(project.repository, this.context.machine.env, {folder, commit: header.commit});
    this.say(`Worktree ${folder} at ${header.commit.slice(0, 8)}: cd ${folder}`);
    return await openProject(folder, this.context.machine);
  }
}

/** What stands in the way of several agents is said once. */
function byReason(failed: Array<{agent: string; reason: string}>): Array<string> {
  const agentsOf = new Map<string, Array<string>>();
  for (const {agent, reason} of failed)
    agentsOf.set(reason, [...agentsOf.get(reason) ?? [], agent]);
  return [...agentsOf].map(([reason, names]) => `${names.join(`, `)}: ${reason}`);
}
