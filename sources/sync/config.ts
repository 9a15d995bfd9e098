import path                                    from 'node:path';
import * as t                                  from 'typanion';

import {stableJson}                            from '../interchange/index.ts';
import {readIfThere, writeAtomic}              from '../system/files.ts';

export const CONFIG_PATH = path.join(`.session-sync`, `config.json`);

export const SNAPSHOT_MODES = [`off`, `tracked`, `all`] as const;
export type SnapshotMode = typeof SNAPSHOT_MODES[number];

/** What a team may share about its sessions. Names no path and no machine. */
export type Config = {
  version: 1;
  /** Agents to mirror into, by id; absent: every agent found on the machine. */
  targets?: Array<string>;
  /** Name of the git remote that `push` and `pull` use; absent: git's own choice. Never a URL. */
  remote?: string;
  /** Uncommitted files that are kept with a session when a turn ends (default \`off\`): \`tracked\` by git, or \`all\` that are not ignored. */
  snapshot?: SnapshotMode;
  redaction?: {
    /** Values of high entropy count as secrets (default true). */
    entropy?: boolean;
    /** Values that are no secrets, as regular expressions. */
    allow?: Array<string>;
    /** Further rules: what `pattern` matches (its first group, if it has one) is a secret. */
    rules?: Array<{id: string; pattern: string}>;
  };
};

function refuse(state: t.ValidationState | undefined, message: string) {
  state?.errors?.push(`${state.p ?? `.`}: ${message}`);
  return false;
}

const isPattern = t.makeValidator<unknown, string>({
  test: (value, state): value is string => {
    if (typeof value !== `string` || value.length > 1000)
      return refuse(state, `Expected a regular expression of at most 1000 characters`);
    try {
      new RegExp(value, `g`);
      return true;
    } catch {
      return refuse(state, `Expected a regular expression`);
    }
  },
});

const isConfig = t.isObject({
  version: t.isLiteral(1),
  targets: t.isOptional(t.isArray(t.cascade(t.isString(), t.matchesRegExp(/^[a-z0-9-]{1,40}$/)))),
  // Looks like a name, not like a URL or a path: a cloned repository must not say where sessions go.
  remote: t.isOptional(t.cascade(t.isString(), t.matchesRegExp(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}$/))),
  snapshot: t.isOptional(t.isEnum(SNAPSHOT_MODES)),
  redaction: t.isOptional(t.isObject({
    entropy: t.isOptional(t.isBoolean()),
    allow: t.isOptional(t.isArray(isPattern)),
    rules: t.isOptional(t.isArray(t.isObject({id: t.cascade(t.isString(), t.matchesRegExp(/^[a-z0-9-]{1,40}$/)), pattern: isPattern}))),
  })),
});

export class ConfigError extends Error {
  readonly code = `BAD_CONFIG`;
}

export const DEFAULT_CONFIG: Config = {version: 1};

/** The project's configuration; null when the project has none. Throws `ConfigError` naming what is wrong. */
export async function readConfig(root: string): Promise<Config | null> {
  const file = path.join(root, CONFIG_PATH);
  const text = await readIfThere(file);
  if (text === null)
    return null;

  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${CONFIG_PATH} is not JSON: ${(error as Error).message}`);
  }
  const errors: Array<string> = [];
  if (!isConfig(value, {errors}))
    throw new ConfigError(`${CONFIG_PATH} is not understood: ${errors.slice(0, 3).join(`; `)}`);
  return value as Config;
}

export async function writeConfig(root: string, config: Config) {
  // Part of the repository, read by the team: an ordinary mode, unlike everything else that we write.
  await writeAtomic(path.join(root, CONFIG_PATH), stableJson(config), {mode: 0o644});
}
