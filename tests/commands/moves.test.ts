import {spawn}                                 from 'node:child_process';
import {once}                                  from 'node:events';
import * as fs                                 from 'node:fs/promises';
import path                                    from 'node:path';
import process                                 from 'node:process';
import {describe, expect, it, vi}              from 'vitest';

import {folderKey}                             from '../../sources/agents/kimi/places.ts';

import {goOnInCodex, goOnInPi}                 from './_continue.ts';
import {OTHER, Person, RECORDS, SESSION, grow, makeKept, makeWorld, snapshot} from './_runCli.ts';

vi.setConfig({testTimeout: 120_000});

/** The same person, with the project in another folder. */
const at = (person: Person, folder: string) => {
  const moved = new Person(person.world, person.name, folder);
  moved.env = person.env;
  return moved;
};

async function renamed(person: Person, name = `market`) {
  const folder = path.join(path.dirname(person.repo), name);
  await fs.rename(person.repo, folder);
  return at(person, folder);
}

const sessionsOf = async (person: Person) => (await person.json([`list`])).sessions as Array<{session: string; records: number; agent: string}>;
const firstLine = async (file: string) => JSON.parse((await fs.readFile(file, `utf8`)).split(`\n`)[0]!);
const movedOf = async (person: Person, ...args: Array<string>) => JSON.parse((await person.cli(`doctor`, ...args, `--json`)).stdout).data.moved as Array<{agent: string; nativeId: string; from: string; to: string; done: boolean; problem?: string}>;

describe(`a project that was renamed`, () => {
  it(`keeps its sessions: they are listed, read on where they lie, and their mirrors go on`, async () => {
    const {alice} = await makeKept();
    const moved = await renamed(alice);
    expect(await sessionsOf(moved)).toMatchObject([{session: SESSION, records: RECORDS}]);
    expect(await moved.ok(`sync`)).toContain(`Everything is up to date`);

    await grow(alice);
    expect(await moved.ok(`sync`)).toContain(`1 new records`);
    expect(await sessionsOf(moved)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
    const rollouts = await moved.rollouts();
    expect(rollouts).toHaveLength(1);
    expect(await fs.readFile(rollouts[0]!, `utf8`)).toContain(`And the shipping costs?`);
  });

  it(`has them in the agents again after doctor --fix, which says before what it will do`, async () => {
    const {alice} = await makeKept();
    const [rollout] = await alice.rollouts();
    const transcript = await fs.readFile(alice.transcript(), `utf8`);
    const moved = await renamed(alice);
    const before = await snapshot(moved.home);
    expect(await movedOf(moved)).toMatchObject([
      {agent: `claude-code`, nativeId: SESSION, from: alice.repo, to: moved.repo, done: false},
      {agent: `codex`, from: alice.repo, to: moved.repo, done: false},
    ]);
    expect(await snapshot(moved.home)).toEqual(before);

    const said = (await moved.cli(`doctor`, `--fix`)).stdout;
    expect(said).toMatch(new RegExp(`Claude Code: session ${SESSION.slice(0, 8)} was filed under ${alice.repo}, now under ${moved.repo}`));
    expect(await fs.readFile(moved.transcript(), `utf8`)).toBe(transcript);
    await expect(fs.stat(alice.transcript())).rejects.toThrow(`ENOENT`);
    expect((await firstLine(rollout!)).payload.cwd).toBe(moved.repo);

    expect(await movedOf(moved)).toEqual([]);
    expect(await movedOf(moved, `--fix`)).toEqual([]);
    expect(await moved.ok(`sync`)).toContain(`Everything is up to date`);
    expect(await sessionsOf(moved)).toMatchObject([{session: SESSION, records: RECORDS}]);

    // It goes on there, as one session, and so does its mirror.
    await grow(moved);
    expect(await moved.ok(`sync`)).toContain(`1 new records`);
    expect(await sessionsOf(moved)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
    expect(await moved.rollouts()).toEqual([rollout]);
    expect(await fs.readFile(rollout!, `utf8`)).toContain(`And the shipping costs?`);
  });

  it(`keeps one meaning for the names of its folders across the move`, async () => {
    const {alice, bob, remote} = await makeKept();
    const moved = await renamed(alice);
    await moved.cli(`doctor`, `--fix`);
    await grow(moved, `Look at ${moved.repo}/src/cart.js and ${alice.repo}/src/stock.js.`);
    await moved.ok(`sync`);
    const ref = (await moved.refs()).split(`\n`).find(line => line.includes(`refs/session-sync/s/`))!.split(` `)[0]!;
    const header = JSON.parse(await moved.git(`show`, `${ref}:header.json`));
    expect(header.roots.root).toBe(alice.repo);
    expect(header.moved).toContainEqual(expect.objectContaining({root: moved.repo}));
    expect(header.rootCommit).toBe((await moved.git(`rev-list`, `--max-parents=0`, `HEAD`)).trim());
    const files = (await moved.git(`ls-tree`, `-r`, `--name-only`, ref)).split(`\n`).filter(name => name.startsWith(`rec/`));
    const records = await moved.git(`show`, `${ref}:${files.at(-1)!}`);
    expect(records).toContain(`Look at {root}/src/cart.js and {root}/src/stock.js.`);

    await moved.ok(`push`);
    await bob.git(`clone`, `-q`, remote, bob.repo);
    await bob.ok(`pull`);
    await bob.ok(`restore`, SESSION);
    for (const file of [bob.transcript(), (await bob.rollouts())[0]!]) {
      const text = await fs.readFile(file, `utf8`);
      expect(text).toContain(`Look at ${bob.repo}/src/cart.js and ${bob.repo}/src/stock.js.`);
      expect(text).not.toContain(moved.repo);
    }
  });

  it(`gets everything back as it was from doctor --fix --undo`, async () => {
    const {alice} = await makeKept();
    const stores = async () => ({...await snapshot(path.join(alice.home, `.claude`)), ...await snapshot(path.join(alice.home, `.codex`))});
    const before = await stores();
    const moved = await renamed(alice);
    await moved.cli(`doctor`, `--fix`);
    expect(await stores()).not.toEqual(before);
    expect(await movedOf(moved, `--fix`, `--undo`)).toHaveLength(2);
    expect(await stores()).toEqual(before);
    expect(await sessionsOf(moved)).toHaveLength(1);
    expect(await movedOf(moved)).toHaveLength(2);
    await fs.rename(moved.repo, alice.repo);
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    expect(await movedOf(alice)).toEqual([]);
  });

  it(`leaves what it would have to write over, and what is open`, async () => {
    const {alice} = await makeKept();
    const moved = await renamed(alice);
    await fs.mkdir(moved.claudeFolder(), {recursive: true});
    await fs.writeFile(moved.transcript(), `{"type":"user","cwd":"/elsewhere"}\n`);
    const transcript = await fs.readFile(alice.transcript(), `utf8`);
    const [claude] = await movedOf(moved, `--fix`);
    expect(claude).toMatchObject({agent: `claude-code`, done: false, problem: expect.stringContaining(`is there already`)});
    expect(await fs.readFile(alice.transcript(), `utf8`)).toBe(transcript);
    await fs.rm(moved.transcript());

    await fs.mkdir(path.join(alice.home, `.claude`, `sessions`));
    await fs.writeFile(path.join(alice.home, `.claude`, `sessions`, `${process.pid}.json`), JSON.stringify({pid: process.pid, sessionId: SESSION}));
    expect(await movedOf(moved, `--fix`)).toMatchObject([{agent: `claude-code`, done: false, problem: expect.stringContaining(`open right now`)}]);
    expect(await fs.readFile(alice.transcript(), `utf8`)).toBe(transcript);
    await fs.rm(path.join(alice.home, `.claude`, `sessions`), {recursive: true});
    expect(await movedOf(moved, `--fix`)).toMatchObject([{agent: `claude-code`, done: true}]);
  });

  it(`says of a move that was interrupted why it is not finished, whatever else is done`, async () => {
    const {alice} = await makeKept();
    const moved = await renamed(alice);
    await movedOf(moved, `--fix`);
    const folder = path.join(moved.repo, `.git/session-sync/rehomed`);
    const note = path.join(folder, (await fs.readdir(folder)).find(name => name.startsWith(`claude-code-`))!);
    const {done, ...rest} = JSON.parse(await fs.readFile(note, `utf8`));
    await fs.writeFile(note, JSON.stringify({...rest, done: [{...done[0], unfinished: `do`}]}));
    const sessions = path.join(alice.home, `.claude`, `sessions`);
    await fs.mkdir(sessions);
    await fs.writeFile(path.join(sessions, `${process.pid}.json`), JSON.stringify({pid: process.pid, sessionId: SESSION}));
    expect((await moved.cli(`doctor`, `--fix`)).stdout).toMatch(new RegExp(`Claude Code: ${SESSION} was left in the middle of a move, and stays so: .*open right now`));

    await fs.rm(sessions, {recursive: true});
    expect((await moved.cli(`doctor`, `--fix`)).stdout).toContain(`${SESSION} was left in the middle of a move, and is filed under ${moved.repo} now`);
    expect((await moved.cli(`doctor`, `--fix`)).stdout).not.toContain(`in the middle of a move`);
  });

  it(`never takes over a folder that is somebody's now`, async () => {
    const {alice} = await makeKept();
    const moved = await renamed(alice);
    await fs.mkdir(alice.repo);
    await alice.git(`init`, `-q`);
    await fs.writeFile(path.join(alice.repo, `new.txt`), `Another shop.\n`);
    await alice.record(`handwritten`, OTHER);
    expect(await movedOf(moved, `--fix`)).toEqual([]);
    expect((await sessionsOf(moved)).map(({session}) => session)).toEqual([SESSION]);
    expect(await moved.cli(`doctor`, `--fix`, `--moved-from`, alice.repo)).toMatchObject({exitCode: 1, stderr: expect.stringContaining(`only sessions of a folder that is gone`)});
    expect(await fs.stat(alice.transcript(OTHER)).then(() => true)).toBe(true);
  });

  it(`takes a session of an agent that went on with a mirror along as well`, async () => {
    const {alice} = await makeKept();
    await goOnInCodex(alice, undefined, `And now the discount, please.`, `The discount is there.`);
    await alice.ok(`sync`);
    const before = (await sessionsOf(alice)).map(({session, records}) => ({session, records}));
    const moved = await renamed(alice);
    expect((await movedOf(moved, `--fix`)).every(({done}) => done)).toBe(true);
    expect(await movedOf(moved)).toEqual([]);
    expect((await sessionsOf(moved)).map(({session, records}) => ({session, records}))).toEqual(before);
    expect(await moved.ok(`sync`)).toContain(`Everything is up to date`);
    expect((await fs.readdir(moved.claudeFolder())).filter(name => name.endsWith(`.jsonl`))).toHaveLength(2);
  });

  /** alice's session, with which Pi went on. Its first line names the folder: what follows moves in the file when that is longer or shorter. */
  async function makeContinuedInPi() {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await fs.mkdir(path.join(alice.home, `.pi/agent/sessions`), {recursive: true});
    await alice.ok(`init`);
    await alice.ok(`sync`);
    await goOnInPi(alice, `And now the discount, please.`, `The discount is there.`);
    return alice;
  }

  it.each([[`longer`, `the-market-of-tomorrow`], [`shorter`, `a`]])(`takes what an agent added along as it is where the name is %s`, async (_, name) => {
    const alice = await makeContinuedInPi();
    await alice.ok(`sync`);
    // Pushed: from now on only the lines tell whose they are.
    await alice.ok(`push`);
    const leg = (await sessionsOf(alice)).find(({agent}) => agent === `pi`)!;
    const [refs, records] = [await alice.refs(), (await alice.json([`show`, leg.session, `--text`])).records];
    expect(JSON.stringify(records.slice(RECORDS))).toMatch(/And now the discount.*The discount is there/);

    const moved = await renamed(alice, name);
    expect((await movedOf(moved, `--fix`)).filter(({agent}) => agent === `pi`)).toMatchObject([{done: true}]);
    await moved.ok(`sync`);
    const names = (list: string) => list.split(`\n`).map(line => line.split(` `)[0]);
    expect(names(await moved.refs())).toEqual(names(refs));
    expect(JSON.parse(JSON.stringify((await moved.json([`show`, leg.session, `--text`])).records).replaceAll(moved.repo, alice.repo))).toEqual(records);
  });

  it.each([[`longer`, `the-market-of-tomorrow`], [`shorter`, `a`]])(`takes what an agent added and nobody has read along where the name is %s`, async (_, name) => {
    const alice = await makeContinuedInPi();
    const moved = await renamed(alice, name);
    await moved.cli(`doctor`, `--fix`);
    await moved.ok(`sync`);
    const leg = (await sessionsOf(moved)).find(({agent}) => agent === `pi`)!;
    const {records} = await moved.json([`show`, leg.session, `--text`, `--branches`]);
    expect(records.map(({seq}: {seq: number}) => seq)).toEqual([...records.keys()]);
    expect(records.slice(RECORDS).flatMap(({kind, text, content}: any) => kind === `reply` ? [text] : kind === `prompt` ? [content[0].text] : [])).toEqual([`And now the discount, please.`, `The discount is there.`]);
  });

  it(`stays where the agent's folder of the new name is a link to that of the old one`, async () => {
    const {alice} = await makeKept();
    const transcript = await fs.readFile(alice.transcript(), `utf8`);
    const moved = await renamed(alice);
    await fs.symlink(path.basename(alice.claudeFolder()), moved.claudeFolder());
    const claude = (await movedOf(moved, `--fix`)).filter(({agent}) => agent === `claude-code`);
    expect(claude).toMatchObject([{done: false, problem: expect.stringContaining(`one and the same`)}]);
    expect(await fs.readFile(alice.transcript(), `utf8`)).toBe(transcript);
    expect(await moved.ok(`sync`)).toContain(`Everything is up to date`);
  });
});

/** The handwritten session once more, under an id of its own and in the person's folder. */
async function placeOther(person: Person, model: string) {
  const text = model.replaceAll(SESSION, OTHER).replace(/"cwd":"[^"]*"/g, () => `"cwd":${JSON.stringify(person.repo)}`);
  await fs.mkdir(person.claudeFolder(), {recursive: true});
  await fs.writeFile(person.transcript(OTHER), text);
  return text;
}

describe(`a project that is renamed again and again`, () => {
  it(`is followed from name to name, and back`, async () => {
    const {alice} = await makeKept();
    const transcript = await fs.readFile(alice.transcript(), `utf8`);
    const second = await renamed(alice, `Läden & Märkte v1.2 (neu)`);
    expect((await movedOf(second, `--fix`)).map(({done}) => done)).toEqual([true, true]);
    await grow(second);
    expect(await second.ok(`sync`)).toContain(`1 new records`);
    const third = await renamed(second, `.shops 日本.x`);
    expect((await movedOf(third, `--fix`)).map(({from, to, done}) => ({from, to, done}))).toEqual(Array(2).fill({from: second.repo, to: third.repo, done: true}));
    expect(await fs.readFile(third.transcript(), `utf8`)).toContain(transcript);
    expect(await third.ok(`sync`)).toContain(`Everything is up to date`);
    expect(await sessionsOf(third)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
    expect(await third.rollouts()).toHaveLength(1);

    expect((await movedOf(third, `--fix`, `--undo`)).map(({to}) => to)).toEqual([second.repo, second.repo]);
    expect((await movedOf(third, `--fix`, `--undo`)).map(({to}) => to)).toEqual([alice.repo, alice.repo]);
    expect(await movedOf(third, `--fix`, `--undo`)).toEqual([]);
    expect(await fs.readFile(alice.transcript(), `utf8`)).toContain(transcript);
    expect((await movedOf(third, `--fix`)).map(({from, to, done}) => ({from, to, done}))).toEqual(Array(2).fill({from: alice.repo, to: third.repo, done: true}));
    expect(await sessionsOf(third)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);

    // Under the name that it began with.
    await fs.rename(third.repo, alice.repo);
    expect((await movedOf(alice, `--fix`)).map(({from, to, done}) => ({from, to, done}))).toEqual(Array(2).fill({from: third.repo, to: alice.repo, done: true}));
    expect(await alice.ok(`sync`)).toContain(`Everything is up to date`);
    expect(await sessionsOf(alice)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
  });

  it(`is followed where nobody looked between two names`, async () => {
    const {alice} = await makeKept();
    const moved = await renamed(await renamed(alice, `one`), `two`);
    expect((await movedOf(moved, `--fix`)).map(({from, to, done}) => ({from, to, done}))).toEqual(Array(2).fill({from: alice.repo, to: moved.repo, done: true}));
    expect(await moved.ok(`sync`)).toContain(`Everything is up to date`);
  });

  it(`takes a session of a subfolder along into it, or to the top where it is no more`, async () => {
    const {alice} = await makeWorld();
    const [cart, old] = [`src/my cart`, `old`].map(folder => at(alice, path.join(alice.repo, folder))) as [Person, Person];
    for (const {repo} of [cart, old]) {
      await fs.mkdir(repo, {recursive: true});
      await fs.writeFile(path.join(repo, `index.js`), ``);
    }
    await cart.record(`handwritten`, SESSION);
    await placeOther(old, await fs.readFile(cart.transcript(), `utf8`));
    await alice.ok(`init`);
    await alice.ok(`sync`);
    expect(await sessionsOf(alice)).toHaveLength(2);
    const moved = await renamed(alice);
    await fs.rm(path.join(moved.repo, `old`), {recursive: true});
    const claude = (await movedOf(moved, `--fix`)).filter(({agent}) => agent === `claude-code`);
    expect(Object.fromEntries(claude.map(({nativeId, to, done}) => [nativeId, {to, done}]))).toEqual({
      [SESSION]: {to: path.join(moved.repo, `src/my cart`), done: true}, [OTHER]: {to: moved.repo, done: true},
    });
    for (const file of [moved.transcript(SESSION, path.join(moved.repo, `src/my cart`)), moved.transcript(OTHER)])
      expect(await fs.stat(file).then(info => info.isFile())).toBe(true);
    expect(await moved.ok(`sync`)).toContain(`Everything is up to date`);
  });

  it(`waits for an agent that runs anywhere in the project, where nothing else tells what it has open`, async () => {
    const {alice, world} = await makeWorld();
    await alice.ok(`init`);
    await alice.ok(`sync`);
    const moved = await renamed(alice);
    const [old, now] = [alice, moved].map(({repo}) => path.join(repo, `src`)) as [string, string];
    await fs.mkdir(now);
    await fs.writeFile(path.join(now, `index.js`), ``);
    const id = `session_6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`;
    const place = (folder: string) => path.join(alice.home, `.kimi-code`, `sessions`, folderKey(folder), id);
    await fs.mkdir(path.join(place(old), `agents/main`), {recursive: true});
    await fs.writeFile(path.join(place(old), `state.json`), JSON.stringify({id, version: 2, cwd: old}));
    await fs.writeFile(path.join(place(old), `agents/main/wire.jsonl`), `{"type":"metadata","protocol_version":"1.5"}\n{"type":"runtime.set_binding","workspaceId":"${folderKey(old)}","runtimeId":"local","agentId":"main","time":7}\n`);

    await fs.writeFile(path.join(world, `kimi.mjs`), `console.log("up"); setInterval(() => {}, 1000);`);
    const kimi = spawn(process.execPath, [path.join(world, `kimi.mjs`)], {cwd: moved.repo, stdio: [`ignore`, `pipe`, `ignore`]});
    try {
      await once(kimi.stdout, `data`);
      expect(await movedOf(moved, `--fix`)).toMatchObject([{agent: `kimi`, done: false, problem: expect.stringContaining(`process ${kimi.pid}`)}]);
      expect(await fs.stat(place(old)).then(info => info.isDirectory())).toBe(true);
    } finally {
      kimi.kill(`SIGKILL`);
      await once(kimi, `exit`);
    }
    expect(await movedOf(moved, `--fix`)).toMatchObject([{agent: `kimi`, nativeId: id, from: old, to: now, done: true}]);
    expect((await fs.readFile(path.join(place(now), `agents/main/wire.jsonl`), `utf8`)).trimEnd().split(`\n`).at(-1)).toContain(folderKey(now));
  });

  it(`shares its folder in an agent's store with another one of nearly its name, and takes along what is its own`, async () => {
    const {alice} = await makeKept();
    // Claude Code has one folder for both.
    const other = at(alice, path.join(alice.home, `my.shop`));
    const mine = await renamed(alice, `my shop`);
    await movedOf(mine, `--fix`);
    expect(other.claudeFolder()).toBe(mine.claudeFolder());
    await fs.mkdir(other.repo);
    await other.git(`init`, `-q`);
    const text = await placeOther(other, await fs.readFile(mine.transcript(), `utf8`));
    expect((await sessionsOf(mine)).map(({session}) => session)).toEqual([SESSION]);

    const same = await renamed(mine, `my-shop`);
    expect((await movedOf(same, `--fix`)).every(({done}) => done)).toBe(true);
    expect(await movedOf(same)).toEqual([]);
    await grow(same);
    expect(await same.ok(`sync`)).toContain(`1 new records`);
    const away = await renamed(same, `market`);
    expect((await movedOf(away, `--fix`)).filter(({agent}) => agent === `claude-code`).map(({nativeId, done}) => ({nativeId, done}))).toEqual([{nativeId: SESSION, done: true}]);
    expect(await fs.readFile(other.transcript(OTHER), `utf8`)).toBe(text);
    expect((await fs.readdir(away.claudeFolder())).filter(name => name.endsWith(`.jsonl`))).toEqual([`${SESSION}.jsonl`]);
    expect(await sessionsOf(away)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
  });

  it(`is known by a name with a link in it, as /tmp is one on macOS`, async () => {
    const {alice, world} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    await fs.symlink(alice.home, path.join(world, `link`));
    const moved = await renamed(alice);
    await moved.ok(`init`);
    const linked = at(moved, path.join(world, `link`, `market`));
    expect(await movedOf(linked, `--fix`, `--moved-from`, `${path.join(world, `link`, `shop`)}/`)).toMatchObject([{nativeId: SESSION, from: alice.repo, to: moved.repo, done: true}]);
    expect(await fs.stat(moved.transcript()).then(info => info.isFile())).toBe(true);
    expect(await sessionsOf(linked)).toMatchObject([{session: SESSION}]);
  });
});

describe(`a project that is elsewhere`, () => {
  it(`keeps the sessions of a worktree that was removed, and gives them to the main folder`, async () => {
    const {alice} = await makeKept();
    const tree = at(alice, path.join(alice.home, `shop-cart`));
    await alice.git(`worktree`, `add`, `-q`, tree.repo);
    await tree.record(`handwritten`, OTHER);
    await alice.ok(`sync`);
    const known = (await sessionsOf(alice)).map(({session}) => session).sort();
    expect(known).toEqual([SESSION, OTHER]);
    await alice.git(`worktree`, `remove`, `--force`, tree.repo);

    expect((await sessionsOf(alice)).map(({session}) => session).sort()).toEqual(known);
    await grow(tree, `And the shipping costs?`, OTHER);
    expect(await alice.ok(`sync`)).toContain(`1 new records`);
    expect(await alice.json([`restore`, OTHER])).toMatchObject({session: OTHER});
    expect(await movedOf(alice, `--fix`)).toMatchObject([
      {agent: `claude-code`, nativeId: OTHER, from: tree.repo, to: alice.repo, done: true},
      {agent: `codex`, from: tree.repo, to: alice.repo, done: true},
    ]);
    expect(await fs.stat(alice.transcript(OTHER)).then(info => info.isFile())).toBe(true);
  });

  it(`follows a worktree that git knows in another place`, async () => {
    const {alice} = await makeKept();
    const tree = at(alice, path.join(alice.home, `shop-cart`));
    await alice.git(`worktree`, `add`, `-q`, tree.repo);
    await tree.record(`handwritten`, OTHER);
    await alice.ok(`sync`);
    await alice.git(`worktree`, `move`, tree.repo, path.join(alice.home, `cart`));
    expect((await movedOf(alice, `--fix`)).map(({to, done}) => ({to, done}))).toEqual(Array.from({length: 2}, () => ({to: path.join(alice.home, `cart`), done: true})));
  });

  it(`finds the sessions of a clone that was thrown away, by what was pushed of them`, async () => {
    const {alice, remote} = await makeKept();
    await alice.ok(`push`);
    await fs.rm(alice.repo, {recursive: true});
    const fresh = at(alice, path.join(alice.home, `again`));
    await fresh.git(`clone`, `-q`, remote, fresh.repo);
    await fresh.ok(`init`);
    expect(await movedOf(fresh)).toEqual([]);
    await fresh.ok(`pull`);
    // The mirror, of which nobody knows any more how much is ours, is known again once its session was read.
    expect((await movedOf(fresh, `--fix`)).map(({agent, done}) => ({agent, done}))).toEqual([{agent: `claude-code`, done: true}, {agent: `codex`, done: true}]);
    expect(await fs.stat(fresh.transcript()).then(info => info.isFile())).toBe(true);
    await fresh.ok(`sync`);
    expect(await sessionsOf(fresh)).toMatchObject([{session: SESSION, records: RECORDS}]);
    expect(await Promise.all((await fresh.rollouts()).map(async file => (await firstLine(file)).payload.cwd))).toEqual([fresh.repo]);
    expect(await movedOf(fresh)).toEqual([]);
  });

  it(`is told of a folder that it never knew`, async () => {
    const {alice} = await makeWorld();
    await alice.record(`handwritten`, SESSION);
    const moved = await renamed(alice);
    await moved.ok(`init`);
    expect(await movedOf(moved)).toEqual([]);
    expect(await movedOf(moved, `--moved-from`, alice.repo)).toMatchObject([{agent: `claude-code`, nativeId: SESSION, done: false}]);
    expect(await movedOf(moved, `--fix`, `--moved-from`, `../shop`)).toMatchObject([{agent: `claude-code`, nativeId: SESSION, done: true}]);
    expect(await sessionsOf(moved)).toMatchObject([{session: SESSION, records: RECORDS}]);
    expect(await moved.rollouts()).toHaveLength(1);
    expect((await firstLine((await moved.rollouts())[0]!)).payload.cwd).toBe(moved.repo);
  });

  it(`knows a session of Codex by the repository that it names`, async () => {
    const {alice} = await makeWorld();
    await alice.ok(`init`);
    const id = `01a206c8-f28b-77a2-8fe2-681486ca63a5`;
    const commit = (await alice.git(`rev-parse`, `HEAD`)).trim();
    const folder = path.join(alice.home, `.codex`, `sessions`, `2026`, `11`, `20`);
    const write = async (name: string, git: object) => {
      const lines = [
        {timestamp: `2026-11-20T10:00:00.000Z`, type: `session_meta`, payload: {id: name, timestamp: `2026-11-20T10:00:00.000Z`, cwd: `/nowhere/shop`, originator: `codex`, cli_version: `0.169.0`, source: `cli`, git}},
        {timestamp: `2026-11-20T10:00:01.000Z`, type: `response_item`, payload: {type: `message`, role: `user`, content: [{type: `input_text`, text: `Hello`}]}},
      ];
      await fs.mkdir(folder, {recursive: true});
      await fs.writeFile(path.join(folder, `rollout-2026-11-20T10-00-00-${name}.jsonl`), lines.map(line => `${JSON.stringify(line)}\n`).join(``));
    };
    await write(id, {commit_hash: commit, branch: `main`});
    await write(id.replace(/5$/, `6`), {commit_hash: commit.replaceAll(/[0-9]/g, `0`), branch: `main`});
    await write(id.replace(/5$/, `7`), {commit_hash: commit, repository_url: `https://example.org/other.git`});
    expect(await movedOf(alice)).toMatchObject([{agent: `codex`, nativeId: id, from: `/nowhere/shop`, to: alice.repo}]);
  });

  it(`follows a home that was renamed, with the agents' stores in it`, async () => {
    const {alice, world} = await makeKept();
    const home = path.join(world, `alicia`);
    await fs.rename(alice.home, home);
    const moved = new Person(world, `alicia`, path.join(home, `shop`));
    moved.env = {...alice.env, HOME: home};
    const folder = path.join(home, `.claude`, `projects`, path.basename(alice.claudeFolder()));
    await fs.appendFile(path.join(folder, `${SESSION}.jsonl`), ``);
    expect(await moved.ok(`sync`)).not.toContain(`is gone`);
    expect((await movedOf(moved, `--fix`)).every(({done}) => done)).toBe(true);
    await grow(moved);
    await moved.ok(`sync`);
    expect(await sessionsOf(moved)).toMatchObject([{session: SESSION, records: RECORDS + 1}]);
    const rollouts = await moved.rollouts();
    expect(rollouts).toHaveLength(1);
    expect(await fs.readFile(rollouts[0]!, `utf8`)).toContain(`And the shipping costs?`);
  });

  it(`says so where the history was rewritten or the branch has another name`, async () => {
    const {alice} = await makeKept();
    await alice.git(`branch`, `-m`, `main`, `trunk`);
    await alice.git(`checkout`, `-q`, `--orphan`, `fresh`);
    await alice.git(`commit`, `-q`, `-m`, `The shop, told anew`);
    await alice.git(`branch`, `-D`, `trunk`);
    await alice.git(`remote`, `remove`, `origin`);
    await alice.git(`reflog`, `expire`, `--expire=now`, `--all`);
    await alice.git(`gc`, `-q`, `--prune=now`);
    const {differences} = await alice.json([`restore`, SESSION, `--dry-run`]);
    expect(differences.join(`\n`)).toMatch(/not in this repository: the history here begins with another commit/);
    expect(differences.join(`\n`)).toMatch(/branch main, which is not here any more/);
    expect(await sessionsOf(alice)).toHaveLength(1);
  });
});
