import {readFile, rm, symlink, writeFile} from 'node:fs/promises';
import path                                      from 'node:path';

import {describe, expect, it}                    from 'vitest';

import {gemini}                                  from '../../../sources/agents/gemini/index.ts';
import {slugFor}                                 from '../../../sources/agents/gemini/places.ts';
import {SettingsError}                           from '../../../sources/agents/types.ts';
import type {Json}                               from '../../../sources/interchange/index.ts';

import {fill, scratchMachine}                    from './_machine.ts';
import {fixture, target as writing}              from './_session.ts';

const SHOP = `/home/alice/shop`;
const target = gemini.target!;
const source = gemini.source!;

describe(`the folder of a project`, () => {
  const cases: Array<[what: string, files: {[name: string]: string}, slug: string]> = [
    [`a new one is named after the project`, {}, `shop`],
    [`the registry says it`, {'projects.json': `{"projects":{"${SHOP}":"my-shop"}}`}, `my-shop`],
    [`a marker says it`, {'tmp/other/.project_root': `${SHOP}\n`}, `other`],
    [`a marker of the history says it`, {'history/other/.project_root': SHOP}, `other`],
    [`the registry wins over a marker elsewhere`, {'projects.json': `{"projects":{"${SHOP}":"my-shop"}}`, 'tmp/other/.project_root': SHOP}, `my-shop`],
    [`a marker of somebody else wins over the registry`, {'projects.json': `{"projects":{"${SHOP}":"my-shop"}}`, 'tmp/my-shop/.project_root': `/x`}, `shop`],
    [`a name that is taken gets a number`, {'tmp/shop/.project_root': `/x`, 'projects.json': `{"projects":{"/y":"shop-1"}}`}, `shop-2`],
    [`a registry with an odd name in it counts for nothing`, {'projects.json': `{"projects":{"${SHOP}":"my-shop","/y":"Odd/Name"}}`}, `shop`],
    [`one that is no JSON as well`, {'projects.json': `{`}, `shop`],
    [`a folder without a marker is taken over`, {'tmp/shop/chats/x': ``}, `shop`],
  ];

  it.each(cases)(`%s`, async (_, files, slug) => {
    const machine = await scratchMachine();
    await fill(machine, files);
    expect(await slugFor(machine, SHOP)).toBe(slug);
  });

  it(`has a name that Gemini would give`, async () => {
    const machine = await scratchMachine();
    expect(await slugFor(machine, `/home/alice/My Größe__Shop!`)).toBe(`my-gr-e-shop`);
    expect(await slugFor(machine, `/`)).toBe(`project`);
    expect(await slugFor(machine, `/日本`)).toBe(`project`);
  });
});

describe(`a session that is written`, () => {
  it(`has a name that no clean-up takes for another's, and gets its markers with the first byte`, async () => {
    const machine = await scratchMachine();
    const file = await target.pathOf(machine, writing);
    expect(file).toBe(path.join(machine.home, `.gemini/tmp/shop/chats/session-2026-11-20T10-00-807b109b-889a5b60.jsonl`.replace(`889a5b60`, writing.id.slice(-8))));
    await expect(readFile(path.join(machine.home, `.gemini/tmp/shop/.project_root`))).rejects.toThrow(`ENOENT`);

    expect(await target.exclusively(machine, writing.id, async () => await readFile(path.join(machine.home, `.gemini/tmp/shop/.project_root`), `utf8`))).toBe(SHOP);
    expect(await readFile(path.join(machine.home, `.gemini/history/shop/.project_root`), `utf8`)).toBe(SHOP);
    expect(await target.pathOf(machine, writing)).toBe(file);
  });

  it(`is not written into a folder that somebody took meanwhile`, async () => {
    const machine = await scratchMachine();
    await target.pathOf(machine, writing);
    await fill(machine, {'tmp/shop/.project_root': `/x`});
    await expect(target.exclusively(machine, writing.id, async () => true)).rejects.toThrow(`taken by another project`);
  });

  it(`is listed where Gemini looks, and says why not elsewhere`, async () => {
    const machine = await scratchMachine();
    const file = await target.pathOf(machine, writing);
    await fill(machine, {[path.relative(path.join(machine.home, `.gemini`), file)]: `{}\n`});
    const session = {id: writing.id, path: file, cwd: SHOP, settings: {}};
    expect(await target.register(machine, session)).toEqual({listed: true});
    expect(await target.register(machine, session)).toEqual({listed: true});
    await fill(machine, {'projects.json': `{"projects":{"${SHOP}":"my-shop"}}`});
    expect(await target.register(machine, session)).toMatchObject({listed: false, note: expect.stringContaining(`my-shop`)});
    await fill(machine, {'tmp/shop/.project_root': `/x`});
    expect(await target.register(machine, session)).toMatchObject({listed: false, note: expect.stringContaining(`another project`)});
    expect(await target.register(machine, {...session, path: `/elsewhere/tmp/shop/chats/x.jsonl`})).toMatchObject({listed: false});
  });

  it(`lies where GEMINI_CLI_HOME says, and is resumed by its id`, async () => {
    const machine = await scratchMachine({GEMINI_CLI_HOME: `/srv/gemini`});
    expect(await target.pathOf(machine, writing)).toMatch(/^\/srv\/gemini\/\.gemini\/tmp\/shop\/chats\/session-/);
    expect(target.resumeCommand(`x`)).toBe(`gemini --resume x`);
    expect(target.mirrorId(`a`, 0)).not.toBe(target.mirrorId(`a`, 1));
  });

  it(`needs a folder that can be written`, async () => {
    const machine = await scratchMachine();
    expect(await target.prepare(machine)).toEqual({});
    await writeFile(path.join(machine.home, `file`), ``);
    await expect(target.prepare({...machine, env: {GEMINI_CLI_HOME: path.join(machine.home, `file`)}})).rejects.toMatchObject({code: `STORE_NOT_WRITABLE`});
  });
});

describe(`what follows our bytes`, () => {
  it.each([
    [``, `opened`],
    [`{"$set":{"summary":"A title"}}\n`, `opened`],
    [`{"$set":{"summary":"A","memoryScratchpad":{"version":1}}}\n\n`, `opened`],
    [`{"$set":{"sessionId":"x"}}\n`, `continued`],
    [`{"$set":{"summary":"A","messages":[]}}\n`, `continued`],
    [`{"$set":{"lastUpdated":"x"}}\n`, `continued`],
    [`{"$set":{}}\n`, `continued`],
    [`{"$set":{"summary":"A"},"id":"x"}\n`, `continued`],
    [`{"id":"x","type":"user","content":"y"}\n`, `continued`],
    [`{"$rewindTo":"x"}\n`, `continued`],
    [`{"$set":{"summ`, `continued`],
    [`null\n`, `continued`],
    [`garbage`, `continued`],
  ])(`%j: %s`, (tail, judged) => {
    expect(target.judge(tail)).toBe(judged);
  });
});

describe(`sessions are found`, () => {
  const meta = (id: string, more: object = {}) => `${JSON.stringify({sessionId: id, projectHash: `x`, ...more})}\n`;
  const says = `{"id":"u","type":"user","content":"hello"}\n`;
  const ID = `91f8d1c6-eb86-4b19-a11f-b80a7062e478`;

  it(`by the marker of their project, or below it; of two files of one session the one that has it`, async () => {
    const machine = await scratchMachine();
    await fill(machine, {
      'tmp/shop/.project_root': SHOP,
      'tmp/shop/chats/session-2026-11-22T19-20-91f8d1c6.jsonl': fixture(`02-after-resume/chats/session-2026-11-22T19-20-91f8d1c6`),
      'tmp/shop/chats/session-2026-11-22T19-21-91f8d1c6.jsonl': fixture(`02-after-resume/chats/session-2026-11-22T19-21-91f8d1c6`),
      'tmp/shop/chats/session-2026-11-22T19-22-00000000.json': `{}`,
      'tmp/shop/chats/session-2026-11-22T19-23-11111111.jsonl': meta(`11111111-x`, {kind: `subagent`}) + says,
      'tmp/shop/chats/session-2026-11-22T19-24-22222222.jsonl': `garbage\n`,
      'tmp/sub/.project_root': `${SHOP}/packages/a`,
      'tmp/sub/chats/session-2026-11-22T19-25-33333333.jsonl': meta(`33333333-x`) + says,
      'tmp/other/.project_root': `${SHOP}2`,
      'tmp/other/chats/session-2026-11-22T19-26-44444444.jsonl': meta(`44444444-x`) + says,
    });
    const tmp = path.join(machine.home, `.gemini/tmp`);
    const found = await source.locate(machine, [SHOP]);
    expect(found.map(({nativeId, cwd, path: file}) => [nativeId, cwd, path.relative(tmp, file)])).toEqual([
      [ID, SHOP, `shop/chats/session-2026-11-22T19-20-91f8d1c6.jsonl`],
      [`33333333-x`, `${SHOP}/packages/a`, `sub/chats/session-2026-11-22T19-25-33333333.jsonl`],
    ]);
    expect(found[0]).toMatchObject({agent: `gemini`, session: ID});
  });

  it(`by the hash of the project where there is no marker, and not at all in an empty home`, async () => {
    const machine = await scratchMachine();
    expect(await source.locate(machine, [SHOP])).toEqual([]);
    await fill(machine, {'tmp/anything/chats/session-2026-11-22T19-20-91f8d1c6.jsonl': fixture(`01-tools/chats/session-2026-11-22T19-20-91f8d1c6`)});
    expect(await source.locate(machine, [SHOP])).toMatchObject([{nativeId: ID, cwd: SHOP}]);
    expect(await source.locate(machine, [`/home/bob/shop`])).toEqual([]);
  });

  it(`with their files, also when the event names the empty one; links are left out`, async () => {
    const machine = await scratchMachine();
    const id = `ed8de02f-c462-47d0-acbf-c9440a33ece4`;
    await fill(machine, {
      'tmp/shop/chats/session-2026-11-22T20-04-ed8de02f.jsonl': meta(id) + says,
      'tmp/shop/chats/session-2026-11-22T20-09-ed8de02f.jsonl': meta(id),
      [`tmp/shop/chats/${id}/399d2e7d.jsonl`]: meta(`399d2e7d`),
      [`tmp/shop/tool-outputs/session-${id}/shell_1.txt`]: `x`,
      'secret': `x`,
    });
    const tmp = path.join(machine.home, `.gemini/tmp/shop`);
    await symlink(path.join(machine.home, `.gemini/secret`), path.join(tmp, `tool-outputs/session-${id}/link.txt`));
    const session = {path: path.join(tmp, `chats/session-2026-11-22T20-09-ed8de02f.jsonl`), nativeId: id};
    expect((await source.files(session)).map(({name, path: file, content, stream}) => [name, path.relative(tmp, file), content, stream])).toEqual([
      [`transcript.jsonl`, `chats/session-2026-11-22T20-04-ed8de02f.jsonl`, `records`, `main`],
      [`subagents/399d2e7d.jsonl`, `chats/${id}/399d2e7d.jsonl`, `records`, `sub-399d2e7d`],
      [`tool-outputs/shell_1.txt`, `tool-outputs/session-${id}/shell_1.txt`, `opaque`, undefined],
    ]);
    expect(source.roots(session, machine)).toEqual({session: path.join(tmp, `tool-outputs/session-${id}`), project: tmp, agent: path.join(machine.home, `.gemini`)});
    expect(await source.files({path: path.join(tmp, `chats/none.jsonl`), nativeId: `zzzzzzzz`})).toEqual([]);
  });
});

describe(`the program`, () => {
  it(`is there when it can be started or has a store`, async () => {
    const machine = await scratchMachine();
    expect(await gemini.present(machine)).toBe(false);
    expect(await gemini.detect(machine)).toEqual({found: false, store: path.join(machine.home, `.gemini`), notes: []});
    // Other programs keep settings beside its own.
    await fill(machine, {'settings.json': `{}`});
    expect(await gemini.present(machine)).toBe(false);
    await fill(machine, {'tmp/bin/x': ``});
    expect(await gemini.present(machine)).toBe(true);
  });

  it(`says when it is newer than what was tried, or nothing`, async () => {
    const machine = await scratchMachine();
    const file = path.join(machine.bin, `gemini`);
    await writeFile(file, `#!/bin/sh\necho 9.1.0\n`, {mode: 0o755});
    expect(await gemini.detect(machine)).toMatchObject({found: true, binary: file, version: `9.1.0`, notes: [expect.stringContaining(`newer than 0.61.0`)]});
    await rm(file);
    await writeFile(file, `#!/bin/sh\nexit 1\n`, {mode: 0o755});
    expect(await gemini.detect(machine)).toMatchObject({notes: [expect.stringContaining(`no version`)]});
  });
});

describe(`events`, () => {
  const event = (more: {[key: string]: Json} = {}): Json => ({
    session_id: `39ba574e-0172-4776-85bc-e6b0ff670935`, transcript_path: `/home/alice/.gemini/tmp/shop/chats/session-2026-11-22T20-05-39ba574e.jsonl`,
    cwd: SHOP, hook_event_name: `AfterAgent`, timestamp: `2026-11-22T20:05:13.026Z`, ...more,
  });

  it(`name the session; turns end after the agent, sessions at their end`, async () => {
    const machine = await scratchMachine();
    expect(source.fromEvent(machine, event())).toEqual({
      agent: `gemini`, nativeId: `39ba574e-0172-4776-85bc-e6b0ff670935`, session: `39ba574e-0172-4776-85bc-e6b0ff670935`,
      path: `/home/alice/.gemini/tmp/shop/chats/session-2026-11-22T20-05-39ba574e.jsonl`, cwd: SHOP, size: 0, mtimeMs: 0,
      event: {name: `AfterAgent`, cwd: SHOP, turnEnd: true},
    });
    const meaning = (more: {[key: string]: Json}) => source.fromEvent(machine, event(more))!.event;
    expect(meaning({hook_event_name: `SessionEnd`})).toMatchObject({turnEnd: true, sessionEnd: true});
    expect(meaning({hook_event_name: `BeforeAgent`, prompt: `Say "hi"`})).toMatchObject({awaits: `Say \\"hi\\"`});
    expect(meaning({hook_event_name: `BeforeAgent`, prompt: `/help`})).not.toHaveProperty(`awaits`);
    expect(meaning({hook_event_name: `AfterTool`})).toEqual({name: `AfterTool`, cwd: SHOP});
  });

  it.each([
    {session_id: `../../x`}, {session_id: 1}, {transcript_path: `/etc/passwd`}, {transcript_path: `/home/alice/.gemini/tmp/shop/chats/../../x/chats/session-39ba574e.jsonl`},
    {transcript_path: `/home/alice/.gemini/tmp/shop/chats/session-2026-other000.jsonl`}, {transcript_path: `/srv/tmp/shop/chats/session-2026-39ba574e.jsonl`},
    {transcript_path: `session-39ba574e.jsonl`}, {hook_event_name: `x y`},
  ] as Array<{[key: string]: Json}>)(`%j is refused`, async more => {
    expect(source.fromEvent(await scratchMachine(), event(more))).toBeNull();
  });

  it(`that are no events are refused`, async () => {
    const machine = await scratchMachine();
    for (const value of [null, 1, `x`, [], {}])
      expect(source.fromEvent(machine, value)).toBeNull();
  });
});

describe(`hooks`, () => {
  const hooks = gemini.hooks!;

  it(`go into the person's settings, beside what is there, and out again`, async () => {
    const machine = await scratchMachine();
    expect(hooks.scope).toBe(`user`);
    expect(hooks.settingsPath(machine, SHOP, {local: true})).toBe(path.join(machine.home, `.gemini/settings.json`));

    const before = `{\n  // mine\n  "ui": {"theme": "x"},\n  "hooks": {"AfterAgent": [{"hooks": [{"type": "command", "command": "beep"}]}]}\n}\n`;
    const {text, summary} = hooks.install(before);
    expect(summary).toEqual([`BeforeAgent`, `AfterTool`, `AfterAgent`, `SessionEnd`].map(event => `add a hook for ${event}`));
    expect(text).toContain(`// mine`);
    expect(hooks.installed(text)).toBe(`yes`);
    expect(hooks.installed(before)).toBe(`no`);
    expect(hooks.install(text).text).toBe(text);
    expect(JSON.parse(hooks.remove(text)!.text!.replace(/\/\/ mine/, ``))).toEqual(JSON.parse(before.replace(/\/\/ mine/, ``)));
    expect(hooks.remove(before)).toBeNull();
  });

  it(`are made where there are no settings, with a time in milliseconds and a variable without quotes`, () => {
    const settings = JSON.parse(hooks.install(null).text) as {hooks: {[event: string]: Array<{hooks: Array<object>}>}};
    expect(Object.keys(settings.hooks)).toEqual([`BeforeAgent`, `AfterTool`, `AfterAgent`, `SessionEnd`]);
    expect(settings.hooks.AfterAgent![0]!.hooks).toEqual([{
      type: `command`, name: `session-sync`, timeout: 5_000,
      command: `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook gemini $GEMINI_PROJECT_DIR >/dev/null 2>&1; exit 0`,
    }]);
  });

  it(`are not put into settings that cannot be understood`, () => {
    expect(() => hooks.install(`{"hooks": [`)).toThrow(SettingsError);
  });
});
