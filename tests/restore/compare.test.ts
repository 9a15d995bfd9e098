import {describe, expect, it}    from 'vitest';

import {describeDifference}      from '../../sources/restore/compare.ts';

const commit = `b0f2f77a11111111111111111111111111111111`;
const other  = `c0ffee0011111111111111111111111111111111`;
const near   = {missing: false, ahead: 0, behind: 0};

describe(`describeDifference`, () => {
  it(`says nothing where nothing differs`, () => {
    expect(describeDifference({branch: `main`, commit, dirty: false}, {branch: `main`, commit, dirty: false}, near)).toEqual([]);
  });

  it.each([
    [{ahead: 1, behind: 0}, `This checkout is 1 commit ahead of b0f2f77a, where`],
    [{ahead: 0, behind: 2}, `This checkout is 2 commits behind b0f2f77a, where`],
    [{ahead: 3, behind: 2}, `This checkout is 2 commits behind and 3 commits ahead of b0f2f77a, where`],
    [{ahead: null, behind: null}, `This checkout is at another commit than b0f2f77a, where`],
  ])(`says in a sentence how far apart they are: %o`, (far, sentence) => {
    const [said] = describeDifference({branch: `main`, commit}, {branch: `main`, commit: other, dirty: false}, {missing: false, ...far});
    expect(said).toContain(sentence);
    expect(said).toContain(`\`git checkout b0f2f77a\``);
  });

  it(`names a commit that is missing, branches and changes`, () => {
    expect(describeDifference({branch: `topic`, commit, dirty: true}, {commit: other, dirty: true}, {missing: true, ahead: null, behind: null})).toEqual([
      `The session was recorded at b0f2f77a (topic), which is not in this repository: \`git fetch --all\` may bring it.`,
      `The session was on branch topic; no branch is checked out here.`,
      `The session's working tree had changes that were not committed; they are not part of the session.`,
      `This working tree has changes that are not committed.`,
    ]);
    expect(describeDifference({}, {dirty: false}, near)).toEqual([`The session was recorded before the first commit.`]);
  });
});
