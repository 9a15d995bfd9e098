import {describe, expect, it} from 'vitest';

import {asTree}               from '../../sources/commands/support/tree.ts';

const one = (session: string, parent?: string) => ({session, ...parent === undefined ? {} : {lineage: {parent}}});
const drawn = (...sessions: Array<ReturnType<typeof one>>) => asTree(sessions).map(({session, prefix}) => `${prefix}${session.session}`);

describe(`the tree of sessions`, () => {
  it(`has each under the one that it goes on from`, () => {
    expect(drawn(one(`d`, `b`), one(`a`), one(`c`, `a`), one(`b`, `a`), one(`e`))).toEqual([`a`, `├─ c`, `└─ b`, `   └─ d`, `e`]);
  });

  it(`has those whose parent is not known by themselves`, () => {
    expect(drawn(one(`a`, `gone`), one(`b`, `a`))).toEqual([`a`, `└─ b`]);
  });

  it(`has each once, also when they name one another`, () => {
    expect(drawn(one(`a`, `b`), one(`b`, `a`), one(`c`, `c`)).map(line => line.replace(/^[^a-z]*/, ``)).sort()).toEqual([`a`, `b`, `c`]);
  });
});
