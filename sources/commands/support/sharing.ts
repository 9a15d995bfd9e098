import {OWN_REMOTE, gitRemote, publicUrl, pushAddress, readOwnRemote, remotes, removeOwnRemote, writeOwnRemote, writeOwnSettings} from '../../store/index.ts';
import type {OwnSettings}            from '../../store/index.ts';
import {lastOutcome}                 from '../../sync/autoShare.ts';
import type {AutoKind}               from '../../sync/autoShare.ts';
import {arrangeHooks, ownSettings}   from '../../sync/gitHooks.ts';
import type {HookChange}             from '../../sync/gitHooks.ts';
import type {Project}                from '../../sync/project.ts';
import {age}                         from '../../terminal/age.ts';
import {safe}                        from '../../terminal/safe.ts';
import {CommandError}                from '../Base.ts';

export type SharingFlags = {autoPush?: boolean | undefined; autoPull?: boolean | undefined; trailer?: boolean | undefined; remote?: string | undefined};
export type SharingPlan = {before: OwnSettings; after: OwnSettings; address: string | null};

const LONGEST_ADDRESS = 2000;

/** What `init` would set, from what is set and what was typed. Throws what a person can mend, before anything is written. */
export async function planSharing(project: Project, flags: SharingFlags): Promise<SharingPlan> {
  const {repository, machine: {env}} = project;
  const before = await ownSettings(project);
  const after = {...before, autoPush: flags.autoPush ?? before.autoPush, autoPull: flags.autoPull ?? before.autoPull, trailer: flags.trailer ?? before.trailer};
  if (Object.values(flags).every(flag => flag === undefined))
    return {before, after, address: null};

  const known = await remotes(repository, env);
  if (flags.remote !== undefined) {
    if (known.includes(flags.remote))
      return {before, after: {...after, remote: flags.remote}, address: null};
    const address = checkAddress(flags.remote);
    if (await readOwnRemote(repository, env) === `foreign`)
      throw new CommandError(`REMOTE_TAKEN`, `There is a remote named ${OWN_REMOTE} that session-sync has not made: rename it (git remote rename), or use it by its name (--remote ${OWN_REMOTE}).`);
    return {before, after: {...after, remote: OWN_REMOTE}, address};
  }

  // Settled now and not at each push: a branch of a colleague's may be set to go to the colleague's copy.
  if ((after.autoPush || after.autoPull) && after.remote === null)
    after.remote = await gitRemote(repository, env, known);
  if ((after.autoPush || after.autoPull) && (after.remote === null || !known.includes(after.remote)))
    throw new CommandError(`NO_REMOTE`, `Where should sessions go? ${after.remote === null ? `There is no remote, or none is the default` : `There is no remote named ${safe(after.remote)} any more`}: session-sync init --remote <name or address>`);
  return {before, after, address: null};
}

function checkAddress(given: string) {
  if (!/[:/]|^[.~]/.test(given))
    throw new CommandError(`NO_REMOTE`, `No remote named ${safe(given)} in this repository's configuration; to make one for sessions, give its address.`);
  if (given.startsWith(`-`) || given.length > LONGEST_ADDRESS || /[\u0000-\u001f\u007f]/.test(given))
    throw new CommandError(`BAD_ADDRESS`, `${safe(given, {width: 60})} is no address of a repository.`);
  return given;
}

export async function applySharing(project: Project, {before, after, address}: SharingPlan, {dryRun}: {dryRun: boolean}): Promise<Array<HookChange>> {
  const {repository, machine: {env}} = project;
  if (!dryRun && address !== null)
    await writeOwnRemote(repository, env, address);
  if (!dryRun)
    await writeOwnSettings(repository, env, before, after);
  return await arrangeHooks(project, after, {dryRun});
}

/** For `uninit`: everything of it off, and out of the configuration. */
export async function endSharing(project: Project, {dryRun}: {dryRun: boolean}): Promise<{hooks: Array<HookChange>; settings: boolean; remote: boolean}> {
  const {repository, machine: {env}, hasGit} = project;
  const before = await ownSettings(project);
  const after: OwnSettings = {remote: null, autoPush: false, autoPull: false, trailer: false};
  const own = hasGit ? await readOwnRemote(repository, env) : null;
  const remote = own !== null && own !== `foreign`;
  const hooks = hasGit ? await applySharing(project, {before, after, address: null}, {dryRun}) : [];
  if (remote && !dryRun)
    await removeOwnRemote(repository, env);
  return {hooks, settings: before.remote !== null || before.autoPush || before.autoPull || before.trailer, remote};
}

/** One line for people: what goes and comes by itself, and how it went last. Null when nothing does. */
export async function describeSharing(project: Project, settings: OwnSettings, now: number): Promise<string | null> {
  const parts: Array<string> = [];
  const remote = safe(settings.remote ?? `nowhere`);
  if (settings.autoPush)
    parts.push(`sessions go to ${remote} after your git push${await last(project, `push`, now)}`);
  if (settings.autoPull)
    parts.push(`${settings.autoPush ? `come` : `sessions come from ${remote}`} after your git pull${await last(project, `pull`, now)}`);
  if (settings.trailer)
    parts.push(`commits name the sessions that were at work`);
  return parts.length === 0 ? null : `Automatic: ${parts.join(`; `)}.`;
}

async function last({paths}: Project, kind: AutoKind, now: number) {
  const outcome = await lastOutcome(paths, kind);
  if (outcome === null)
    return ``;
  const when = age(outcome.at, now);
  return outcome.problem === undefined ? ` (last ${when})` : ` (FAILED ${when}: ${safe(outcome.problem, {width: 200})})`;
}

/** The remote's address without credentials, for people. */
export async function shownAddress({repository, machine: {env}}: Project, remote: string): Promise<string> {
  const address = await pushAddress(repository, env, remote);
  return address === null ? safe(remote) : `${safe(remote)} (${safe(publicUrl(address))})`;
}
