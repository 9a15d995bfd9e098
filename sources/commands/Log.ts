import {Command, Option}                from 'clipanion';
import {lstat}                          from 'node:fs/promises';
import path                             from 'node:path';

import {SessionsBehind}                 from '../restore/behind.ts';
import type {Behind}                    from '../restore/behind.ts';
import {byPrefix, looksLikeId, storedSessions} from '../restore/choose.ts';
import type {StoredSession}             from '../restore/choose.ts';
import type {SessionStore}              from '../store/index.ts';
import {commitLog, isRevision, resolveCommit} from '../store/log.ts';
import type {LoggedCommit}              from '../store/log.ts';
import type {Project}                   from '../sync/project.ts';
import {age}                            from '../terminal/age.ts';
import {safe}                           from '../terminal/safe.ts';

import {BaseCommand, CommandError}      from './Base.ts';
import {describeTie, tieData}           from './support/behind.ts';
import {legsWithCommits}                from './support/legs.ts';
import {chooseSession, knownSessions}   from './support/overview.ts';
import {shortIds}                       from './support/shortIds.ts';

const DEFAULT_MAX = 50;
const MOST_MAX    = 10_000;

export class LogCommand extends BaseCommand {
  static override paths = [[`log`]];

  static override usage = Command.Usage({
    category: `Looking`,
    description: `the sessions behind commits`,
    details: `
      Like \`git log\`, newest first: each commit, and below it the sessions that it comes from, with what ties them to it:

      - \`trailer\`: its message names the session (\`Session-Sync: <id>\`)

      - \`commit\`: the session noted that it made it

      - \`patch\`: it changes the same as a commit that the session made: rebased, amended, picked elsewhere

      - \`squash\`: it has lines of a commit that the session made, together with others: squashed, fixed up

      - \`split\`: it has a part of a commit that the session made, and that was taken apart

      - \`edits\`: it has lines that the session wrote, and a person committed later

      - \`left\`: it commits, by hand, files that were changed and not committed when the session stopped

      A tie with \`?\` is a guess: the session was at work when the commit was made in its working tree, or left its files.

      Takes revisions, ranges and paths as git does (\`main..feature\`, \`src/cart.js\`); a path that is also the name of a
      revision is written with \`./\`. Without one: the newest ${DEFAULT_MAX} commits of HEAD. Commits without a session are
      only counted; \`--all-commits\` shows them.

      \`log <session>\` draws the session's legs: who went on with it where, and the commits that each leg made.
    `,
    examples: [[`What is behind the newest commits?`, `$0 log`], [`Behind a branch`, `$0 log main..feature`], [`Behind a file`, `$0 log -- src/cart.js`], [`What did this session make?`, `$0 log 5e551000`]],
  });

  all = Option.Boolean(`--all-commits`, false, {description: `Also show commits without a session`});
  max = Option.String(`-n,--max-count`, {description: `Look at so many commits (${DEFAULT_MAX})`});
  given = Option.Rest({name: `revision or path`});

  async run() {
    const project = await this.project();
    const store = await this.store(project);
    const {sessions, problems} = await storedSessions(store);
    const {revisions, paths, session} = await this.sort(project, sessions);
    if (session !== null)
      return await this.legs(project, store, session);

    const max = this.limit();
    if (revisions.length === 0 && await resolveCommit(project.repository, this.context.machine.env, `HEAD`) === null) {
      this.say(`There is no commit here yet.`);
      return this.done({commits: [], others: 0, more: false, unread: 0, problems});
    }
    const commits = await commitLog(project.repository, this.context.machine.env, {revisions: revisions.length > 0 ? revisions : [`HEAD`], paths, max: max + 1});
    const cut = commits.splice(max).length > 0;
    const {ties, unread} = await new SessionsBehind(project, store, sessions).of(commits);
    const shown = commits.filter(({commit}) => this.all || ties.get(commit)!.length > 0);
    const ids = shortIds([...sessions, ...[...ties.values()].flat()].map(one => one.session));
    for (const commit of shown)
      this.draw(commit, ties.get(commit.commit)!, ids);
    const others = commits.length - shown.length;
    if (shown.length === 0)
      this.say(`None of ${commits.length} commits has a session that is known here. \`session-sync pull\` fetches those of others.`);
    else if (others > 0)
      this.say(`${others} of ${commits.length} commits without a session were left out (--all-commits).`);
    if (unread.length > 0)
      this.warn(`${unread.length} of ${commits.length} commits could not be compared with what sessions made: their files are not in this clone. \`git backfill\`, or \`git log -p\`, fetches them.`);
    if (cut)
      this.say(`There are older ones: -n ${max * 2}`);
    for (const problem of problems)
      this.warn(`${problem.ref} was left out: ${problem.message}`);
    return this.done({
      commits: shown.map(({commit, subject, author, date}) => ({commit, subject, author, date, sessions: ties.get(commit)!.map(tieData)})), others, more: cut, unread: unread.length, problems,
    });
  }

  private draw({commit, subject, author, date}: LoggedCommit, behind: Array<Behind>, ids: Map<string, string>) {
    this.say(`${commit.slice(0, 10)}  ${safe(subject, {width: 70})}  (${safe(author.name, {width: 24})}, ${age(date, this.context.now().getTime())})`);
    for (const tie of behind)
      this.say(`  ${describeTie(tie, this.context.now().getTime(), ids)}`);
  }

  private async legs(project: Project, store: SessionStore, session: string) {
    const {sessions} = await knownSessions(project, store);
    const {lines, legs} = await legsWithCommits(project, sessions, chooseSession(sessions, session).session);
    for (const line of lines)
      this.say(line);
    return this.done({session, legs});
  }

  private limit() {
    const max = Number(this.max ?? DEFAULT_MAX);
    if (!Number.isInteger(max) || max < 1 || max > MOST_MAX)
      throw new CommandError(`BAD_USAGE`, `-n takes a number from 1 to ${MOST_MAX}.`);
    return max;
  }

  /** What each argument is: as git does it, and the id of a session where it is neither. */
  private async sort(project: Project, sessions: Array<StoredSession>) {
    const {repository} = project;
    const revisions: Array<string> = [];
    const paths: Array<string> = [];
    for (const given of this.given) {
      const isPath = repository.workTree !== null && await lstat(path.resolve(this.context.cwd, given)).then(() => true, () => false);
      const isRev = await isRevision(repository, this.context.machine.env, given);
      if (isPath && isRev)
        throw new CommandError(`AMBIGUOUS`, `${safe(given)} is a revision and a path: ./${safe(given)} is the path, ${safe(given)}~0 the revision.`);
      const candidates = isPath || isRev || !looksLikeId(given) ? [] : byPrefix(sessions, given);
      if (candidates.length > 0 && this.given.length === 1)
        return {revisions, paths, session: given};
      if (isRev)
        revisions.push(given);
      else if (given.includes(`..`) && !isPath && !/[/\\]/.test(given))
        throw new CommandError(`BAD_REVISION`, `${safe(given)} is no range of revisions that git knows here.`);
      else
        paths.push(this.pathspec(project, given, isPath));
    }
    return {revisions, paths, session: null};
  }

  private pathspec({repository: {workTree}}: Project, given: string, exists: boolean) {
    if (workTree === null)
      throw new CommandError(`NO_WORKING_TREE`, `${safe(given)} is no revision, and there is no working tree whose path it could be.`);
    const relative = path.relative(workTree, path.resolve(this.context.cwd, given));
    if (relative === `..` || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative))
      throw new CommandError(`OUTSIDE`, `${safe(given)} lies outside of the working tree.`);
    return `:(${!exists && /[*?[]/.test(given) ? `glob` : `literal`})${relative.split(path.sep).join(`/`)}`;
  }
}
