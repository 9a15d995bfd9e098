import * as fs                                from 'node:fs/promises';
import path                                   from 'node:path';
import {describe, expect, it}                 from 'vitest';

import {goOnInClaude, goOnInCodex}            from './_continue.ts';
import {RECORDS, SESSION, makeWorld}          from './_runCli.ts';
import type {Person}                          from './_runCli.ts';

type Listed = {session: string; agent: string; records: number; lineage?: {parent: string; seq: number; source?: number}};

const sessionsOf = async (person: Person): Promise<Array<Listed>> => (await person.json([`list`])).sessions;
const textsOf = async (person: Person, session: string): Promise<Array<string>> => (await person.json([`show`, session, `--text`])).records
  .flatMap((record: {kind: string; text?: string; content?: Array<{text?: string}>}) => record.kind === `prompt` ? record.content![0]!.text ?? `` : record.kind === `reply` ? record.text! : []);
/** Id under which an agent has what was mirrored of a session. */
const mirrorOf = async (person: Person, session: string, agent: string): Promise<string> =>
  (await person.json([`show`, session])).mirrors.find((mirror: {agent: string}) => mirror.agent === agent).id;
/** Bytes of the records that this clone's own ref has of a session. */
const stored = async (person: Person, session: string) => {
  const ref = (await person.refs()).split(`\n`).find(line => line.includes(`/s/`) && line.includes(session))!.split(` `)[0]!;
  const names = (await person.git(`ls-tree`, `-r`, `--name-only`, ref, `rec/`)).trim().split(`\n`);
  return (await Promise.all(names.map(async name => await person.git(`show`, `${ref}:${name}`)))).join(``);
};

/** Every one of `said` stands in the text once, in this order. */
function expectOnce(text: string, said: Array<string>) {
  const places = said.map(one => text.indexOf(one));
  expect(places.filter(place => place < 0), `all are there`).toEqual([]);
  expect([...places].sort((a, b) => a - b)).toEqual(places);
}

describe(`a session that several agents go on with, in turns`, {timeout: 120_000}, () => {
  it(`is one history everywhere, each record stored once`, async () => {
    const {alice, bob, remote} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const begin = await textsOf(alice, SESSION);
    expect(begin.length).toBeGreaterThan(1);

    // Claude Code → Codex
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`);
    await alice.ok(`sync`);
    const inCodex = (await sessionsOf(alice)).find(({agent}) => agent === `codex`)!;
    expect(inCodex.lineage).toMatchObject({parent: SESSION, seq: RECORDS, source: expect.any(Number)});
    expect(await textsOf(alice, inCodex.session)).toEqual([...begin, `Now the discount.`, `The discount is there.`]);
    const own = await stored(alice, inCodex.session);
    expect(own).toContain(`The discount is there.`);
    expect(own).not.toContain(begin[0]);
    expect(own.trim().split(`\n`).map(line => JSON.parse(line).seq)[0]).toBe(RECORDS);

    // → Claude Code
    const back = await mirrorOf(alice, inCodex.session, `claude-code`);
    expectOnce(await fs.readFile(alice.transcript(back), `utf8`), [...begin, `Now the discount.`, `The discount is there.`]);
    await goOnInClaude(alice, back, `And the vouchers?`);
    await alice.ok(`sync`);
    const inClaude = (await sessionsOf(alice)).find(({lineage}) => lineage?.parent === inCodex.session)!;
    expect(inClaude).toMatchObject({agent: `claude-code`, lineage: {parent: inCodex.session, seq: inCodex.records}});
    const soFar = [...begin, `Now the discount.`, `The discount is there.`, `And the vouchers?`];
    expect(await textsOf(alice, inClaude.session)).toEqual(soFar);
    expect(await stored(alice, inClaude.session)).not.toContain(`The discount is there.`);

    // → push, another clone → Codex
    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`init`, `--project-only`);
    await bob.ok(`pull`);
    const {restored} = await bob.json([`restore`, inClaude.session, `--agent`, `codex`]);
    const [rollout] = await bob.rollouts();
    expect(rollout).toContain(restored[0].id);
    for (const text of soFar)
      expect((await fs.readFile(rollout!, `utf8`)).split(JSON.stringify(text)).length - 1, text).toBeGreaterThan(0);
    await goOnInCodex(bob, restored[0].id, `Ship it.`, `Shipped.`);
    await bob.ok(`sync`);
    const last = (await sessionsOf(bob)).find(({lineage}) => lineage?.parent === inClaude.session)!;
    expect(await textsOf(bob, last.session)).toEqual([...soFar, `Ship it.`, `Shipped.`]);
    expect(await stored(bob, last.session)).not.toContain(`And the vouchers?`);

    // → push, back at the first machine → Claude Code
    await bob.ok(`push`);
    await alice.ok(`pull`);
    const there = await alice.json([`restore`, last.session, `--agent`, `claude-code`]);
    expectOnce(await fs.readFile(alice.transcript(there.restored[0].id), `utf8`), [...soFar, `Ship it.`, `Shipped.`]);
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    const tree = await alice.ok(`list`, `--tree`);
    expect(tree).toMatch(new RegExp(`${inCodex.session.slice(0, 8)} .* ${RECORDS} \\+ ${inCodex.records - RECORDS} `));
    for (const [depth, {session}] of [{session: SESSION}, inCodex, inClaude, last].entries())
      expect(tree).toMatch(new RegExp(`^${depth === 0 ? `` : `${`   `.repeat(depth - 1)}└─ `}${session.slice(0, 8)}`, `m`));
  });

  it(`is the same again when all notes on this machine are lost`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`);
    await alice.ok(`sync`);
    const [child] = (await sessionsOf(alice)).filter(({agent}) => agent === `codex`);
    const before = await stored(alice, child!.session);
    const mirror = await fs.readFile(alice.transcript(await mirrorOf(alice, child!.session, `claude-code`)), `utf8`);

    const notes = `${alice.repo}/.git/session-sync/sessions`;
    for (const name of await fs.readdir(notes))
      await fs.rm(`${notes}/${name}`);
    await alice.ok(`sync`);
    const {header} = await alice.json([`show`, child!.session]);
    await goOnInCodex(alice, header.agent.nativeId, `And the vouchers?`, `They work.`);
    await alice.ok(`sync`);
    await alice.ok(`sync`);
    const after = await stored(alice, child!.session);
    expect(after.startsWith(before)).toBe(true);
    expect(after.slice(before.length)).toContain(`They work.`);
    expect(await fs.readFile(alice.transcript(await mirrorOf(alice, child!.session, `claude-code`)), `utf8`)).toSatisfy((text: string) => text.startsWith(mirror));
    expect((await sessionsOf(alice)).filter(({agent}) => agent === `codex`)).toMatchObject([{lineage: {parent: SESSION, seq: RECORDS, source: child!.lineage!.source}}]);
  });

  it(`says what is missing when a part of it is not known`, async () => {
    const {alice, bob, remote} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`);
    await alice.ok(`sync`);
    const begin = await textsOf(alice, SESSION);
    const [child] = (await sessionsOf(alice)).filter(({agent}) => agent === `codex`);
    const short = child!.session.slice(0, 8);
    await alice.git(`push`, `-q`, `origin`, `refs/session-sync/s/${child!.session.slice(0, 2)}/${child!.session}/*:refs/session-sync/s/${child!.session.slice(0, 2)}/${child!.session}/*`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`);
    for (const drawn of [await bob.ok(`list`, `--tree`), await bob.ok(`log`, short)])
      expect(drawn).toContain(`(goes on from ${SESSION.slice(0, 8)}, not known here)`);
    expect(await textsOf(bob, child!.session)).toEqual([`Now the discount.`, `The discount is there.`]);

    // Its begin is missing: nothing that looks like the session is written, unless that is wanted.
    const {stderr, exitCode} = await bob.cli(`restore`, child!.session);
    expect(exitCode).toBe(1);
    expect(stderr.match(/session-sync pull --session/g)).toHaveLength(1);
    expect(stderr).toContain(`session ${SESSION.slice(0, 8)}, which this one goes on from, is not known here: \`session-sync pull --session ${short}\``);
    expect(await bob.rollouts()).toEqual([]);
    const worktrees = await bob.git(`worktree`, `list`);
    expect(await bob.json([`restore`, child!.session, `--checkout`], 1)).toMatchObject({code: `PARENT_UNKNOWN`});
    expect(await bob.git(`worktree`, `list`)).toBe(worktrees);
    expect((await bob.cli(`push`, `--session`, short, `--dry-run`)).stderr).toContain(`Session ${SESSION.slice(0, 8)}, which it goes on from, is not known here, and not sent.`);
    const {restored: [stump]} = await bob.json([`restore`, child!.session, `--agent`, `codex`, `--incomplete`]);
    expect(await fs.readFile(stump.path, `utf8`)).toContain(`The discount is there.`);

    // With what it goes on from it is whole, and beside what was restored of it before.
    expect(await alice.ok(`push`, `--session`, short, `--dry-run`)).toContain(`Would push 1 ref`);
    expect(await alice.ok(`push`, `--session`, short)).toContain(`Pushed 1 ref to origin, 1 of them what it goes on from; 1 were there already.`);
    await bob.ok(`pull`, `--session`, child!.session);
    expect(await bob.ok(`list`, `--tree`)).not.toContain(`not known here`);
    const {restored: [whole]} = await bob.json([`restore`, child!.session, `--agent`, `codex`]);
    expect(whole.id).not.toBe(stump.id);
    expectOnce((await fs.readFile(whole.path, `utf8`)).replaceAll(/"event_msg".*$/gm, ``), [...begin, `Now the discount.`, `The discount is there.`].map(text => JSON.stringify(text)));
    expect(await textsOf(bob, child!.session)).toEqual([...begin, `Now the discount.`, `The discount is there.`]);
  });

  it(`finds the transcript that a summary of an earlier leg refers to, on another machine as well`, async () => {
    const {alice, bob, remote} = await makeWorld();
    const id = `c867b3b7-dc24-4645-9bdd-49c98e0ad65d`;
    const recorded = await fs.readFile(path.join(import.meta.dirname, `../fixtures/claude-code/04-multi-prompt-compacted/${id}.jsonl`), `utf8`);
    await fs.mkdir(alice.claudeFolder(), {recursive: true});
    await fs.writeFile(alice.transcript(id), recorded.replaceAll(`/home/alice/.claude/projects/-home-alice-perf`, alice.claudeFolder()).replaceAll(`/home/alice/perf`, alice.repo));
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`);
    await alice.ok(`sync`);
    const leg = (await sessionsOf(alice)).find(({agent}) => agent === `codex`)!;
    const namedIn = (text: string) => [...new Set([...text.matchAll(/read the full transcript at: ([^\\"]+?\.jsonl)/g)].map(([, file]) => file!))];
    expect(namedIn(JSON.stringify(await alice.json([`show`, leg.session, `--text`])))).toEqual([alice.transcript(id)]);

    await alice.ok(`push`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`);
    const {restored: [{path: file}]} = await bob.json([`restore`, leg.session, `--agent`, `claude-code`]);
    const [named, ...others] = namedIn(await fs.readFile(file, `utf8`));
    expect(others).toEqual([]);
    expect(named!.startsWith(bob.repo)).toBe(true);
    expect(await fs.readFile(named!, `utf8`)).toContain(`zweite Frage`);

    // Also what comes after it there: the begin is known from git alone.
    await bob.ok(`init`, `--project-only`);
    await goOnInClaude(bob, path.basename(file, `.jsonl`), `Ship it.`);
    await bob.ok(`sync`);
    const last = (await sessionsOf(bob)).find(({lineage}) => lineage?.parent === leg.session)!;
    const rollout = (await bob.rollouts()).find(name => name.includes(last.session) || name.endsWith(`.jsonl`))!;
    expect(namedIn(await fs.readFile(rollout, `utf8`))).toEqual([named]);
  });

  it(`is not whole without what was archived on the remote, and sends that not again with what goes on from it`, async () => {
    const {alice, bob, remote} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await alice.ok(`push`);
    await alice.ok(`archive`, `--session`, SESSION, `--yes`);
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`);
    await alice.ok(`sync`);
    const [child] = (await sessionsOf(alice)).filter(({agent}) => agent === `codex`);
    await alice.ok(`push`, `--session`, child!.session);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    expect(await bob.git(`ls-remote`, `origin`, `refs/session-sync/s/*`)).not.toContain(SESSION);
    expect(await alice.ok(`push`, `--session`, child!.session, `--session`, SESSION, `--dry-run`)).toContain(`Would push 1 ref to origin;`);
    await bob.ok(`pull`, `--session`, child!.session);
    expect((await textsOf(bob, child!.session)).length).toBeGreaterThan(2);
    expect((await bob.json([`restore`, child!.session, `--agent`, `codex`])).failed).toEqual([]);
  });

  it(`keeps the beginning of what goes on from it, when old sessions are cleaned away`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await goOnInCodex(alice, undefined, `Now the discount.`, `The discount is there.`, new Date().toISOString());
    await alice.ok(`sync`);
    const [child] = (await sessionsOf(alice)).filter(({agent}) => agent === `codex`);
    expect(await alice.json([`clean`, `--older-than`, `1h`, `--force`], 2)).toMatchObject({removed: [], kept: [SESSION]});
    expect((await textsOf(alice, child!.session)).at(-1)).toBe(`The discount is there.`);
    // Once a remote has it, it may go: it is known from there.
    await alice.ok(`push`);
    expect(await alice.json([`clean`, `--older-than`, `1h`, `--force`])).toMatchObject({removed: [SESSION]});
    expect((await textsOf(alice, child!.session)).length).toBeGreaterThan(2);
  });
});
