import {describe, expect, it}     from 'vitest';

import {SessionsBehind}           from '../../sources/restore/behind.ts';
import type {StoredSession}       from '../../sources/restore/choose.ts';
import type {Produced}            from '../../sources/interchange/index.ts';
import type {LoggedCommit}        from '../../sources/store/log.ts';
import {joinMarks, markLines, marksOf, noMarks} from '../../sources/store/marks.ts';
import type {Project}             from '../../sources/sync/project.ts';

import {freshRepository, meta, scratch, session as idOf} from '../store/_repo.ts';
import type {Scratch}             from '../store/_repo.ts';

function stored(index: number, more: object): StoredSession {
  const {header} = meta(idOf(index), 1);
  const newest = {session: idOf(index), writer: `0123456789abcdef`, ref: ``, commit: ``, header: {...header, writer: `0123456789abcdef`, sequence: 1, streams: {}, ...more}};
  return {session: idOf(index), newest, copies: [], others: []};
}

async function logged(place: Scratch): Promise<LoggedCommit> {
  const [commit, committed] = (await place.git(`shop`, `log`, `-1`, `--format=%H %ct`)).trim().split(` `);
  return {commit: commit!, parents: [], author: {name: ``, email: ``}, date: ``, committed: Number(committed), subject: ``, trailers: []};
}

function lines(...added: Array<string>) {
  const marks = noMarks();
  markLines(marks, `cart.js`, {added, removed: []});
  return joinMarks(marksOf(marks));
}

async function world() {
  const place = await scratch();
  const store = await freshRepository(place);
  const project = {repository: store.repo, root: place.at(`shop`), machine: {env: place.env}} as unknown as Project;
  const commit = await logged(place);
  const of = async (...sessions: Array<StoredSession>) => (await new SessionsBehind(project, store, sessions).of([commit])).ties.get(commit.commit)!.map(({session, how, maybe}) => [session, how, maybe]);
  const elsewhere = (more: Partial<Produced>): Array<Produced> => [{commit: `e`.repeat(40), by: `call`, time: new Date(commit.committed * 1000).toISOString(), ...more}];
  return {commit, of, elsewhere};
}

describe(`the sessions behind a commit`, () => {
  it(`are a guess only where no other has better`, async () => {
    const {commit, of} = await world();
    const guess = stored(1, {produced: [{commit: commit.commit, by: `time`}]});
    const sure = stored(2, {produced: [{commit: commit.commit, by: `call`}]});
    expect(await of(guess)).toEqual([[idOf(1), `commit`, true]]);
    expect(await of(guess, sure)).toEqual([[idOf(2), `commit`, undefined]]);
  });

  it(`are told by half of the lines of another commit, not by less, nor by those of a later one`, async () => {
    const {commit, of, elsewhere} = await world();
    const held = `export const cart = [];`;
    expect(await of(stored(1, {produced: elsewhere({lines: lines(held, `export const other = 1;`)})}))).toEqual([[idOf(1), `squash`, undefined]]);
    expect(await of(stored(1, {produced: elsewhere({lines: lines(held, `export const other = 1;`, `export const more = 2;`)})}))).toEqual([]);
    expect(await of(stored(1, {produced: elsewhere({lines: lines(held), time: new Date((commit.committed + 3600) * 1000).toISOString()})}))).toEqual([]);
    expect(await of(stored(1, {produced: elsewhere({lines: ``})}))).toEqual([]);
  });

  it(`are found among thousands`, async () => {
    const {of, elsewhere} = await world();
    const many = Array.from({length: 3000}, (_, index) => stored(index, {
      produced: Array.from({length: 10}, (__, at) => ({...elsewhere({})[0]!, commit: `${index}0${at}`.padStart(40, `a`), lines: lines(...Array.from({length: 5}, (___, line) => `export const value${index}_${at}_${line} = 1;`))})),
    }));
    many.push(stored(3001, {produced: elsewhere({lines: lines(`export const cart = [];`)})}));
    expect(await of(...many)).toEqual([[idOf(3001), `squash`, undefined]]);
  }, 60_000);
});
