import {describe, expect, it}                                  from 'vitest';

import {verifyHeader}                                          from '../../sources/store/header.ts';
import type {StoredRef}                                        from '../../sources/store/index.ts';

import {SESSION, WRITER, content, feed, freshRepository, lines, scratch, session, sync} from './_repo.ts';
import type {Scratch}                                          from './_repo.ts';

const header = (more: object = {}) => ({
  format: `session-sync/1`, session: SESSION, agent: {id: `codex`, nativeId: `x`}, roots: {}, counts: {}, writer: WRITER, sequence: 1,
  streams: {'rec/main': {bytes: 2, records: 1}}, ...more,
});

/** Files of a tree as nested objects; a leaf is text, or a mode and an id. */
type Files = {[name: string]: string | Buffer | {mode: string; oid: string} | Files};

async function tree(place: Scratch, files: Files): Promise<string> {
  const entries: Array<string> = [];
  for (const [name, value] of Object.entries(files)) {
    if (typeof value === `string` || Buffer.isBuffer(value))
      entries.push(`100644 blob ${await feed(place, `shop`, [`hash-object`, `-w`, `--stdin`], value)}\t${name}`);
    else if (typeof value.mode === `string`)
      entries.push(`${value.mode as string} ${value.mode === `160000` ? `commit` : value.mode === `040000` ? `tree` : `blob`} ${value.oid as string}\t${name}`);
    else
      entries.push(`040000 tree ${await tree(place, value as Files)}\t${name}`);
  }
  return await feed(place, `shop`, [`mktree`, `-z`, `--missing`], entries.map(entry => `${entry}\0`).join(``));
}

async function plant(place: Scratch, files: Files, ref = `refs/session-sync-remotes/origin/s/5e/${SESSION}/${WRITER}`): Promise<StoredRef> {
  const commit = (await place.git(`shop`, `commit-tree`, `-m`, `x`, await tree(place, files))).trim();
  await place.git(`shop`, `update-ref`, ref, commit);
  return {session: SESSION, writer: WRITER, ref, commit, remote: `origin`};
}

const good = (): Files => ({'header.json': JSON.stringify(header()), rec: {[WRITER]: {main: {'0000': {'00': `1\n`}}}}});

describe(`what somebody else stored`, () => {
  it(`is read where it is sound`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const ref   = await plant(place, good());
    expect((await store.list()).refs).toMatchObject([{session: SESSION, remote: `origin`}]);
    expect(await content(store.readStream(ref, `rec/main`))).toEqual(Buffer.from(`1\n`));
    expect(await store.streams(ref)).toEqual([{name: `rec/main`, bytes: 2, records: 1}]);
  });

  it(`is refused where a tree holds anything but plain files and folders with expected names`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const blob  = await feed(place, `shop`, [`hash-object`, `-w`, `--stdin`], `1\n`);
    const head  = (await place.git(`shop`, `rev-parse`, `HEAD`)).trim();
    const wrap  = (chunks: Files): Files => ({...good(), rec: {[WRITER]: {main: chunks}}});

    const cases: {[name: string]: Files} = {
      'a link as a chunk':      wrap({'0000': {'00': {mode: `120000`, oid: blob}}}),
      'a program as a chunk':   wrap({'0000': {'00': {mode: `100755`, oid: blob}}}),
      'a submodule':            wrap({'0000': {'00': {mode: `160000`, oid: head}}}),
      'a folder as a chunk':    wrap({'0000': {'00': {x: `1\n`}}}),
      'a gap':                  wrap({'0000': {'01': `1\n`}}),
      'a folder that is left out': wrap({'0001': {'00': `1\n`}}),
      'a folder that is not full': wrap({'0000': {'00': `1`}, '0001': {'00': `\n`}}),
      'a parent folder':        wrap({'..': {'00': `1\n`}}),
      'another name':           wrap({'0000': {'00': `1\n`, 'x\u001b[2J': `1\n`}}),
      'an empty folder':        wrap({'0000': {'00': {mode: `040000`, oid: await tree(place, {})}}}),
      'a file at the top':      {...good(), 'run.sh': `x`},
      'a link as the header':   {...good(), 'header.json': {mode: `120000`, oid: blob}},
      'a stream as a file':     {...good(), rec: {[WRITER]: {main: `1\n`}}},
      'a blob instead of a tree': {...good(), rec: {mode: `100644`, oid: blob}},
      'more than the header says': wrap({'0000': {'00': `1\n2\n`}}),
      'less than the header says': wrap({'0000': {'00': `1`}}),
      'no stream at all':       {'header.json': JSON.stringify(header())},
    };
    for (const [name, files] of Object.entries(cases)) {
      const ref = await plant(place, files);
      await expect(content(store.readStream(ref, `rec/main`)), name).rejects.toMatchObject({code: `BAD_DATA`});
    }

    for (const files of <Array<Files>>[
      {...good(), rec: {[WRITER]: {main: {'0000': {'00': `1\n`}}, other: {'0000': {'00': `1\n`}}}}},
      {...good(), rec: {[WRITER]: {main: {'0000': {'00': `1\n`}}}, fedcba9876543210: {main: {'0000': {'00': `1\n`}}}}},
      {...good(), native: {[WRITER]: {codex: {'%2E%2E%2Fx': {'0000': {'00': `1\n`}}}}}},
      {'header.json': JSON.stringify(header())},
    ])
      await expect(store.streams(await plant(place, files))).rejects.toMatchObject({code: `BAD_DATA`});

    const missing = await plant(place, wrap({'0000': {'00': {mode: `100644`, oid: `1`.repeat(40)}}}));
    await expect(content(store.readStream(missing, `rec/main`))).rejects.toMatchObject({code: `MISSING_OBJECT`});
  });

  it(`is refused where it is too large, without reading it all`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    const giant = Buffer.alloc(12_000_000, `x`);
    const ref   = await plant(place, {...good(), 'header.json': JSON.stringify(header({streams: {'rec/main': {bytes: giant.length}}})), rec: {[WRITER]: {main: {'0000': {'00': giant}}}}});
    await expect(content(store.readStream(ref, `rec/main`))).rejects.toMatchObject({code: `TOO_LARGE`});
    const medium = await plant(place, {...good(), 'header.json': JSON.stringify(header({streams: {'rec/main': {bytes: 2_000_000}}})), rec: {[WRITER]: {main: {'0000': {'00': giant.subarray(0, 2_000_000)}}}}});
    await expect(content(store.readStream(medium, `rec/main`))).rejects.toMatchObject({code: `TOO_LARGE`});

    const many = await plant(place, {...good(), att: Object.fromEntries(Array.from({length: 100_001}, (_, index) => [index.toString(16).padStart(64, `0`), {mode: `100644`, oid: `1`.repeat(40)}]))});
    await expect(store.readAttachment(many, `0`.repeat(64))).rejects.toMatchObject({code: `TOO_LARGE`});

    // The next question is answered all the same, also among many.
    await plant(place, {...good(), 'header.json': giant});
    await sync(store, session(1), 0, 3);
    const {refs, problems} = await store.list();
    expect(refs.map(one => one.session)).toEqual([session(1)]);
    expect(problems).toMatchObject([{code: `TOO_LARGE`}]);
  });

  it(`is left out of the list and reported, and the others are listed`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    await sync(store, session(1), 0, 3);
    const ref = (id: string, writer = WRITER) => `refs/session-sync-remotes/origin/s/${id.slice(0, 2)}/${id}/${writer}`;
    await plant(place, good(), ref(session(2)));
    await plant(place, {...good(), 'header.json': `{`}, ref(session(3)));
    await plant(place, {...good(), 'header.json': JSON.stringify(header({session: `../../../etc/passwd`}))}, ref(session(4)));
    await plant(place, {'x': `y`}, ref(session(5)));
    await plant(place, good(), `refs/session-sync-remotes/origin/s/zz/${SESSION}/${WRITER}`);
    await plant(place, good(), `refs/session-sync-remotes/origin/s/5e/UPPER-CASE-ID/${WRITER}`);
    await place.git(`shop`, `update-ref`, ref(session(6)), await feed(place, `shop`, [`hash-object`, `-w`, `--stdin`], `x`));

    const {refs, problems} = await store.list();
    expect(refs.map(one => one.session)).toEqual([session(1)]);
    expect(problems.map(({code}) => code).sort()).toEqual([`BAD_DATA`, `BAD_DATA`, `BAD_DATA`, `BAD_DATA`, `BAD_DATA`, `UNSAFE_NAME`, `UNSAFE_NAME`]);
  });
});

describe(`a header`, () => {
  it(`keeps fields that a later version may have`, () => {
    expect(verifyHeader(JSON.stringify(header({later: {x: 1}})))).toMatchObject({later: {x: 1}});
  });

  it(`is refused in a wrong shape`, () => {
    const refused = (json: string, code = `BAD_DATA`) => {
      let error: unknown;
      try {
        verifyHeader(json);
      } catch (caught) {
        error = caught;
      }
      expect(error, json.slice(-200)).toMatchObject({code});
    };
    for (const more of [
      {format: `session-sync/2`}, {session: `../x`}, {writer: `A`}, {sequence: 0}, {sequence: 1.5}, {sequence: `1`}, {agent: null}, {agent: {id: `../x`, nativeId: `x`}}, {counts: {x: -1}},
      {streams: {'rec/../x': {bytes: 1}}}, {streams: {'native/codex/../../x': {bytes: 1}}}, {streams: {'rec/main': {bytes: 1e300}}}, {streams: []}, {title: {toString: 1}},
      {title: `x`.repeat(70_000)}, {lineage: {parent: `../..`, seq: 1}}, {commit: `HEAD`}, {roots: {root: 5}},
    ])
      refused(JSON.stringify(header(more)));
    for (const json of [`null`, `[]`, `7`, ``, `{`, `{"__proto__":{"x":1}}`, `{"x":${`[`.repeat(500_000)}`, `{"x":${`{"y":`.repeat(65)}1${`}`.repeat(66)}`])
      refused(json);
    refused(`"${`x`.repeat(1024 * 1024)}"`, `TOO_LARGE`);
    refused(JSON.stringify(header({counts: Object.fromEntries(Array.from({length: 10_001}, (_, index) => [index, 1]))})), `TOO_LARGE`);
  });

  it(`is one text to whoever writes it: nested strings do not count as depth`, () => {
    expect(verifyHeader(JSON.stringify(header({title: `[[[[{{{{\\"`.repeat(100)})))).toMatchObject({sequence: 1});
  });

  it(`reads back what an append wrote`, async () => {
    const place = await scratch();
    const store = await freshRepository(place);
    await sync(store, SESSION, 0, 2);
    const text = await place.git(`shop`, `show`, `refs/session-sync/s/5e/${SESSION}/${WRITER}:header.json`);
    expect(verifyHeader(text)).toEqual((await store.head(SESSION))!.header);
    expect(lines(0, 2).length).toBe(verifyHeader(text).streams[`rec/main`]!.bytes);
  });
});
