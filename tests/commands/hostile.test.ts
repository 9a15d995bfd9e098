import {execFileSync}                                   from 'node:child_process';
import {createHash}                                     from 'node:crypto';
import * as fs                                          from 'node:fs/promises';
import path                                             from 'node:path';
import {describe, expect, it}                           from 'vitest';

import {SESSION, expectPlain, makeWorld, snapshot}      from './_runCli.ts';
import type {Person}                                    from './_runCli.ts';

const WRITER = `0123456789abcdef`;
const EVIL = `\u001B]0;owned\u0007\u001B[2J\u001B[31m\u009B31mEvil\u202Eeman\u0000\r\u0008\u2066`;

/** A tree: names to blobs, trees, or an entry of any mode and object. */
type Tree = {[name: string]: string | Buffer | Tree | {mode: string; type: string; oid: string}};

/** Writes objects and refs straight into a remote: nothing here goes through session-sync. */
class Attacker {
  constructor(private readonly alice: Person, private readonly remote: string) {}

  private git(args: Array<string>, input: string | Buffer = ``) {
    return execFileSync(`git`, [`--git-dir=${this.remote}`, ...args], {env: this.alice.env, input, stdio: [`pipe`, `pipe`, `pipe`], maxBuffer: 1 << 28}).toString().trim();
  }

  blob(content: string | Buffer) {
    return this.git([`hash-object`, `-w`, `--stdin`], content);
  }

  tree(tree: Tree): string {
    const lines = Object.entries(tree).map(([name, value]) => {
      if (typeof value === `string` || Buffer.isBuffer(value))
        return `100644 blob ${this.blob(value)}\t${name}`;
      if (typeof value.mode === `string` && typeof value.oid === `string`)
        return `${value.mode} ${value.type as string} ${value.oid}\t${name}`;
      return `040000 tree ${this.tree(value as Tree)}\t${name}`;
    });
    return this.git([`mktree`, `--missing`, `-z`], lines.map(line => `${line}\0`).join(``));
  }

  ref(tree: Tree, ref: string) {
    const commit = this.git([`commit-tree`, `-m`, EVIL.replaceAll(`\0`, ``), this.tree(tree)]);
    this.git([`update-ref`, ref, commit]);
    return commit;
  }

  /** The tree of a session with these records, its header changed by `header`. */
  session(id: string, records: Array<string>, header: {[key: string]: unknown} = {}, native: {[stream: string]: string} = {}): Tree {
    const text = records.map(record => `${record}\n`).join(``);
    const streams: {[name: string]: unknown} = {'rec/main': {bytes: Buffer.byteLength(text), records: records.length}};
    const files: {[agent: string]: Tree} = {};
    for (const [name, content] of Object.entries(native)) {
      const [, agent, file] = /^native\/([^/]+)\/(.+)$/s.exec(name)!;
      streams[name] = {bytes: Buffer.byteLength(content)};
      (files[agent!] ??= {})[encodeURIComponent(file!)] = {'0000': {'00': content}};
    }
    return {
      'header.json': JSON.stringify({
        format: `session-sync/1`, session: id, agent: {id: `claude-code`, nativeId: id}, title: `A title`, created: `2026-11-20T09:00:00.000Z`, updated: `2026-11-20T09:00:00.000Z`,
        roots: {root: `/home/mallory/shop`, home: `/home/mallory`}, platform: `linux`, counts: {}, writer: WRITER, sequence: 1, streams, ...header,
      }),
      rec: {[WRITER]: {main: {'0000': {'00': text}}}},
      ...Object.keys(files).length > 0 ? {native: {[WRITER]: files}} : {},
    };
  }

  store(id: string, tree: Tree) {
    return this.ref(tree, `refs/session-sync/s/${id.slice(0, 2)}/${id}/${WRITER}`);
  }
}

const id = (n: number) => `5e551000-0000-4000-8000-${n.toString(16).padStart(12, `0`)}`;
const record = (seq: number, value: object) => JSON.stringify({seq, ...value});
const prompt = (seq: number, text: string, more: object = {}) => record(seq, {kind: `prompt`, content: [{type: `text`, text}], ...more});
const reply = (seq: number, text: string, more: object = {}) => record(seq, {kind: `reply`, text, ...more});
const TWO = [prompt(0, `Hello`), reply(1, `Hi`)];

async function makeAttack(attack: (attacker: Attacker) => void) {
  const made = await makeWorld();
  attack(new Attacker(made.alice, made.remote));
  await made.bob.git(`clone`, `-q`, made.remote, made.bob.repo);
  return made;
}

/** Files that only the agents' stores and the git directory may get. */
async function outside(world: string) {
  const files = await snapshot(world);
  return Object.keys(files).filter(file => !/^bob\/\.(claude|codex)\/|^bob\/src\/my shop\/\.git\/|^shop\.git\/|^alice\//.test(file)).sort();
}

async function everything(bob: Person, session: string) {
  const outputs = [];
  for (const args of [
    [`pull`], [`list`], [`list`, `--remote`], [`list`, `--json`], [`status`], [`doctor`], [`show`, session, `--text`, `--fidelity`], [`show`, session, `--text`, `--json`],
    [`restore`, session, `--agent`, `codex`], [`restore`, session, `--agent`, `claude-code`], [`restore`, session, `--json`], [`restore`, session, `--checkout`], [`status`],
  ]) {
    const output = await bob.cli(...args);
    expect([0, 1, 2], `${args.join(` `)}: ${output.stderr.slice(-2000)}`).toContain(output.exitCode);
    expectPlain(output);
    outputs.push({args, ...output});
  }
  return outputs;
}

describe(`sessions of somebody who means ill`, () => {
  it(`with names that are none are left out, and the good one beside them works`, async () => {
    const {bob, world, remote} = await makeAttack(attacker => {
      attacker.store(SESSION, attacker.session(SESSION, TWO));
      for (const name of [`5E551000-0000-4000-8000-000000000009`, `5e551000-`, `5e55--1000`, `x`, `-rf`, `5e551000-0000-4000-8000-\u202E`, `5e551000.json`])
        attacker.ref(attacker.session(SESSION, TWO), `refs/session-sync/s/${name.slice(0, 2).padEnd(2, `x`)}/${name}/${WRITER}`);
      attacker.ref(attacker.session(id(2), TWO), `refs/session-sync/s/zz/${id(2)}/${WRITER}`);
      attacker.ref(attacker.session(id(3), TWO), `refs/session-sync/s/5e/${id(4)}/${WRITER}`);
      attacker.ref(attacker.session(SESSION, TWO), `refs/session-sync/heads/main`);
    });
    const before = await outside(world);
    // git itself would not make a ref of this name, and serves nothing where there is one.
    const head = execFileSync(`git`, [`--git-dir=${remote}`, `rev-parse`, `main`], {env: bob.env}).toString().trim();
    await fs.writeFile(path.join(remote, `packed-refs`), `${head} refs/session-sync/s/../../../../x\n`);
    expect(await bob.json([`pull`], 1)).toMatchObject({code: `GIT_FAILED`});
    await fs.rm(path.join(remote, `packed-refs`));
    const pulled = await bob.cli(`pull`);
    expectPlain(pulled);
    expect(pulled).toMatchObject({exitCode: 0, stderr: expect.stringContaining(`was left out`)});
    expect((await bob.json([`list`])).sessions.map(({session}: {session: string}) => session)).toEqual([SESSION]);
    await everything(bob, SESSION);
    expect(await bob.rollouts()).toHaveLength(1);
    expect(await outside(world)).toEqual(before);
  });

  it(`cannot steer a terminal by any text of theirs`, async () => {
    const {bob, world} = await makeAttack(attacker => {
      const evil = EVIL;
      attacker.store(SESSION, attacker.session(SESSION, [
        prompt(0, evil, {head: {branch: evil}, cwd: evil}), reply(1, evil, {model: evil}), record(2, {kind: `call`, call: evil, name: evil, tool: `other`, input: {[evil]: evil}}),
        record(3, {kind: `result`, call: evil, content: [{type: `text`, text: evil}, {type: `image`, mediaType: evil}, {type: `other`, name: evil, value: evil}]}),
        record(4, {kind: `plan`, items: [{step: evil, status: `completed`}]}), record(5, {kind: `note`, what: evil, visible: true, text: evil}), record(6, {kind: `title`, title: evil, origin: `custom`}),
        `{"seq":7,"kind":"${`\\u001b[31m`}"}`, record(8, {kind: `compaction`, summary: evil}), record(9, {kind: `interrupt`, during: `reply`, text: evil}), reply(10, evil),
      ], {
        title: evil, branch: evil, machine: evil, author: {name: evil, email: evil}, origin: evil, model: evil, platform: evil, updated: evil, created: evil, commit: `0`.repeat(40),
        roots: {root: evil, home: `/`, tmp: ``, session: `x`, [evil]: evil}, counts: {[evil]: 1}, ignored: {[evil]: 2}, redactions: {[evil]: 3}, repairs: [{code: evil, message: evil}],
        agent: {id: `claude-code`, nativeId: SESSION, version: evil},
      }, {[`native/claude-code/${SESSION}.jsonl`]: `{"type":"user","message":{"content":${JSON.stringify(evil)}}}\n`}));
      attacker.store(id(2), attacker.session(id(2), TWO, {agent: {id: `\u001B[31mx`, nativeId: `x`}}));
      attacker.store(id(3), attacker.session(id(3), TWO, {agent: {id: `claude-code`, nativeId: `x\n; rm -rf ~`}}));
    });
    const before = await outside(world);
    await everything(bob, SESSION);
    for (const args of [[`list`], [`restore`, id(3)], [`show`, id(3)]]) {
      const output = await bob.cli(...args);
      expectPlain(output);
      expect(output.stdout).not.toContain(`claude --resume x`);
    }
    expect(await outside(world)).toEqual(before);
  });

  it(`cannot lead out of the stores by the shape of a tree or the name of a file`, async () => {
    const outsideFile = `../../../../../../owned`;
    const bad: Array<(attacker: Attacker, session: string) => Tree> = [
      (attacker, session) => ({...attacker.session(session, TWO), 'header.json': {mode: `120000`, type: `blob`, oid: attacker.blob(`/etc/passwd`)}}),
      (attacker, session) => ({...attacker.session(session, TWO), rec: {mode: `160000`, type: `commit`, oid: `1`.repeat(40)}}),
      (attacker, session) => ({...attacker.session(session, TWO), rec: {[WRITER]: {main: {'0000': {'00': {mode: `120000`, type: `blob`, oid: attacker.blob(`/etc/passwd`)}}}}}}),
      (attacker, session) => ({...attacker.session(session, TWO), '..': {x: `y`}}),
      (attacker, session) => ({...attacker.session(session, TWO), '.git': {config: `[core]\n\tfsmonitor = touch /tmp/owned\n`}}),
      (attacker, session) => attacker.session(session, TWO, {streams: {'rec/main': {bytes: 1, records: 1}, 'native/claude-code/../../x': {bytes: 1}}}),
      (attacker, session) => attacker.session(session, TWO, {}, {[`native/claude-code/${session}.jsonl`]: `{}\n`, [`native/claude-code/${outsideFile}`]: `x`}),
      (attacker, session) => attacker.session(session, TWO, {}, {[`native/claude-code/${session}.jsonl`]: `{}\n`, 'native/claude-code/a/b/c/d': `x`, 'native/claude-code/.claude.json': `x`}),
      (attacker, session) => attacker.session(session, TWO, {agent: {id: `claude-code`, nativeId: outsideFile}}, {'native/claude-code/x.jsonl': `{}\n`}),
      (attacker, session) => attacker.session(session, TWO, {agent: {id: `claude-code`, nativeId: `..`}}, {'native/claude-code/x.jsonl': `{}\n`}),
      (attacker, session) => attacker.session(session, TWO, {created: `../../../../owned`}),
      (attacker, session) => attacker.session(session, TWO, {roots: {root: `/`, home: `/`, tmp: `/`, session: `/`}}),
    ];
    const {bob, world} = await makeAttack(attacker => bad.forEach((make, index) => attacker.store(id(index + 1), make(attacker, id(index + 1)))));
    const before = await outside(world);
    const pulled = await bob.cli(`pull`);
    expect(pulled.exitCode).toBe(0);
    for (const [index] of bad.entries()) {
      for (const args of [[`show`, id(index + 1), `--text`], [`restore`, id(index + 1)]]) {
        const output = await bob.cli(...args);
        expect([0, 1, 2], `${index} ${args[0]}: ${output.stdout}${output.stderr}`).toContain(output.exitCode);
        expectPlain(output);
      }
    }
    expect(await outside(world)).toEqual(before);
    for (const [file, text] of Object.entries(await snapshot(bob.home))) {
      expect(file).not.toContain(`owned`);
      if (!file.includes(`my shop/.git/`))
        expect(text).not.toContain(`root:x:0`);
    }
    for (const file of Object.keys(await snapshot(path.join(bob.home, `.claude`))))
      expect(file).toMatch(/^projects\/[A-Za-z0-9-]+\/5e551000-[0-9a-f-]+(\.jsonl|\/[\w./-]+)$/);
  }, 120_000);

  it(`cannot hang or crash us with what is too much, too deep or not what it says`, async () => {
    const deep = `${`[`.repeat(100_000)}${`]`.repeat(100_000)}`;
    const bad: Array<(attacker: Attacker, session: string) => Tree> = [
      (attacker, session) => ({...attacker.session(session, TWO), 'header.json': `{"a":${deep}}`}),
      (attacker, session) => ({...attacker.session(session, TWO), 'header.json': `[`}),
      (attacker, session) => ({...attacker.session(session, TWO), 'header.json': `null`}),
      (attacker, session) => ({...attacker.session(session, TWO), 'header.json': Buffer.alloc(80 << 20, ` `)}),
      (attacker, session) => attacker.session(session, TWO, {streams: {'rec/main': {bytes: 1e15, records: 5_000_000}}}),
      (attacker, session) => attacker.session(session, TWO, {streams: {'rec/main': {bytes: 0, records: -1}}}),
      (attacker, session) => attacker.session(session, TWO, {counts: {prompt: `many`}, sequence: `1`, streams: []}),
      (attacker, session) => attacker.session(session, [prompt(0, `deep`), `{"seq":1,"kind":"call","call":"c","name":"n","tool":"other","input":${deep}}`, reply(2, `after`)]),
      (attacker, session) => attacker.session(session, [`null`, `[]`, `{"seq":2}`, `{`, prompt(4, `parents`, {parent: 99}), reply(5, `x`, {parent: -7}), reply(6, `y`, {parent: 5.5}), reply(3, `order`), record(8, {kind: `leaf`, at: 1e9}), reply(9, `end`)]),
      (attacker, session) => attacker.session(session, [prompt(0, `a`), record(1, {kind: `result`, call: `c`, content: [{type: `image`, mediaType: `image/png`, attachment: `a`.repeat(64)}, {type: `image`, mediaType: `image/png`, data: `%%%`}]}), reply(2, `b`)]),
      (attacker, session) => attacker.session(session, [prompt(0, `a`), ...Array.from({length: 3000}, (_, n) => reply(n + 1, `b`, {parent: n % 7 === 0 ? 0 : n}))]),
      (attacker, session) => attacker.session(session, [`{"seq":0,"kind":"__proto__"}`, `{"seq":1,"kind":"constructor","__proto__":{"polluted":1}}`, prompt(2, `p`)]),
    ];
    const {bob} = await makeAttack(attacker => bad.forEach((make, index) => attacker.store(id(index + 1), make(attacker, id(index + 1)))));
    const pulled = await bob.cli(`pull`);
    expect(pulled.exitCode).toBe(0);
    expectPlain(pulled);
    for (const [index] of bad.entries()) {
      for (const args of [[`show`, id(index + 1), `--text`], [`restore`, id(index + 1), `--agent`, `codex`]]) {
        const output = await bob.cli(...args);
        expect([0, 1, 2], `${index} ${args[0]}: ${output.stdout.slice(-500)}${output.stderr.slice(-3000)}`).toContain(output.exitCode);
        expectPlain(output);
      }
    }
    // What could be read of the records is there, and what could not is said.
    const {stderr} = await bob.cli(`restore`, id(8), `--agent`, `codex`);
    expect(stderr).toContain(`repaired: a stored record could not be used: nested too deep`);
    expect(await bob.ok(`show`, id(8), `--text`)).toContain(`after`);
  }, 120_000);

  it(`cannot put themselves in the place of a session that is here`, async () => {
    const {alice, bob} = await makeAttack(attacker => attacker.store(SESSION, attacker.session(SESSION, [prompt(0, `not hers`)], {updated: `2099-01-01T00:00:00.000Z`})));
    await alice.record(`handwritten`, SESSION);
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const refs = await alice.refs();
    const sum = async () => createHash(`sha256`).update(await fs.readFile(alice.transcript())).digest(`hex`);
    const before = await sum();
    await alice.ok(`pull`);
    // Hers has taken theirs in, beside her own: what it was is in it, and nobody's ref took its place.
    const own = refs.split(`\n`).find(line => line.includes(`/s/`))!.split(` `);
    expect((await alice.refs()).split(`\n`).map(line => line.split(` `)[0])).toEqual(refs.split(`\n`).map(line => line.split(` `)[0]));
    await alice.git(`merge-base`, `--is-ancestor`, own[1]!, own[0]!);
    const writer = own[0]!.split(`/`).at(-1)!;
    expect(await alice.git(`rev-parse`, `${own[0]}:rec/${writer}`)).toBe(await alice.git(`rev-parse`, `${own[1]}:rec/${writer}`));
    // Which of the two is meant is never guessed, whatever time they claim.
    for (const args of [[`restore`, SESSION], [`restore`, SESSION, `--agent`, `claude-code`]])
      expect(await alice.json(args, 1)).toMatchObject({code: `FORKED`});
    expect(JSON.stringify(await alice.json([`show`, `${SESSION}~${writer}`, `--text`]))).not.toContain(`not hers`);
    expect(await alice.json([`restore`, SESSION, `--fork`, writer, `--agent`, `claude-code`])).toMatchObject({restored: [{id: SESSION, outcome: `unchanged`}]});
    expect(await sum()).toBe(before);
    await alice.ok(`sync`);
    expect(await sum()).toBe(before);
    expect(await bob.rollouts()).toEqual([]);
  });
});
