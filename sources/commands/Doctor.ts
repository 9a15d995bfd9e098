import {Command, Option}                    from 'clipanion';
import {constants}                          from 'node:fs';
import {access}                             from 'node:fs/promises';
import path                                 from 'node:path';

import {agents}                             from '../agents/index.ts';
import type {HookAdapter}                   from '../agents/types.ts';
import {gitVersion, remotes}                from '../store/index.ts';
import {readSpool}                          from '../sync/spool.ts';
import {lastOutcome}                        from '../sync/autoShare.ts';
import {runningWorker}                      from '../sync/exclusive.ts';
import {arrangeHooks, isScriptCurrent, ownSettings} from '../sync/gitHooks.ts';
import {isActive, isPaused}                 from '../sync/project.ts';
import type {Project}                       from '../sync/project.ts';
import {isCode, readIfThere}                from '../system/files.ts';
import {safe}                               from '../terminal/safe.ts';

import {BaseCommand, CommandError}          from './Base.ts';
import {fixMoves, movedFrom, planMoves, undoMoves} from './support/moves.ts';
import type {Finding, Moves}                from './support/moves.ts';
import {knownSessions}                      from './support/overview.ts';
import {describeSharing}                    from './support/sharing.ts';

/** Events that wait longer than this were not seen by a worker. */
const STUCK_MS = 120_000;

export class DoctorCommand extends BaseCommand {
  static override paths = [[`doctor`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `check that sessions are kept, and say what is wrong`,
    details: `
      Looks at git, the hooks (of agents and of git), the programs that they call, each agent with its version and its store, the worker, what
      waits, what was repaired or redacted, and what failed last. Changes nothing. Exit code 1 when something keeps
      sessions from being kept.

      Names the sessions that agents have for folders which this repository has no more: a project that was renamed or
      moved, a worktree that was removed. \`--fix\` files them under the folder of today, so that the agent started there
      lists them and goes on with them; what was said in them stays as it is. A session that its agent has open right now
      is left for the next time. \`--fix --undo\` puts everything back that was done last. Folders that session-sync has
      never seen are named by \`--moved-from\`.
    `,
    examples: [
      [`Is everything in order?`, `$0 doctor`],
      [`Take sessions along after the project was renamed`, `$0 doctor --fix`],
      [`Take sessions along that session-sync never knew`, `$0 doctor --fix --moved-from ~/old/shop`],
    ],
  });

  fix = Option.Boolean(`--fix`, false, {description: `File sessions whose folder is gone under the folder of today`});
  undo = Option.Boolean(`--undo`, false, {description: `With --fix: put back what was filed under another folder last`});
  movedFrom = Option.String(`--moved-from`, {description: `A folder that this project was in once`});

  private findings: Array<Finding> = [];
  private moved: Moves[`moved`] = [];

  async run() {
    const project = await this.project();
    if (this.undo && !this.fix)
      throw new CommandError(`BAD_USAGE`, `\`--undo\` goes with \`--fix\`.`);
    const from = await movedFrom(this.context.cwd, this.movedFrom);
    await this.checkGit(project);
    await this.checkSetup(project);
    await this.checkSharing(project);
    await this.checkAgents(project);
    await this.checkWork(project);
    await this.checkSessions(project);
    await this.checkMoves(project, from);

    for (const {level, about, message} of this.findings)
      this.say(`${{ok: `ok     `, note: `note   `, problem: `PROBLEM`}[level]} ${about}: ${safe(message, {multiline: true})}`);
    const problems = this.findings.filter(({level}) => level === `problem`).length;
    this.say(problems === 0 ? `Everything is in order.` : `${problems} ${problems === 1 ? `problem` : `problems`}.`);
    return this.done({findings: this.findings, moved: this.moved}, problems > 0 ? 1 : 0);
  }

  private add(level: Finding[`level`], about: string, message: string) {
    this.findings.push({level, about, message});
  }

  private async checkGit(project: Project) {
    const {repository} = project;
    if (project.hasGit)
      this.add(`ok`, `git`, `${await gitVersion(this.context.machine.env)}, ${repository.objectFormat}`);
    else
      this.add(`problem`, `git`, `the git program is not on PATH: sessions can be looked at and restored, but not stored or sent`);
    // Objects and refs go where the common directory is; a folder that is not there yet is made in it.
    for (const folder of [repository.commonDir, project.paths.folder])
      await access(folder, constants.W_OK).catch(error => isCode(error, `ENOENT`) || this.add(`problem`, `git`, `${folder} cannot be written to: no session can be stored`));
    if (repository.shallow)
      this.add(`note`, `git`, `this clone is shallow: a commit that a session names may be missing`);
    if (repository.partial)
      this.add(`note`, `git`, `this clone is partial: objects of sessions are fetched when they are read`);
  }

  private async checkSetup(project: Project) {
    if (!await isActive(project))
      this.add(`problem`, `setup`, `not set up in this clone: session-sync init`);
    else if (await isPaused(project))
      this.add(`note`, `setup`, `paused: session-sync resume`);
    else
      this.add(`ok`, `setup`, `this clone takes part`);

    for (const program of [`session-sync-hook`, `session-sync-worker`]) {
      const found = await onPath(this.context.machine.env.PATH, program);
      this.add(found ? `ok` : `problem`, `setup`, found ?? `${program} is not on PATH: hooks do nothing. Install with npm install --global session-sync`);
    }
  }

  private async checkSharing(project: Project) {
    const settings = await ownSettings(project);
    const described = await describeSharing(project, settings, this.context.now().getTime());
    if (settings.remote !== null && !(await remotes(project.repository, this.context.machine.env)).includes(settings.remote))
      this.add(`problem`, `sharing`, `sessions should go to ${settings.remote}, and there is no remote of that name: session-sync init --remote`);
    if (project.hasGit)
      for (const {file, changed, problem} of await arrangeHooks(project, settings, {dryRun: true}))
        if (problem !== undefined || changed)
          this.add(`problem`, `sharing`, problem ?? `${file} is not as it should be: session-sync init`);
    if (described === null)
      return;
    if (!await isScriptCurrent(project.paths))
      this.add(`problem`, `sharing`, `the script that git's hooks call is not of this version: session-sync init`);
    const failed = (await Promise.all(([`push`, `pull`] as const).map(async kind => ({kind, outcome: await lastOutcome(project.paths, kind)})))).filter(({outcome}) => outcome?.problem !== undefined);
    for (const {kind, outcome} of failed)
      this.add(`problem`, `sharing`, `the last automatic ${kind} failed: ${outcome!.problem}`);
    if (failed.length === 0)
      this.add(`ok`, `sharing`, described);
  }

  private async checkAgents(project: Project) {
    for (const agent of agents) {
      const detection = await agent.detect(this.context.machine);
      if (!detection.found) {
        this.add(`note`, agent.name, `not on this machine (proven with ${agent.proven})`);
        continue;
      }
      this.add(`ok`, agent.name, `${detection.version ?? `version unknown`} (proven with ${agent.proven}), store ${detection.store}`);
      for (const note of detection.notes)
        this.add(`note`, agent.name, note);
      if (agent.hooks !== undefined)
        await this.checkHooks(project, agent.name, agent.hooks);
      if (agent.target !== undefined)
        await agent.target.prepare(this.context.machine).catch(error => this.add(`problem`, agent.name, (error as Error).message));
    }
  }

  private async checkHooks(project: Project, name: string, hooks: HookAdapter) {
    const states: Array<ReturnType<HookAdapter[`installed`]>> = [];
    for (const local of hooks.scope === `user` ? [false] : [false, true]) {
      try {
        states.push(hooks.installed(await readIfThere(hooks.settingsPath(this.context.machine, project.root, {local}))));
      } catch (error) {
        this.add(`problem`, name, (error as Error).message);
      }
    }
    if (states.includes(`yes`))
      this.add(`ok`, name, `hooks are registered${hooks.confirm === undefined ? `` : `. ${hooks.confirm}`}`);
    else if (await isActive(project))
      this.add(`problem`, name, states.includes(`partly`) ? `hooks are registered in part: session-sync init` : `hooks are not registered: session-sync init`);
  }

  private async checkWork(project: Project) {
    const worker = await runningWorker(project.paths);
    this.add(`ok`, `worker`, worker === null ? `none is running (the next event starts one)` : `process ${worker}`);
    const now = this.context.now().getTime();
    const waiting = await readSpool(project.paths.spool, 0);
    const oldest = waiting.reduce((age, {mtimeMs}) => Math.max(age, now - mtimeMs), 0);
    if (waiting.length > 0)
      this.add(oldest > STUCK_MS && worker === null ? `problem` : `note`, `worker`, `${waiting.length} events wait; session-sync sync reads everything without them`);
    const log = (await readIfThere(project.paths.log) ?? ``).trim().split(`\n`).filter(Boolean);
    for (const line of log.slice(-5))
      this.add(`note`, `log`, line);
  }

  private async checkMoves(project: Project, from: string | undefined) {
    const store = await this.store(project);
    const {findings, moved} = this.undo ? await this.exclusively(await this.activeProject(), async () => await undoMoves(project))
      : this.fix ? await this.exclusively(await this.activeProject(), async () => await fixMoves(project, store, from))
      : await planMoves(project, store, from);
    this.findings.push(...findings);
    this.moved = moved;
  }

  private async checkSessions(project: Project) {
    const {sessions, problems} = await knownSessions(project, await this.store(project));
    const redactions: {[rule: string]: number} = {};
    for (const {session, checkpoint, stored} of sessions) {
      for (const [rule, count] of Object.entries(checkpoint?.redactions ?? stored?.newest.header.redactions ?? {}))
        redactions[rule] = (redactions[rule] ?? 0) + count;
      if (checkpoint?.problem !== undefined)
        this.add(`problem`, `session ${session.slice(0, 8)}`, checkpoint.problem);
      for (const mirror of checkpoint?.mirrors ?? [])
        if (mirror.stopped ?? mirror.note)
          this.add(`note`, `session ${session.slice(0, 8)}`, `${mirror.agent}: ${mirror.stopped ?? mirror.note}`);
    }
    for (const {ref, message} of problems)
      this.add(`problem`, ref, message);
    this.add(`ok`, `sessions`, `${sessions.length} known; redacted: ${Object.entries(redactions).map(([rule, count]) => `${count} ${rule}`).join(`, `) || `nothing`}`);
  }
}

async function onPath(searched: string | undefined, program: string) {
  for (const folder of (searched ?? ``).split(path.delimiter).filter(Boolean)) {
    const file = path.join(folder, program);
    if (await access(file, constants.X_OK).then(() => true, () => false))
      return file;
  }
  return null;
}
