import type {StoredHeader} from '../store/types.ts';

/** What the checkout is beside what the session was recorded with. */
export type Checkout = {branch?: string; commit?: string; dirty: boolean};

export type Distance = {
  /** The recorded commit is not in this repository. */
  missing: boolean;
  /** Commits that the checkout has and the session had not, and the other way round; null when unknown. */
  ahead: number | null;
  behind: number | null;
};

/** Whether the history was rewritten, and the branch has another name or was deleted. */
export type Changes = {rewritten?: boolean; branchGone?: boolean};

/** Sentences for a person: what differs between the session's working tree and this one, and how to get there. */
export function describeDifference(header: Pick<StoredHeader, `branch` | `commit` | `dirty` | `worktree`>, checkout: Checkout, distance: Distance, {rewritten = false, branchGone = false}: Changes = {}): Array<string> {
  const said: Array<string> = [];
  const short = (commit: string) => commit.slice(0, 8);
  if (header.commit === undefined) {
    said.push(`The session was recorded before the first commit.`);
  } else if (distance.missing) {
    said.push(`The session was recorded at ${short(header.commit)}${header.branch ? ` (${header.branch})` : ``}, which is not in this repository: ${rewritten ? `the history here begins with another commit, so it was rewritten` : `\`git fetch --all\` may bring it`}.`);
  } else if (header.commit !== checkout.commit) {
    const {ahead, behind} = distance;
    const parts = [behind ? `${count(behind, `commit`)} behind` : ``, ahead ? `${count(ahead, `commit`)} ahead` : ``].filter(Boolean);
    said.push(`This checkout is ${parts.length > 0 ? parts.join(` and `) : `at another commit than`}${ahead ? ` of` : ``} ${short(header.commit)}, where the session was recorded: \`git checkout ${short(header.commit)}\`, or \`session-sync restore --checkout\` for a worktree of its own.`);
  }
  if (header.branch !== undefined && checkout.branch !== header.branch)
    said.push(`The session was on branch ${header.branch}${branchGone ? `, which is not here any more (renamed or deleted)` : ``}; ${checkout.branch === undefined ? `no branch is checked out here` : `this is ${checkout.branch}`}.`);
  if (header.dirty === true)
    said.push(`The session's working tree had changes that were not committed; ${header.worktree === undefined ? `they are not part of the session` : `\`session-sync restore --with-changes\` brings them`}.`);
  if (checkout.dirty)
    said.push(`This working tree has changes that are not committed.`);
  return said;
}

function count(number: number, noun: string) {
  return `${number} ${noun}${number === 1 ? `` : `s`}`;
}
