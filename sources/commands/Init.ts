import {Command, Option}                      from 'clipanion';
import path                                   from 'node:path';

import {agents}                               from '../agents/index.ts';
import type {AgentAdapter, Detection}         from '../agents/types.ts';
import {CONFIG_PATH, DEFAULT_CONFIG, SNAPSHOT_MODES, readConfig, writeConfig} from '../sync/config.ts';
import type {Config}                          from '../sync/config.ts';
import {publicUrl}                            from '../store/index.ts';
import {activate}                             from '../sync/project.ts';
import type {Project}                         from '../sync/project.ts';
import {safe}                                 from '../terminal/safe.ts';
import {readIfThere, writeAtomic}             from '../system/files.ts';

import {BaseCommand, CommandError}            from './Base.ts';
import {applySharing, describeSharing, planSharing, shownAddress} from './support/sharing.ts';
import type {SharingPlan}                     from './support/sharing.ts';

export class InitCommand extends BaseCommand {
  static override paths = [[`init`]];

  static override usage = Command.Usage({
    category: `Setting up`,
    description: `keep the sessions of this repository from now on`,
    details: `
      Finds the agents of this machine, registers hooks with those that have them, and makes this clone take part: from
      the next event on, each session is mirrored into the other agents and stored under \`refs/session-sync/\`.

      Where an agent has settings of a project (\`.claude/settings.json\`), hooks go there, so that a team has them when it
      commits the file; where session-sync is not installed they do nothing. With \`--local\` they go into the person's own
      settings of this project (\`.claude/settings.local.json\`), and no \`${CONFIG_PATH}\` is written. Agents that have
      hooks for a person only get them in that person's settings, once for all projects; they do nothing in a repository
      that was not set up. \`--project-only\` leaves those files alone. Comments, formatting and foreign hooks stay as they
      are; a file that cannot be understood is not touched. Some agents ask before they run new hooks: then it is said.

      Sessions of agents without hooks are read by \`session-sync sync\`, or kept in step by \`session-sync watch\`.

      \`--snapshot tracked\` keeps the uncommitted changes with a session when a turn ends, \`all\` also new files that are
      not ignored, for \`restore --with-changes\` and \`rewind\`; \`off\` ends it. It stands in \`${CONFIG_PATH}\`.

      Sharing by itself is off unless you ask for it here, for this clone alone; \`--no-auto-push\` and so on end it. What you
      choose stands in the clone's own git configuration (\`session-sync.*\`): no file that comes with a clone can choose it.
      \`--auto-push\` sends sessions after each \`git push\` to their remote, or to where git pushes this project, but for a \`--dry-run\`. \`--auto-pull\`
      fetches them after a \`git pull\` that brought something, and after a bare \`git fetch\`, of which git tells nobody, with the next \`list\` or \`restore\`, or when a worker ends. Both run beside
      you, never ask, never hold up git nor make it fail; \`status\` says how it went. \`--remote\` names the git remote that
      sessions go to and come from; with an address it makes one, \`session-sync\`, that plain git never talks to unless
      named: for sessions that must not lie in a public repository. \`--trailer\` writes \`Session-Sync: <id>\` into the message
      of each commit made while a session was at work in that working tree, or up to ten minutes after. These ride on
      hooks of git; what a hook did before, it does as before.

      \`--dry-run\` shows what would be written. \`--force\` also registers hooks for agents that are not found here.
      Running \`init\` again changes nothing, or repairs what is missing.
    `,
    examples: [
      [`Set up this repository, for the team`, `$0 init`],
      [`Share sessions whenever you share code`, `$0 init --auto-push --auto-pull`],
      [`Keep sessions out of a public repository`, `$0 init --auto-push --remote git@example.com:shop-sessions.git`],
      [`Only for yourself`, `$0 init --local`],
      [`Touch no file outside this repository`, `$0 init --project-only`],
      [`See what would change`, `$0 init --dry-run`],
    ],
  });

  local = Option.Boolean(`--local`, false, {description: `Register hooks in your own settings of this project, not in the shared ones`});
  projectOnly = Option.Boolean(`--project-only`, false, {description: `Register no hooks in your own settings for all projects`});
  snapshot = Option.String(`--snapshot`, {description: `Keep uncommitted files with sessions: off, tracked or all`});
  force = Option.Boolean(`--force`, false, {description: `Also register hooks for agents that are not found on this machine`});
  autoPush = Option.Boolean(`--auto-push`, {description: `Send sessions after each git push`});
  autoPull = Option.Boolean(`--auto-pull`, {description: `Fetch sessions after each git pull`});
  trailer = Option.Boolean(`--trailer`, {description: `Name sessions at work in commit messages`});
  remote = Option.String(`--remote`, {description: `Where sessions go to and come from: the name of a git remote, or an address`});
  dryRun = Option.Boolean(`--dry-run`, false, {description: `Show what would be written, and write nothing`});

  async run() {
    const project = await this.project();
    if (project.repository.workTree === null)
      throw new CommandError(`BARE_REPOSITORY`, `This is a bare repository: agents have no working folder here, so that there is nothing to keep.`);

    const settings = this.settings(await readConfig(project.root));
    const found = await this.detect();
    const sources = found.filter(({agent, detection}) => agent.source !== undefined && (detection.found || this.force));
    const hooked = sources.filter(({agent}) => agent.hooks !== undefined && (agent.hooks.scope === `project` || !this.projectOnly));
    if (sources.length === 0) {
      const known = agents.filter(agent => agent.source !== undefined).map(agent => agent.name).join(`, `);
      throw new CommandError(`NO_AGENT`, `No agent whose sessions can be followed was found here (${known}). Install one, or use --force to register its hooks all the same.`);
    }

    // All changes are worked out before the first one is made: a settings file that is not understood stops everything.
    const changes = await Promise.all(hooked.map(async ({agent}) => await this.plan(project, agent)));
    const sharing = await planSharing(project, {autoPush: this.autoPush, autoPull: this.autoPull, trailer: this.trailer, remote: this.remote});
    for (const change of changes)
      await this.apply(change);
    for (const {agent} of hooked.filter(({agent}) => agent.hooks!.confirm !== undefined))
      this.say(agent.hooks!.confirm!);
    if (settings.changed) {
      this.say(`${this.dryRun ? `Would write` : `Wrote`} ${CONFIG_PATH}`);
      if (!this.dryRun)
        await writeConfig(project.root, settings.config);
    }
    if (!this.dryRun)
      await activate(project);
    const hooks = await this.share(project, sharing);

    const silent = sources.filter(({agent}) => agent.source!.fetch === undefined && !hooked.some(one => one.agent === agent)).map(({agent}) => agent.name);
    for (const {agent} of sources.filter(({agent}) => agent.source!.fetch !== undefined))
      this.say(`${agent.name} keeps its sessions elsewhere: \`session-sync import --agent ${agent.id}\` brings one here.`);
    if (silent.length > 0)
      this.say(`${silent.join(`, `)}: no hooks here; \`session-sync sync\` reads these sessions, \`session-sync watch\` keeps them in step.`);
    const targets = found.filter(({agent, detection}) => agent.target !== undefined && agent.target.consent === undefined && detection.found).map(({agent}) => agent.name);
    this.say(`Sessions of ${sources.map(({agent}) => agent.name).join(`, `)} ${this.dryRun ? `would be` : `are`} kept in this repository's git${targets.length > 0 ? ` and mirrored into ${targets.join(`, `)}` : ``}.`);
    if (targets.length === 0)
      this.say(`No agent to mirror into was found on this machine; one that is installed later is taken up by itself.`);
    const {snapshot = `off`} = settings.config;
    if (snapshot !== `off`)
      this.say(`When a turn ends, uncommitted changes ${snapshot === `all` ? `and new files that are not ignored ` : ``}are kept with the session.`);
    if (!this.dryRun) {
      this.say(`Older sessions: \`session-sync sync\`. What is kept: \`session-sync status\`.${sharing.after.autoPush ? `` : ` Nothing leaves this machine until you push it:`}`);
      if (!sharing.after.autoPush)
        this.say(sharing.after.remote === null ? `  git push origin 'refs/session-sync/*'` : `  session-sync push`);
    }
    return this.done({
      dryRun: this.dryRun,
      snapshot,
      agents: found.map(({agent, detection}) => ({id: agent.id, ...detection})),
      settings: changes.map(({file, changed, summary}) => ({file, changed, summary})),
      sharing: sharing.after, hooks,
    }, hooks.some(({problem}) => problem !== undefined) ? 2 : 0);
  }

  private async share(project: Project, plan: SharingPlan) {
    const hooks = await applySharing(project, plan, {dryRun: this.dryRun});
    for (const {file, changed, problem} of hooks) {
      if (problem !== undefined)
        this.warn(problem);
      else if (changed)
        this.say(`${this.dryRun ? `Would change` : `Changed`} ${shownPath(project, file)}, a hook of git`);
    }
    const {remote} = plan.after;
    if (remote !== null && remote !== plan.before.remote)
      this.say(`Sessions ${this.dryRun ? `would` : `will`} go to and come from ${plan.address === null ? await shownAddress(project, remote) : `${safe(remote)} (${safe(publicUrl(plan.address))})`}, a remote of this clone's own configuration.`);
    const described = await describeSharing(project, plan.after, this.context.now().getTime());
    if (described !== null)
      this.say(described);
    return hooks;
  }

  /** What is to stand in the project's configuration. */
  private settings(before: Config | null): {config: Config; changed: boolean} {
    const mode = SNAPSHOT_MODES.find(known => known === this.snapshot);
    if (this.snapshot !== undefined && mode === undefined)
      throw new CommandError(`BAD_SNAPSHOT`, `${safe(this.snapshot)} is no way to keep uncommitted files: ${SNAPSHOT_MODES.join(`, `)}.`);
    if (mode !== undefined && this.local)
      throw new CommandError(`BAD_SNAPSHOT`, `--snapshot stands in ${CONFIG_PATH}, which --local does not write.`);
    const config: Config = {...before ?? DEFAULT_CONFIG, ...mode !== undefined ? {snapshot: mode} : {}};
    return {config, changed: !this.local && (before === null || (mode !== undefined && mode !== before.snapshot))};
  }

  private async detect() {
    const found: Array<{agent: AgentAdapter; detection: Detection}> = [];
    // Side by side: each starts a program to learn its version.
    const detections = await Promise.all(agents.map(async agent => await agent.detect(this.context.machine)));
    for (const [index, agent] of agents.entries()) {
      const detection = detections[index]!;
      found.push({agent, detection});
      this.say(`${detection.found ? `Found` : `Not here:`} ${agent.name}${detection.version ? ` ${safe(detection.version)}` : ``}`);
      for (const note of detection.notes)
        this.warn(`  ${note}`);
    }
    return found;
  }

  private async plan(project: Project, agent: AgentAdapter) {
    const file = agent.hooks!.settingsPath(this.context.machine, project.root, {local: this.local});
    const before = await readIfThere(file);
    let after: {text: string; summary: Array<string>};
    try {
      after = agent.hooks!.install(before);
    } catch (error) {
      throw new CommandError(`SETTINGS_UNREADABLE`, `${shownPath(project, file)} was left as it is: ${(error as Error).message}`);
    }
    return {file: shownPath(project, file), path: file, text: after.text, changed: after.text !== before, summary: after.summary, scope: agent.hooks!.scope};
  }

  private async apply(change: {file: string; path: string; text: string; changed: boolean; summary: Array<string>; scope: `project` | `user`}) {
    if (!change.changed) {
      this.say(`${change.file} has our hooks already`);
      return;
    }
    this.say(`${this.dryRun ? `Would change` : `Changed`} ${change.file}:`);
    for (const line of change.summary)
      this.say(`  ${line}`);
    if (!this.dryRun)
      await writeSettings(change.path, change.text, change.scope);
  }
}

/** A file of the project by its name there, another one as it is. */
export function shownPath(project: Project, file: string) {
  const relative = path.relative(project.root, file);
  return relative.startsWith(`..`) || path.isAbsolute(relative) ? file : relative;
}

/** The mode of a file that was there stays. A new one of the team is an ordinary one, one of the person is the person's only. */
export async function writeSettings(file: string, text: string, scope: `project` | `user`) {
  const {stat} = await import(`node:fs/promises`);
  const mode = await stat(file).then(info => info.mode & 0o777, () => scope === `project` ? 0o644 : 0o600);
  await writeAtomic(file, text, {mode});
}
