import type {JsonObject}        from '../../interchange/index.ts';
import {objectAt, stringAt}     from '../values.ts';
import type {ReaderFacts}       from '../types.ts';

type State = {
  nativeId?: string;
  version?: string;
  cwd?: string;
  branch?: string;
  commit?: string;
  /** What the records have said so far. */
  said: {cwd?: string; branch?: string; commit?: string};
};

/** Where a session runs. The next record says what has changed. */
export class Surroundings {
  private readonly state: State;

  constructor(saved?: State) {
    this.state = structuredClone(saved) ?? {said: {}};
  }

  /** Data of `session.start`, `session.resume`, or of a change of the folder, which has no `context` around it. */
  see(data: JsonObject) {
    const context = objectAt(data, `context`) ?? data;
    const {state} = this;
    state.nativeId ??= stringAt(data, `sessionId`)?.slice(0, 200);
    state.version = stringAt(data, `copilotVersion`)?.slice(0, 40) ?? state.version;
    state.cwd = stringAt(context, `cwd`)?.slice(0, 4096) ?? state.cwd;
    state.branch = stringAt(context, `branch`)?.slice(0, 1024) || state.branch;
    state.commit = stringAt(context, `headCommit`)?.slice(0, 100) || state.commit;
  }

  changed(): {cwd?: string; head?: {branch?: string; commit?: string}} {
    const {cwd, branch, commit, said} = this.state;
    const fields: ReturnType<Surroundings[`changed`]> = {};
    if (cwd !== undefined && cwd !== said.cwd)
      fields.cwd = said.cwd = cwd;
    if (branch !== undefined && branch !== said.branch)
      fields.head = {branch: said.branch = branch};
    if (commit !== undefined && commit !== said.commit)
      fields.head = {...fields.head, commit: said.commit = commit};
    return fields;
  }

  facts(): Pick<ReaderFacts, `nativeId` | `version` | `cwd` | `branch`> {
    const {nativeId, version, cwd, branch} = this.state;
    return {
      ...nativeId === undefined ? {} : {nativeId},
      ...version === undefined ? {} : {version},
      ...cwd === undefined ? {} : {cwd},
      ...branch === undefined ? {} : {branch},
    };
  }

  save(): State {
    return structuredClone(this.state);
  }
}
