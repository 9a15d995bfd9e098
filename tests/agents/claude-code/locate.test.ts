import {appendFile, mkdir, symlink, writeFile}           from 'node:fs/promises';
import path                                              from 'node:path';
import {describe, expect, it}                            from 'vitest';

import {claudeCode}                                      from '../../../sources/agents/claude-code/index.ts';
import {slugOf}                                          from '../../../sources/agents/claude-code/places.ts';
import type {Machine}                                    from '../../../sources/agents/types.ts';
import {temporaryFolders}                                from '../../_temporary.ts';

import {fixtureFile}                                     from './_read.ts';

const source = claudeCode.source!;
const native = claudeCode.native!;
const makeFolder = temporaryFolders();

const ID = `0198c0de-0000-4000-8000-00000000000`;

function machineAt(home: string, env: Machine[`env`] = {}): Machine {
  return {env, home, platform: `linux`, tmp: path.join(home, `tmp`)};
}

async function addSession(home: string, slug: string, name: string, cwd: string | null, before = ``) {
  const file = path.join(home, `.claude/projects`, slug, name);
  await mkdir(path.dirname(file), {recursive: true});
  await writeFile(file, `${before}${JSON.stringify({type: `mode`, mode: `normal`})}\n${JSON.stringify({type: `user`, uuid: `a`, parentUuid: null, ...cwd === null ? {} : {cwd}, message: {role: `user`, content: `x`}})}\n`);
  return file;
}

describe(`slugs`, () => {
  it(`are those of Claude Code`, () => {
    expect(slugOf(`/home/alice/s/.hidden/a--b`)).toBe(`-home-alice-s--hidden-a--b`);
    expect(slugOf(`/home/alice/👋`)).toBe(`-home-alice---`);
    expect(slugOf(`/home/${`a`.repeat(194)}`)).toHaveLength(200);
  });

  it(`of long paths are cut and get a hash of the whole`, () => {
    const long = slugOf(`/home/${`a`.repeat(300)}`);
    expect(long).toMatch(/^-home-a{194}-[0-9a-z]{1,7}$/);
    expect(long).not.toBe(slugOf(`/home/${`a`.repeat(301)}`));
    // Worked out by the published rule: h = h * 31 + unit in 32 bits, then the absolute value in base 36.
    let hash = 0;
    for (const unit of `/home/${`a`.repeat(300)}`)
      hash = ((hash << 5) - hash + unit.charCodeAt(0)) | 0;
    expect(long.split(`-`).at(-1)).toBe(Math.abs(hash).toString(36));
  });
});

describe(`locate`, () => {
  it(`finds the sessions of a folder and of those below it, by what they say themselves`, async () => {
    const home = await makeFolder();
    const shop = await addSession(home, `-home-alice-shop`, `${ID}1.jsonl`, `/home/alice/shop`);
    const below = await addSession(home, `-home-alice-shop-src`, `${ID}2.jsonl`, `/home/alice/shop/src`);
    // The same slug, other folders.
    await addSession(home, `-home-alice-shop`, `${ID}3.jsonl`, `/home/alice-shop`);
    await addSession(home, `-home-alice-shop-src`, `${ID}4.jsonl`, `/home/alice/shop-src`);
    await addSession(home, `-home-alice`, `${ID}5.jsonl`, `/home/alice/shop`);
    const named = await addSession(home, `-home-alice-shop`, `not-a-uuid.jsonl`, null);
    await addSession(home, `-home-alice-shop-src`, `${ID}6.jsonl`, null);
    await addSession(home, `-home-alice-shop`, `agent-abc.jsonl`, `/home/alice/shop`);
    await writeFile(path.join(home, `.claude/projects/-home-alice-shop/${ID}7.jsonl`), ``);
    await symlink(shop, path.join(home, `.claude/projects/-home-alice-shop/${ID}8.jsonl`));

    const found = await source.locate(machineAt(home), [`/home/alice/shop`]);
    expect(found.map(({path: file, cwd}) => [file, cwd])).toEqual([[below, `/home/alice/shop/src`], [shop, `/home/alice/shop`], [named, `/home/alice/shop`]]);
    expect(found[1]).toMatchObject({agent: `claude-code`, nativeId: `${ID}1`, session: `${ID}1`, size: expect.any(Number), mtimeMs: expect.any(Number)});
    expect(found[2]!.session).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/);
  });

  it(`reads only the first bytes, also of a line that is longer`, async () => {
    const home = await makeFolder();
    const long = await addSession(home, `-home-alice-shop`, `${ID}1.jsonl`, null);
    await writeFile(long, `{"type":"user","cwd":"/home/alice/shop","message":{"content":"${`x`.repeat(1 << 20)}"}}\n`);
    const late = await addSession(home, `-home-alice-shop`, `${ID}2.jsonl`, `/elsewhere`, `${JSON.stringify({type: `mode`, x: `y`.repeat(1 << 17)})}\n`);
    await appendFile(late, `{"cwd":"/home/alice/shop"}\n`);
    const found = await source.locate(machineAt(home), [`/home/alice/shop`]);
    expect(found.map(({path: file, cwd}) => [file, cwd])).toEqual([[long, `/home/alice/shop`], [late, `/home/alice/shop`]]);
  });

  it(`finds sessions of long paths, and those under a name given by the person`, async () => {
    const home = await makeFolder();
    const cwd = `/home/${`a`.repeat(250)}`;
    const long = await addSession(home, slugOf(cwd), `${ID}1.jsonl`, cwd);
    const below = await addSession(home, slugOf(`${cwd}/src`), `${ID}2.jsonl`, `${cwd}/src`);
    const named = await addSession(home, `mine`, `${ID}3.jsonl`, cwd);
    const found = await source.locate(machineAt(home, {CLAUDE_CODE_PROJECT_DIR_NAME: `mine`}), [cwd]);
    expect(found.map(({path: file}) => file).sort()).toEqual([long, below, named].sort());
    expect(await source.locate(machineAt(home), [cwd])).toHaveLength(2);
  });

  it(`finds nothing where there is nothing`, async () => {
    expect(await source.locate(machineAt(await makeFolder()), [`/home/alice/shop`])).toEqual([]);
  });

  it(`looks where the configuration says`, async () => {
    const home = await makeFolder();
    await addSession(path.join(home, `x`), `-home-alice-shop`, `${ID}1.jsonl`, `/home/alice/shop`);
    const machine = machineAt(home, {CLAUDE_CONFIG_DIR: path.join(home, `x/.claude`)});
    expect(await source.locate(machine, [`/home/alice/shop`])).toHaveLength(1);
  });
});

describe(`files`, () => {
  it(`are those of the fixture`, async () => {
    const file = fixtureFile(`01`);
    const side = file.replace(/\.jsonl$/, ``);
    expect(await source.files({path: file, nativeId: path.basename(side)})).toEqual([
      {name: `transcript.jsonl`, path: file, content: `records`, stream: `main`},
      {name: `subagents/agent-a82ee276af4c04708.jsonl`, path: path.join(side, `subagents/agent-a82ee276af4c04708.jsonl`), content: `records`, stream: `sub-a82ee276af4c04708`},
      {name: `subagents/agent-a82ee276af4c04708.meta.json`, path: path.join(side, `subagents/agent-a82ee276af4c04708.meta.json`), content: `opaque`},
      {name: `tool-results/b0dgnbrhm.txt`, path: path.join(side, `tool-results/b0dgnbrhm.txt`), content: `opaque`},
    ]);
  });

  it(`are regular ones with harmless names`, async () => {
    const home = await makeFolder();
    const file = await addSession(home, `-x`, `${ID}1.jsonl`, `/x`);
    const side = file.replace(/\.jsonl$/, ``);
    await mkdir(path.join(side, `tool-results/folder`), {recursive: true});
    await mkdir(path.join(side, `subagents`));
    await writeFile(path.join(side, `tool-results/a b.txt`), `x`);
    await writeFile(path.join(side, `tool-results/.hidden`), `x`);
    await writeFile(path.join(side, `tool-results/ok.txt`), `x`);
    await writeFile(path.join(side, `other.json`), `x`);
    await writeFile(path.join(side, `custom-title.json`), `{}`);
    await symlink(`/etc/passwd`, path.join(side, `tool-results/link.txt`));
    await symlink(`/etc`, path.join(side, `subagents/agent-1.jsonl`));
    expect((await source.files({path: file, nativeId: `${ID}1`})).map(({name}) => name)).toEqual([`transcript.jsonl`, `custom-title.json`, `tool-results/ok.txt`]);
  });

  it(`of a folder that is a link are left out, and there are none without a transcript`, async () => {
    const home = await makeFolder();
    const file = await addSession(home, `-x`, `${ID}1.jsonl`, `/x`);
    const side = file.replace(/\.jsonl$/, ``);
    await mkdir(side);
    await symlink(`/etc`, path.join(side, `tool-results`));
    expect(await source.files({path: file, nativeId: `${ID}1`})).toHaveLength(1);
    expect(await source.files({path: path.join(home, `gone.jsonl`), nativeId: `gone`})).toEqual([]);
  });
});

describe(`restoring to Claude Code itself`, () => {
  const machine = machineAt(`/Users/bob`);
  const session = {nativeId: `${ID}1`, cwd: `/Users/bob/src/shop`};

  it(`puts each file where the other machine's Claude Code looks for it`, () => {
    const project = `/Users/bob/.claude/projects/-Users-bob-src-shop`;
    expect(native.pathOf(machine, session, `transcript.jsonl`)).toBe(`${project}/${ID}1.jsonl`);
    expect(native.pathOf(machine, session, `subagents/agent-a1.meta.json`)).toBe(`${project}/${ID}1/subagents/agent-a1.meta.json`);
    expect(native.roots(machine, session)).toEqual({session: `${project}/${ID}1`, transcript: `${project}/${ID}1.jsonl`, project, agent: `/Users/bob/.claude`});
    expect(native.pathOf({...machine, env: {CLAUDE_CONFIG_DIR: `/cfg`}}, session, `custom-title.json`)).toBe(`/cfg/projects/-Users-bob-src-shop/${ID}1/custom-title.json`);
    expect(native.resumeCommand(session.nativeId)).toBe(`claude --resume ${ID}1`);
  });

  it(`says the same roots on both machines`, () => {
    expect(source.roots({path: `/home/alice/.claude/projects/-home-alice-shop/${ID}1.jsonl`, nativeId: `${ID}1`}, machine)).toEqual({
      session: `/home/alice/.claude/projects/-home-alice-shop/${ID}1`, transcript: `/home/alice/.claude/projects/-home-alice-shop/${ID}1.jsonl`,
      project: `/home/alice/.claude/projects/-home-alice-shop`, agent: `/home/alice/.claude`,
    });
  });

  it.each([`../x`, `a/../../x`, `/etc/passwd`, `a/b/c`, ``, `.`, `a//b`, `a\\b`, `.hidden`])(`refuses the name %j`, name => {
    expect(() => native.pathOf(machine, session, name)).toThrow(expect.objectContaining({code: `UNSAFE_NAME`}));
  });

  it(`refuses an id that is no name`, () => {
    expect(() => native.pathOf(machine, {...session, nativeId: `../x`}, `transcript.jsonl`)).toThrow(expect.objectContaining({code: `UNSAFE_NAME`}));
  });

  it(`finds the session in any project`, async () => {
    const home = await makeFolder();
    const file = await addSession(home, `-elsewhere`, `${ID}1.jsonl`, `/elsewhere`);
    expect(await native.find(machineAt(home), `${ID}1`)).toBe(file);
    expect(await native.find(machineAt(home), `${ID}2`)).toBeNull();
    expect(await native.find(machineAt(home), `../-elsewhere/${ID}1`)).toBeNull();
  });

  it(`knows a session that was gone on with from one that was only opened`, () => {
    const line = (value: object) => `${JSON.stringify(value)}\n`;
    expect(native.judge(``)).toBe(`opened`);
    expect(native.judge(line({type: `last-prompt`, lastPrompt: `"type":"user"`}) + line({type: `attachment`, attachment: {type: `date`}}) + line({type: `mode`}))).toBe(`opened`);
    expect(native.judge(line({type: `mode`}) + line({type: `user`, uuid: `a`}))).toBe(`continued`);
    expect(native.judge(line({type: `assistant`, uuid: `a`}))).toBe(`continued`);
    expect(native.judge(line({type: `attachment`, attachment: {type: `queued_command`}}))).toBe(`continued`);
    expect(native.judge(`{"parentUuid":null,"type":"user","mess`)).toBe(`continued`);
  });
});
