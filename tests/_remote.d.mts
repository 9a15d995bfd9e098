export type SyntheticSession = {session: string; writer: string; ref: string; commit: string; header: Record<string, any>};

/** A bare remote of a team, made by `git fast-import`: the same arguments, the same objects. */
export declare function makeRemote(folder: string, options: {
  env: NodeJS.ProcessEnv;
  sessions: number;
  writers?: number;
  /** Commits of the project itself, on `main`. */
  commits?: number;
  /** Bytes of each session's records, and of its native lines. */
  bytes?: number;
}): Array<SyntheticSession>;

/** The same project without a session. */
export declare function withoutSessions(folder: string, remote: string, env: NodeJS.ProcessEnv): void;
