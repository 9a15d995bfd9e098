import type {Machine} from '../../types.ts';

/** What tells apart the agents that share OpenCode's code. */
export type Variant = {
  id: string;
  name: string;
  /** Name of the program on PATH, of its folders (`~/.local/share/<program>`) and of its files (`<program>.db`, `<program>.json`). */
  program: string;
  proven: string;
  /** Begin of the names in the environment that it listens to. */
  prefix: string;
  /** The agent profile that a session runs in when nothing else is said. */
  profile: string;
};

/** A name in the environment that this agent listens to; undefined where it is not set or empty. */
export function setting({env}: Pick<Machine, `env`>, {prefix}: Variant, name: string): string | undefined {
  return env[`${prefix}_${name}`] || undefined;
}
