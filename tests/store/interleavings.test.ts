import * as fs                               from 'node:fs/promises';
import process                               from 'node:process';
import path                                  from 'node:path';
import {expect, it}                          from 'vitest';

import {archive, planArchivedRemoval, planRemoval, prune, pruneArchived, pull, pullArchives, push, readWriter, renewFor, openRepository, removeRefs, unionRefs} from '../../sources/store/index.ts';
import type {SessionStore}                   from '../../sources/store/index.ts';
import {sessionRef, shadowRef}               from '../../sources/store/layout.ts';
import {placeWriter}                         from '../../sources/store/repository.ts';
import {StoreError}                          from '../../sources/store/types.ts';

import fc                                    from '../_properties.ts';
import {SESSION, content, feed, freshRepository, meta, openStore, scratch, session} from './_repo.ts';
import type {Scratch}                        from './_repo.ts';

const SESSIONS = [SESSION, session(1)];
/** Somebody's ref that is no session. */
const BAD      = `badbadbadbadbad0`;
const BAD_REF  = new RegExp(`/${BAD}$`);
const MOST     = 5;
const ORIGIN   = {remote: `origin`};
const SPACES   = `refs/session-sync/*:refs/session-sync/*`;

/** More runs than a test has time for: `SESSION_SYNC_RUNS=500`. */
const RUNS = Number(process.env.SESSION_SYNC_RUNS ?? 12);

type Kind = typeof KINDS[number];
type Step = {kind: Kind; who: number; what: number; much: number};

/** The everyday ones come up more often. */
const KINDS = [
  `append`, `append`, `append`, `append`, `push`, `push`, `push`, `pull`, `pull`, `pull`, `restore`, `restore`,
  `crash`, `lateShadow`, `lateRef`, `lock`, `plainPush`, `plainFetch`, `forcedFetch`, `forcedPush`, `copy`, `copy`, `plainFetch`, `prune`, `pruneAll`, `archive`, `archiveAll`, `pruneArchived`, `archives`,
  `backwards`, `vanish`, `empty`, `bad`, `tidy`, `clean`,
] as const;

/** Without something to share most of what may happen means nothing. */
const BEGIN: Array<Step> = [
  {kind: `append`, who: 0, what: 0, much: 1}, {kind: `push`, who: 0, what: 0, much: 0}, {kind: `pull`, who: 1, what: 0, much: 0}, {kind: `restore`, who: 1, what: 0, much: 0},
  {kind: `append`, who: 1, what: 0, much: 1}, {kind: `append`, who: 1, what: 1, much: 0}, {kind: `push`, who: 1, what: 0, much: 0},
];

/** One clone, and what the agents on its machine have written: the truth. */
type Clone = {name: string; store: SessionStore; transcripts: Map<string, Array<string>>};

/** What `git for-each-ref` says, which is asked for a hundred times in a run. */
async function refsBelow(gitDir: string, prefixes: Array<string>): Promise<Array<{ref: string; oid: string}>> {
  const found = new Map<string, string>();
  for (const line of (await fs.readFile(path.join(gitDir, `packed-refs`), `utf8`).catch(() => ``)).split(`\n`))
    if (/^[0-9a-f]{40} refs\//.test(line))
      found.set(line.slice(41), line.slice(0, 40));
  for (const prefix of prefixes)
    for (const entry of await fs.readdir(path.join(gitDir, prefix), {recursive: true, withFileTypes: true}).catch(() => []))
      if (entry.isFile() && !entry.name.endsWith(`.lock`)) {
        const file = path.join(entry.parentPath, entry.name);
        found.set(path.relative(gitDir, file), (await fs.readFile(file, `utf8`)).trim());
      }

  return [...found].filter(([ref]) => prefixes.some(prefix => ref.startsWith(`${prefix.replace(/\/$/, ``)}/`))).map(([ref, oid]) => ({ref, oid})).sort((a, b) => a.ref < b.ref ? -1 : 1);
}

/** A bare remote and clones of it, by files: git itself needs ten times as long. */
class Team {
  readonly clones: Array<Clone> = [];
  private lines = 0;

  constructor(private readonly place: Scratch, private readonly root: string) {}

  static async begin(place: Scratch, run: number, count: number) {
    const team = new Team(place, `run${run}`);
    await fs.mkdir(place.at(team.root));
    await fs.cp(place.at(`hub.git`), place.at(team.root, `hub.git`), {recursive: true});
    for (let index = 0; index < count; index++)
      await team.add(place.at(`template`), `c${index}`, new Map());
    return team;
  }

  private async add(from: string, name: string, transcripts: Map<string, Array<string>>) {
    await fs.cp(from, this.at(name), {recursive: true});
    const repo = await openRepository(this.at(name), this.place.env);
    if (from === this.place.at(`template`)) {
      await fs.mkdir(this.at(name, `.git`, `session-sync`));
      await placeWriter(repo, `${name}00000000000000`);
    }
    const store = await openStore(this.place, `${this.root}/${name}`, await readWriter(repo));
    store.reader.refs = async prefixes => await refsBelow(this.at(name, `.git`), prefixes);
    const clone = {name, store, transcripts};
    this.clones.push(clone);
    return clone;
  }

  at(...parts: Array<string>) {
    return this.place.at(this.root, ...parts);
  }

  async end() {
    for (const {store} of this.clones)
      await store.close();
    await fs.rm(this.at(), {recursive: true, force: true, maxRetries: 5});
  }

  private async git(name: string, ...args: Array<string>) {
    return await this.place.git(`${this.root}/${name}`, ...args);
  }

  async step({kind, who, what, much}: Step) {
    const clone = this.clones[who % this.clones.length]!;
    const id    = SESSIONS[what % SESSIONS.length]!;
    const {store, name} = clone;
    switch (kind) {
      case `append`: return await this.append(clone, id, 1 + much);
      case `push`: return void await push(store, ORIGIN);
      case `pull`: return void await this.pull(clone);
      case `restore`: return await this.restore(clone, id);
      case `crash`: return await this.crash(clone, id);
      case `lateShadow`: return await this.late(clone, id, shadowRef);
      case `lateRef`: return await this.late(clone, id, sessionRef);
      case `lock`: return await this.lock(clone, id);
      case `plainPush`: return await this.careless(name, `push`, `-q`, `origin`, `refs/session-sync/*`);
      case `plainFetch`: return await this.careless(name, `fetch`, `-q`, `origin`, SPACES);
      case `forcedFetch`: return await this.careless(name, `-c`, `fetch.prune=true`, `fetch`, `-q`, `origin`, `+${SPACES}`);
      case `forcedPush`: return await this.careless(name, `push`, `-q`, `--force`, `origin`, `refs/session-sync/*`);
      case `copy`: return this.clones.length >= MOST ? undefined : void await this.add(this.at(name), `c${this.clones.length}`, new Map([...clone.transcripts].map(([key, lines]) => [key, [...lines]])));
      case `prune`: return await this.remove(clone, prune, {sessions: [id]});
      case `pruneAll`: return await this.remove(clone, prune, {before: Date.now(), others: true});
      case `archive`: return await this.remove(clone, archive, {sessions: [id], dated: true});
      case `archiveAll`: return await this.remove(clone, archive, {before: Date.now(), others: true, dated: true});
      case `pruneArchived`: return await this.remove(clone, pruneArchived, {before: Date.now(), others: true}, planArchivedRemoval);
      case `archives`: return void await pullArchives(store, ORIGIN);
      case `backwards`: return await this.onHub(id, much, ref => `update ${ref} ${ref}^\n`);
      case `vanish`: return await this.onHub(id, much, ref => `delete ${ref}\n`);
      case `empty`: return await this.onHub(null, null, ref => `delete ${ref}\n`);
      case `bad`: return void await this.git(`hub.git`, `update-ref`, sessionRef(id, BAD), `main`);
      case `tidy`: return void await this.git([name, `hub.git`][much % 2]!, `gc`, `-q`, `--prune=now`);
      case `clean`: return await this.clean(clone, id);
    }
  }

  /** What the worker does (`sync/feed.ts`): everything after what the store says that it has. */
  private async sync({store, transcripts}: Clone, id: string, end: (appender: Awaited<ReturnType<SessionStore[`begin`]>>, records: number) => Promise<unknown>) {
    const all = transcripts.get(id)!;
    for (let attempt = 0; ; attempt++) {
      try {
        const appender = await store.begin(id);
        const known    = appender.base?.streams[`rec/main`]?.records ?? 0;
        if (known > 0 && !all.join(``).startsWith((await content(store.readStream((await store.head(id))!, `rec/main`))).toString())) {
          await appender.abort();
          await renewFor(store, id);
          throw new StoreError(`REF_MOVED`, `by a copy`);
        }
        for (const stream of [`rec/main`, `native/claude-code/${id}.jsonl`])
          await appender.append(stream, Buffer.from(all.slice(known).join(``)));
        return await end(appender, all.length);
      } catch (error) {
        if (attempt > 2 || !(error instanceof StoreError) || error.code !== `REF_MOVED`)
          throw error;
      }
    }
  }

  private write({name, transcripts}: Clone, id: string, count: number) {
    const lines = transcripts.get(id) ?? [];
    transcripts.set(id, lines);
    for (let index = 0; index < count; index++)
      lines.push(`{"seq":${lines.length},"by":"${name}","line":${this.lines++}}\n`);
  }

  async append(clone: Clone, id: string, count: number) {
    this.write(clone, id, count);
    await this.sync(clone, id, async (appender, records) => await appender.commit(meta(id, records)));
    await this.check(clone);
  }

  private async pull(clone: Clone) {
    const {united, problems} = await pull(clone.store, ORIGIN);
    expect(problems.filter(({ref}) => !BAD_REF.test(ref))).toEqual([]);
    return united;
  }

  /** Somebody goes on with what another has stored. */
  private async restore(clone: Clone, id: string) {
    if (clone.transcripts.has(id))
      return;
    const state = unionRefs((await clone.store.list()).refs).find(one => one.session === id)?.refs[0];
    if (state !== undefined)
      clone.transcripts.set(id, (await content(clone.store.readStream(state, `rec/main`))).toString().split(/(?<=\n)/));
  }

  /** Killed in the middle of an append. */
  private async crash(clone: Clone, id: string) {
    this.write(clone, id, 2);
    await this.sync(clone, id, async appender => await appender.abort());
  }

  /** Killed when one of the two refs had moved. */
  private async late(clone: Clone, id: string, refOf: typeof shadowRef) {
    const {store} = clone;
    this.write(clone, id, 1);
    await store.healShadow();
    const before = new Map((await store.reader.refs([`refs/session-sync`])).map(({ref, oid}) => [ref, oid]));
    await this.sync(clone, id, async (appender, records) => await appender.commit(meta(id, records)));
    const ref = refOf(id, store.writer);
    await this.git(clone.name, `update-ref`, ...before.has(ref) ? [ref, before.get(ref)!] : [`-d`, ref]);
  }

  private async lock({name, store}: Clone, id: string) {
    const file = this.at(name, `.git`, `${sessionRef(id, store.writer)}.lock`);
    await fs.mkdir(this.at(name, `.git`, sessionRef(id, store.writer), `..`), {recursive: true});
    await fs.writeFile(file, ``);
    await fs.utimes(file, 1, 1);
  }

  /** Plain git, by a person who does not mind what is refused. */
  private async careless(name: string, ...args: Array<string>) {
    await this.git(name, ...args).catch(error => expect(String(error)).toMatch(/rejected|stale info|cannot lock ref|fetch -q/));
  }

  private async remove(clone: Clone, how: typeof prune | typeof archive, which: object, planOf = planRemoval) {
    const options = {...ORIGIN, ...which};
    const plan    = await planOf(clone.store, options);
    if (plan.chosen.length > 0)
      await how(clone.store, plan, options).catch(error => {
        if (!(error instanceof StoreError) || ![`NO_INDEX`, `REF_MOVED`].includes(error.code))
          throw error;
      });
  }

  private async onHub(id: string | null, much: number | null, command: (ref: string) => string) {
    const refs  = (await this.git(`hub.git`, `for-each-ref`, `--format=%(refname) %(parent)`, id === null ? `refs/session-sync` : `refs/session-sync/s/${id.slice(0, 2)}/${id}`)).split(`\n`).filter(line => line !== ``);
    const some  = much === null ? refs : refs.slice(much % Math.max(refs.length, 1)).slice(0, 1);
    const input = some.filter(line => command(``).startsWith(`delete`) || !line.endsWith(` `)).map(line => command(line.split(` `)[0]!)).join(``);
    if (input !== ``)
      await feed(this.place, `${this.root}/hub.git`, [`update-ref`, `--stdin`], input);
  }

  /** A person who clears what is pushed. The transcript stays. */
  private async clean({store}: Clone, id: string) {
    const head = await store.head(id);
    if (head !== null && (await store.reader.object(head.ref.replace(`session-sync/`, `session-sync-remotes/origin/`), 1 << 20))?.oid === head.commit)
      await removeRefs(store, [head]);
  }

  /** What stands under a clone's own name is what was said there. */
  async check({name, store, transcripts}: Clone, whole = false) {
    for (const [id, lines] of transcripts) {
      const head = await store.head(id);
      const kept = head === null ? `` : (await content(store.readStream(head, `rec/main`))).toString();
      expect(whole ? lines.join(``) : lines.join(``).slice(0, kept.length), `${id} in ${name}`).toBe(kept);
    }
  }

  /** Everybody goes on with everything and exchanges it: then nothing may be missing anywhere. */
  async settle() {
    const everybody = async <T>(work: (clone: Clone) => Promise<T>) => {
      for (const clone of this.clones)
        await work(clone);
    };
    for (let round = 1; round <= 3; round++) {
      // Who has found in the second that a copy writes under the same id begins the session anew when it grows.
      if (round < 3)
        await everybody(async clone => {
          for (const id of clone.transcripts.keys())
            await this.append(clone, id, 1);
        });
      await everybody(async ({store}) => {
        const {rejected} = await push(store, ORIGIN);
        expect(round === 1 ? [] : rejected).toEqual([]);
      });
      await everybody(async clone => {
        const united = await this.pull(clone);
        expect(round === 3 ? united : []).toEqual([]);
      });
    }

    for (const id of SESSIONS) {
      const said  = this.clones.flatMap(({transcripts}) => transcripts.get(id)?.join(``) ?? []);
      const trees = new Set<string>();
      for (const clone of this.clones) {
        const {refs, problems} = await clone.store.list();
        expect(problems.filter(({ref}) => !BAD_REF.test(ref))).toEqual([]);
        const known = new Set(await Promise.all(refs.filter(one => one.session === id).map(async state => (await content(clone.store.readStream(state, `rec/main`))).toString())));
        expect(said.filter(text => !known.has(text)), `of ${id}, in ${clone.name}`).toEqual([]);
        const head = await clone.store.head(id);
        if (head !== null)
          trees.add((await clone.store.reader.object(`${head.commit}^{tree}`, 1 << 20))!.oid);
      }
      expect(trees.size, `trees of ${id}`).toBeLessThan(2);
    }
    for (const clone of this.clones)
      await this.check(clone, true);
    expect(await this.git(`hub.git`, `fsck`, `--connectivity-only`, `--no-dangling`)).toBe(``);
  }
}

it(`whatever people do to a remote and their clones, nothing that was said is lost`, {timeout: 900_000}, async () => {
  const place = await scratch();
  await freshRepository(place, `seed`, {init: [`--template=`]});
  await place.git(`.`, `clone`, `-q`, `--bare`, `--template=`, `seed`, `hub.git`);
  await place.git(`.`, `clone`, `-q`, `--template=`, place.at(`hub.git`), `template`);
  await place.git(`template`, `config`, `remote.origin.url`, `../hub.git`);

  for (const [name, value] of [[`receive.autoGC`, `false`], [`fastimport.unpackLimit`, `1`], [`core.fsync`, `none`]] as const)
    await place.git(`.`, `config`, `--global`, name, value);

  const step = fc.record({kind: fc.constantFrom(...KINDS), who: fc.nat({max: 4}), what: fc.nat({max: 1}), much: fc.nat({max: 3})});
  let run = 0;
  await fc.assert(fc.asyncProperty(fc.integer({min: 2, max: 4}), fc.array(step, {minLength: 8, maxLength: 24}), async (count, steps) => {
    const team = await Team.begin(place, run++, count);
    try {
      for (const one of [...BEGIN, ...steps])
        await team.step(one);
      await team.settle();
    } finally {
      await team.end();
    }
  }), {numRuns: RUNS, endOnFailure: process.env.SESSION_SYNC_SHRINK === undefined});
});
