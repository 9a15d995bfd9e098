import {chmod, mkdir, symlink, utimes, writeFile} from 'node:fs/promises';
import path                            from 'node:path';
import {describe, expect, it}          from 'vitest';

import {pi}                            from '../../../sources/agents/pi/index.ts';
import {SettingsError}                 from '../../../sources/agents/types.ts';
import type {Machine}                  from '../../../sources/agents/types.ts';
import type {Json}                     from '../../../sources/interchange/index.ts';
import {temporaryFolders}              from '../../_temporary.ts';

import {machine, target}               from './_session.ts';

const folder = temporaryFolders();
const ID = `01a2061c-7ee6-71f1-86a4-d2597323d07c`;

async function scratch(env: Machine[`env`] = {}): Promise<Machine & {agent: string}> {
  const home = await folder();
  return {env, home, platform: `linux`, tmp: home, agent: path.join(home, `.pi`, `agent`)};
}

async function session(folderOf: string, {id = ID, cwd = `/home/alice/shop`, name = `2026_${id}.jsonl`}: {id?: string; cwd?: string; name?: string} = {}) {
  await mkdir(folderOf, {recursive: true});
  const file = path.join(folderOf, name);
  await writeFile(file, `${JSON.stringify({type: `session`, version: 3, id, timestamp: `2026-11-20T10:00:00.000Z`, cwd})}\n`);
  return file;
}

describe(`places`, () => {
  const pathOf = (env: Machine[`env`], settings: Json = {}) => pi.target!.pathOf({...machine, env}, {...target, settings});

  it(`of a mirror: the project's folder, a name as Pi's own`, async () => {
    expect(await pathOf({})).toBe(`/home/alice/.pi/agent/sessions/--home-alice-shop--/2026-11-20T10-00-00-000Z_${target.id}.jsonl`);
    expect(await pathOf({PI_CODING_AGENT_DIR: `~/pi`})).toBe(`/home/alice/pi/sessions/--home-alice-shop--/2026-11-20T10-00-00-000Z_${target.id}.jsonl`);
    expect(await pathOf({}, {sessions: `/srv/pi`})).toBe(`/srv/pi/2026-11-20T10-00-00-000Z_${target.id}.jsonl`);
    expect(await pathOf({}, {sessions: `.pi/sessions`})).toBe(`/home/alice/shop/.pi/sessions/2026-11-20T10-00-00-000Z_${target.id}.jsonl`);
    expect(await pi.target!.pathOf(machine, {...target, cwd: `/home/alice/a b.c_d/e:f`, header: {...target.header, created: undefined}})).toContain(`/--home-alice-a b.c_d-e-f--/2025-01-01T00-00-00-000Z_`);
  });

  it(`that the person has set are found`, async () => {
    const here = await scratch();
    expect(await pi.target!.prepare(here)).toEqual({});
    await mkdir(here.agent, {recursive: true});
    await writeFile(path.join(here.agent, `settings.json`), `{"sessionDir": "~/all"} // mine`);
    expect(await pi.target!.prepare(here)).toEqual({sessions: path.join(here.home, `all`)});
    expect(await pi.target!.prepare({...here, env: {PI_CODING_AGENT_SESSION_DIR: `/tmp`}})).toEqual({sessions: `/tmp`});
    for (const broken of [`{`, `[]`, `{"sessionDir": 7}`, ``]) {
      await writeFile(path.join(here.agent, `settings.json`), broken);
      expect(await pi.target!.prepare(here)).toEqual({});
    }
  });

  it(`of a session's own bytes on another machine`, () => {
    expect(pi.native!.pathOf(machine, {nativeId: ID, cwd: `/Users/bob/src/shop`}, `session.jsonl`)).toBe(`/home/alice/.pi/agent/sessions/--Users-bob-src-shop--/${ID}.jsonl`);
    for (const [nativeId, name] of [[ID, `../x`], [ID, `other`], [`../x`, `session.jsonl`], [`a..b`, `session.jsonl`]])
      expect(() => pi.native!.pathOf(machine, {nativeId: nativeId!, cwd: `/x`}, name!)).toThrow(`Not a file of a session`);
  });
});

describe(`sessions of a project`, () => {
  it(`are found by the folder that their header names`, async () => {
    const here = await scratch();
    const sessions = path.join(here.agent, `sessions`);
    const own = await session(path.join(sessions, `--home-alice-shop--`));
    const below = await session(path.join(sessions, `--home-alice-shop-web--`), {id: `below-1`, cwd: `/home/alice/shop/web`});
    // The same folder name for another project, and one that only begins alike.
    await session(path.join(sessions, `--home-alice-shop-web--`), {id: `other-1`, cwd: `/home/alice/shop-web`});
    await session(path.join(sessions, `--home-alice-shopping--`), {id: `other-2`, cwd: `/home/alice/shopping`});
    await writeFile(path.join(sessions, `--home-alice-shop--`, `broken.jsonl`), `{"type":"mess`);
    await writeFile(path.join(sessions, `--home-alice-shop--`, `empty.jsonl`), ``);
    await session(path.join(sessions, `--home-alice-shop--`), {id: `../../evil`, name: `evil.jsonl`});
    await symlink(own, path.join(sessions, `--home-alice-shop--`, `link.jsonl`));

    const found = await pi.source!.locate(here, [`/home/alice/shop`]);
    expect(found.map(({nativeId, path: file}) => [nativeId, file])).toEqual([[`below-1`, below], [ID, own]].sort((a, b) => a[1]! < b[1]! ? -1 : 1));
    expect(found.find(({nativeId}) => nativeId === ID)).toMatchObject({agent: `pi`, session: ID, cwd: `/home/alice/shop`});
    expect(await pi.native!.find(here, `below-1`)).toBe(below);
    expect(await pi.native!.find(here, `../x`)).toBeNull();
    expect(await pi.source!.files({path: own, nativeId: ID})).toEqual([{name: `session.jsonl`, path: own, content: `records`, stream: `main`}]);
    expect(await pi.source!.files({path: `${own}x`, nativeId: ID})).toEqual([]);
  });

  it(`are found in a folder of the person's choice; of two copies the newer counts`, async () => {
    const here = await scratch();
    const all = path.join(here.home, `all`);
    const old = await session(all, {name: `old.jsonl`});
    await utimes(old, 1, 1);
    const current = await session(all, {name: `new.jsonl`});
    await session(all, {id: `other-1`, cwd: `/home/alice/elsewhere`});
    const found = await pi.source!.locate({...here, env: {PI_CODING_AGENT_SESSION_DIR: all}}, [`/home/alice/shop`]);
    expect(found.map(({path: file}) => file)).toEqual([current]);
  });
});

describe(`detection`, () => {
  it(`finds the program with its version, or its folder`, async () => {
    const here = await scratch();
    expect(await pi.present(here)).toBe(false);
    expect(await pi.detect(here)).toEqual({found: false, store: here.agent, notes: []});

    await mkdir(here.agent, {recursive: true});
    expect(await pi.present(here)).toBe(true);
    const bin = path.join(here.home, `bin`);
    await mkdir(bin);
    await writeFile(path.join(bin, `pi`), `#!/bin/sh\necho 99.1.0\n`);
    await chmod(path.join(bin, `pi`), 0o755);
    expect(await pi.detect({...here, env: {PATH: bin}})).toEqual({
      found: true, binary: path.join(bin, `pi`), version: `99.1.0`, store: here.agent, notes: [`Pi 99.1.0 is newer than ${pi.proven}, with which this was tried`],
    });
    expect((await pi.detect({...here, env: {PI_CODING_AGENT_DIR: `/nowhere/pi`}})).store).toBe(`/nowhere/pi`);
  });
});

describe(`events`, () => {
  const good = {event: `agent_end`, session: ID, file: `/home/alice/.pi/agent/sessions/--home-alice-shop--/2026_${ID}.jsonl`, cwd: `/home/alice/shop`, pid: 7};
  const fromEvent = (event: Json, env: Machine[`env`] = {}) => pi.source!.fromEvent({...machine, env}, event);

  it(`name the session, and say when a turn or the session ended`, () => {
    expect(fromEvent(good)).toEqual({agent: `pi`, nativeId: ID, session: ID, path: good.file, cwd: `/home/alice/shop`, size: 0, mtimeMs: 0, event: {name: `agent_end`, cwd: `/home/alice/shop`, pid: 7, turnEnd: true}});
    expect(fromEvent({...good, event: `session_start`})!.event).not.toHaveProperty(`turnEnd`);
    expect(fromEvent({...good, event: `turn_end`})!.event).not.toHaveProperty(`turnEnd`);
    expect(fromEvent({...good, event: `session_shutdown`})!.event).toMatchObject({turnEnd: true, sessionEnd: true});
  });

  it(`may come from another store, when its folder is named after the project or configured`, () => {
    expect(fromEvent({...good, file: `/srv/pi/sessions/--home-alice-shop--/x.jsonl`})).not.toBeNull();
    expect(fromEvent({...good, file: `/srv/all/x.jsonl`})).toBeNull();
    expect(fromEvent({...good, file: `/srv/all/x.jsonl`}, {PI_CODING_AGENT_SESSION_DIR: `/srv/all`})).not.toBeNull();
  });

  it.each<Json>([
    null, 7, `text`, [], {},
    {...good, session: `../../x`}, {...good, session: 7}, {...good, event: `Stop\u001b[2J`}, {...good, event: 7},
    {...good, file: `/etc/passwd`}, {...good, file: `relative.jsonl`}, {...good, file: {}},
    {...good, file: `/home/alice/.pi/agent/sessions/--home-alice-shop--/../../../../x.jsonl`},
    {...good, file: `/home/alice/.pi/agent/sessions/--home-alice-shop--/x\0.jsonl`},
    {...good, file: `/home/mallory/x.jsonl`},
  ])(`hostile: %j`, event => {
    expect(fromEvent(event)).toBeNull();
  });
});

describe(`the extension`, () => {
  const {hooks} = pi;

  it(`is a whole file of ours: put in, known again, renewed, taken away`, () => {
    expect(hooks!.scope).toBe(`user`);
    expect(hooks!.settingsPath({...machine, env: {PI_CODING_AGENT_DIR: `/srv/pi`}}, `/x`, {local: false})).toBe(`/srv/pi/extensions/session-sync.js`);
    const {text, summary} = hooks!.install(null);
    expect(summary).toHaveLength(1);
    expect(hooks!.install(text)).toEqual({text, summary: []});
    expect([null, ``, `export default () => {}`, text, `${text}// changed`].map(one => hooks!.installed(one))).toEqual([`no`, `no`, `no`, `yes`, `partly`]);
    expect(hooks!.install(`${text}// older`).text).toBe(text);
    expect(hooks!.remove(text)).toMatchObject({text: null});
    expect(hooks!.remove(`export default () => {}`)).toBeNull();
    expect(() => hooks!.install(`export default () => {}`)).toThrow(SettingsError);
  });

  it(`sends what fromEvent reads, and never throws`, async () => {
    const here = await scratch();
    const file = path.join(here.home, `extension.mjs`);
    await writeFile(file, hooks!.install(null).text);
    const {default: register} = await import(file) as {default: (api: object) => void};
    const handlers = new Map<string, (event: object, ctx: object) => unknown>();
    register({on: (name: string, handler: (event: object, ctx: object) => unknown) => handlers.set(name, handler)});
    expect([...handlers.keys()]).toContain(`session_shutdown`);
    // Nothing to tell of a session that is kept nowhere, and nothing that could go wrong with one that is.
    for (const handler of handlers.values())
      for (const ctx of [{}, {cwd: `/nowhere`, sessionManager: {getSessionFile: () => undefined}}, {cwd: `/nowhere`, sessionManager: {getSessionFile: () => `/x.jsonl`, getSessionId: () => ID}}])
        expect(handler({}, ctx)).toBeUndefined();
  });
});
