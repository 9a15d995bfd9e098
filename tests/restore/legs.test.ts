import {describe, expect, it}         from 'vitest';

import type {Lineage, NeutralRecord, Repair} from '../../sources/interchange/index.ts';
import {readHistory}                  from '../../sources/restore/history.ts';
import type {Stored}                  from '../../sources/restore/history.ts';
import {forksOf}                      from '../../sources/restore/forks.ts';
import type {SessionStore}            from '../../sources/store/index.ts';

const ID = (name: string) => `5e551000-0000-4000-8000-${name.padStart(12, `0`)}`;

type Given = {session: string; writer?: string; from?: number; lineage?: Lineage; texts: Array<string>; updated?: string; id?: (text: string) => string};

/** A store that holds what it is given, and nothing of git. */
function storeOf(given: Array<Given>) {
  const lines = new Map<string, string>();
  const refs = given.map(({session, writer = `0123456789abcdef`, from = 0, lineage, texts, updated, id}): Stored => {
    lines.set(`${session} ${writer}`, texts.map((text, index) => `${JSON.stringify({id: id?.(text), kind: `reply`, seq: from + index, text})}\n`).join(``));
    return {
      session, writer, ref: `refs/session-sync/s/5e/${session}/${writer}`, commit: `0`.repeat(40),
      header: {
        format: `session-sync/1`, session, agent: {id: `codex`, nativeId: session}, roots: {}, counts: {}, writer, sequence: 1,
        streams: {'rec/main': {bytes: 1, records: texts.length}}, ...lineage !== undefined ? {lineage} : {}, ...updated !== undefined ? {updated} : {},
      },
    };
  });
  const store = {
    list: async () => ({refs, problems: []}),
    async * readStream({session, writer}: Stored) {
      yield Buffer.from(lines.get(`${session} ${writer}`)!);
    },
  } as unknown as SessionStore;
  return {store, refs};
}

async function historyOf(given: Array<Given>, repairs: Array<Repair> = []) {
  const {store, refs} = storeOf(given);
  const records: Array<NeutralRecord> = [];
  for await (const record of readHistory(store, refs[0]!, {roots: {}, platform: `linux`, repairs}))
    records.push(record);
  return records.map(record => `${record.seq} ${record.kind === `reply` ? record.text : record.kind}`);
}

const goesOn = (parent: string, seq: number, more: Partial<Lineage> = {}): Lineage => ({parent: ID(parent), seq, source: 1, ...more});

describe(`the history of a session with several legs`, () => {
  it(`is that of the parents up to where each was left, then its own`, async () => {
    expect(await historyOf([
      {session: ID(`c`), from: 3, lineage: goesOn(`b`, 3), texts: [`d`, `e`]},
      {session: ID(`b`), from: 2, lineage: goesOn(`a`, 2), texts: [`c`, `not seen by c`]},
      {session: ID(`a`), texts: [`a`, `b`, `not seen by b`]},
    ])).toEqual([`0 a`, `1 b`, `2 c`, `3 d`, `4 e`]);
  });

  it(`leaves out a leg of which the next one has nothing`, async () => {
    expect(await historyOf([
      {session: ID(`c`), from: 2, lineage: goesOn(`b`, 2), texts: [`c`]},
      {session: ID(`b`), from: 2, lineage: goesOn(`a`, 2), texts: [`not seen`]},
      {session: ID(`a`), texts: [`a`, `b`]},
    ])).toEqual([`0 a`, `1 b`, `2 c`]);
  });

  it(`takes the parent's fork that it comes from`, async () => {
    expect(await historyOf([
      {session: ID(`b`), from: 2, lineage: goesOn(`a`, 2, {writer: `bbbbbbbbbbbbbbbb`}), texts: [`c`]},
      {session: ID(`a`), writer: `aaaaaaaaaaaaaaaa`, texts: [`a`, `of alice`, `more`]},
      {session: ID(`a`), writer: `bbbbbbbbbbbbbbbb`, texts: [`a`, `of bob`]},
    ])).toEqual([`0 a`, `1 of bob`, `2 c`]);
  });

  it(`keeps the numbers right where a part is not known, and says so`, async () => {
    const repairs: Array<Repair> = [];
    expect(await historyOf([{session: ID(`b`), from: 2, lineage: goesOn(`a`, 2), texts: [`c`]}], repairs)).toEqual([`0 note`, `1 note`, `2 c`]);
    expect(repairs).toMatchObject([{code: `missing-part`, message: expect.stringContaining(ID(`a`))}]);
    expect(await historyOf([{session: ID(`b`), from: 3, lineage: goesOn(`a`, 3), texts: [`d`]}, {session: ID(`a`), texts: [`a`]}])).toEqual([`0 a`, `1 note`, `2 note`, `3 d`]);
  });

  it.each<[string, Array<Given>]>([
    [`goes on from itself`, [{session: ID(`a`), from: 1, lineage: goesOn(`a`, 1), texts: [`b`]}]],
    [`goes round in a circle`, [{session: ID(`a`), from: 5, lineage: goesOn(`b`, 5), texts: [`b`]}, {session: ID(`b`), from: 4, lineage: goesOn(`a`, 4), texts: [`a`]}]],
    [`begins before its parent`, [{session: ID(`b`), from: 1, lineage: goesOn(`a`, 1), texts: [`b`]}, {session: ID(`a`), from: 7, lineage: goesOn(`c`, 7), texts: [`a`]}]],
    [`claims more before it than anybody has`, [{session: ID(`b`), from: 2 ** 40, lineage: goesOn(`a`, 2 ** 40), texts: [`b`]}]],
  ])(`refuses one that %s`, async (_, given) => {
    await expect(historyOf(given)).rejects.toMatchObject({code: `BAD_DATA`});
  });
});

describe(`the forks of a session`, () => {
  const forks = async (...given: Array<Omit<Given, `session`>>) => {
    const {store, refs} = storeOf(given.map(one => ({session: ID(`a`), ...one})));
    return (await forksOf(store, {newest: refs[0]!, others: refs.slice(1)})).map(({name, since, writers}) => `${name} ${since} ${writers.map(writer => writer[0]).join(``)}`);
  };
  const [a, b, c] = [`a`, `b`, `c`].map(letter => letter.repeat(16)) as [string, string, string];

  it(`are one where everybody has the same, or a part of it`, async () => {
    expect(await forks({writer: a, texts: [`1`, `2`]}, {writer: b, texts: [`1`, `2`, `3`]}, {writer: c, texts: []})).toEqual([`bbbbbbbb 3 bac`]);
  });

  it(`are as many as ways, from the first record that differs, in whatever order they are looked at`, async () => {
    const given = [{writer: a, texts: [`1`, `2`, `A`], updated: `2026-01-02T00:00:00.000Z`}, {writer: b, texts: [`1`, `B`], updated: `2026-01-03T00:00:00.000Z`}, {writer: c, texts: [`1`, `2`], updated: `2026-01-01T00:00:00.000Z`}];
    const expected = [`bbbbbbbb 1 b`, `aaaaaaaa 1 ac`];
    expect(await forks(...given)).toEqual(expected);
    expect(await forks(...given.slice().reverse())).toEqual(expected);
  });

  it(`are named so that each name means one`, async () => {
    expect(await forks({writer: `aaaaaaaaaaaaaaa1`, texts: [`1`]}, {writer: `aaaaaaaaaaaaaaa2`, texts: [`2`]})).toEqual([`aaaaaaaaaaaaaaa1 0 a`, `aaaaaaaaaaaaaaa2 0 a`]);
  });

  it(`know a record again by its agent's id`, async () => {
    expect(await forks({writer: a, texts: [`/home/alice`], id: () => `x`}, {writer: b, texts: [`/Users/bob`], id: () => `x`})).toHaveLength(1);
    expect(await forks({writer: a, texts: [`/home/alice`], id: text => text}, {writer: b, texts: [`/Users/bob`], id: text => text})).toHaveLength(2);
  });
});
