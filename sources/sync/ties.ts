import type {Json, NeutralRecord, PathList, SessionHeader} from '../interchange/index.ts';
import type {GitState, Repository, StoredHeader} from '../store/types.ts';
import {StoreError}                  from '../store/types.ts';

import {Evidence}                    from '../store/evidence.ts';
import {ProducedCommits}             from './produced.ts';
import type {Project}                from './project.ts';

const MOST_FILES = 200;

export type TiesOptions = {
  project: Project;
  author: () => Promise<{name: string; email: string}>;
  /** Working trees of the project, and the folder that the session calls its root. */
  folders: () => Array<string>;
  /** Text as it may go into git. */
  clean: (text: string) => Promise<string>;
};

/** What ties a session to the code: the files that it changed, and the commits that it made. */
export class CodeTies {
  private readonly evidence: Evidence;
  private readonly produced: ProducedCommits;

  constructor(private readonly options: TiesOptions, saved?: Json) {
    this.evidence = new Evidence(options.folders, saved);
    this.produced = new ProducedCommits({project: options.project, author: options.author, evidence: this.evidence});
  }

  see(stream: string, record: NeutralRecord, foreign: boolean) {
    this.evidence.see(stream, record, foreign);
  }

  save(): Json {
    return this.evidence.save();
  }

  /** Fields of the header. `repository`: with the session's own working tree. A git that fails is no reason not to keep the session: then it is what was known before. */
  async header(base: StoredHeader | null, git: GitState, at: {repository: Repository; created?: string; updated?: string; branch?: string}): Promise<Pick<SessionHeader, `changes` | `edited` | `produced`>> {
    const {branch = git.branch, repository, created, updated} = at;
    const produced = await this.produced.at({base, repository, ...created !== undefined ? {created} : {}, ...updated !== undefined ? {updated} : {}, ...branch !== undefined ? {branch} : {}}).catch(error => {
      if (!(error instanceof StoreError))
        throw error;
      return base?.produced ?? [];
    });
    const written = this.evidence.files();
    const edited  = written.length > 0 ? {files: written.slice(0, MOST_FILES)} : base?.edited;
    return {
      ...git.changes !== undefined ? {changes: await this.public(git.changes)} : {},
      ...edited !== undefined ? {edited: await this.public(edited)} : {},
      ...produced.length > 0 ? {produced} : {},
    };
  }

  /** Names of files as they may go into git: without what looks like a secret. */
  private async public(list: PathList): Promise<PathList> {
    const {clean} = this.options;
    const cleaned = (await clean(list.files.map(file => file.replaceAll(`\n`, ` `)).join(`\n`))).split(`\n`);
    const files = cleaned.length === list.files.length ? cleaned : await Promise.all(list.files.map(clean));
    return {...list, files: files.map(file => file.slice(0, 4000))};
  }
}
