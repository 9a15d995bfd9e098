import {git, runGit}       from './git.ts';
import type {MachineEnv}   from './git.ts';
import type {Repository}   from './types.ts';

/**
 * What a person has opted into for this clone: `session-sync.*` of the clone's own git configuration. Nothing that comes
 * with a clone can set it: not a committed file, nor one that the configuration includes.
 */
export type OwnSettings = {
  /** Name of the git remote that sessions go to and come from. */
  remote: string | null;
  autoPush: boolean;
  autoPull: boolean;
  trailer: boolean;
};

export const NO_SETTINGS: OwnSettings = {remote: null, autoPush: false, autoPull: false, trailer: false};

const CONFIG = [`config`, `--local`, `--no-includes`];

export async function readOwnSettings(repo: Repository, env: MachineEnv): Promise<OwnSettings> {
  const {stdout} = await runGit([...CONFIG, `-z`, `--get-regexp`, `^session-sync\\.`], {repo, env});
  const values = new Map<string, string | null>();
  for (const entry of stdout.split(`\0`).filter(one => one !== ``)) {
    const newline = entry.indexOf(`\n`);
    values.set(newline < 0 ? entry : entry.slice(0, newline), newline < 0 ? null : entry.slice(newline + 1));
  }
  // A name without a value means yes, as git has it.
  const isOn = (name: string) => values.has(`session-sync.${name}`) && /^(?:true|yes|on|1)$/i.test(values.get(`session-sync.${name}`) ?? `true`);
  return {remote: values.get(`session-sync.remote`) || null, autoPush: isOn(`autopush`), autoPull: isOn(`autopull`), trailer: isOn(`trailer`)};
}

/** Writes what differs from `before`; what is off or null is not in the configuration. */
export async function writeOwnSettings(repo: Repository, env: MachineEnv, before: OwnSettings, after: OwnSettings) {
  for (const name of [`remote`, `autoPush`, `autoPull`, `trailer`] as const) {
    const value = after[name];
    if (value !== before[name])
      await git([...CONFIG, ...value === null || value === false ? [`--unset-all`, `session-sync.${name}`] : [`--replace-all`, `session-sync.${name}`, String(value)]], {repo, env});
  }
}

/** The name of the remote that we make for an address. */
export const OWN_REMOTE = `session-sync`;

/** The address of the remote that we made, or null; `foreign` when somebody else has one of that name. */
export async function readOwnRemote(repo: Repository, env: MachineEnv): Promise<{url: string} | `foreign` | null> {
  const read = async (name: string) => {
    const {code, stdout} = await runGit([...CONFIG, `-z`, `--get`, `remote.${OWN_REMOTE}.${name}`], {repo, env});
    return code === 0 ? stdout.replace(/\0$/, ``) : null;
  };
  const url = await read(`url`);
  return url === null ? null : await read(`sessionSync`) === `true` ? {url} : `foreign`;
}

/**
 * Makes a remote for sessions, or gives ours another address. It has no refspec and is passed over by `git fetch --all`,
 * so that plain git never talks to it unless it is named.
 */
export async function writeOwnRemote(repo: Repository, env: MachineEnv, url: string) {
  for (const [name, value] of [[`url`, url], [`sessionSync`, `true`], [`skipFetchAll`, `true`], [`skipDefaultUpdate`, `true`], [`tagOpt`, `--no-tags`]] as const)
    await git([...CONFIG, `--replace-all`, `remote.${OWN_REMOTE}.${name}`, value], {repo, env});
}

/** Takes the remote that we made out of the configuration; what was fetched from it stays. */
export async function removeOwnRemote(repo: Repository, env: MachineEnv) {
  await git([...CONFIG, `--remove-section`, `remote.${OWN_REMOTE}`], {repo, env});
}
