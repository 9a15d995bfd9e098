import {mkdir, readFile, readdir, stat, writeFile} from 'node:fs/promises';
import path                               from 'node:path';
import {describe, expect, it}             from 'vitest';

import {idOf}                             from '../../../sources/agents/families/opencode/ids.ts';
import {modelFor, modelIn}                from '../../../sources/agents/families/opencode/settings.ts';
import {kilo}                             from '../../../sources/agents/kilo/index.ts';
import {opencode}                         from '../../../sources/agents/opencode/index.ts';
import type {Machine}                     from '../../../sources/agents/types.ts';

import {exported, program, prompt, reply, scratchMachine, target, write} from './_session.ts';

const variant = {id: `opencode`, name: `OpenCode`, program: `opencode`, proven: `1.18.33`, prefix: `OPENCODE`, profile: `build`};

/**
 * A stand-in for the program: answers `db` out of `rows.json` beside it, notes what it is called with, and takes an import
 * into `rows.json` as the real one does.
 */
const STAND_IN = `#!/usr/bin/env node
const fs = require('fs'), path = require('path');
const here = path.dirname(process.argv[1]), file = path.join(here, 'rows.json');
const rows = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : [];
const save = next => { fs.writeFileSync(file, JSON.stringify(next)); touch(); };
const touch = () => { const db = process.env.HOME + '/.local/share/opencode/opencode.db'; fs.mkdirSync(path.dirname(db), {recursive: true}); fs.appendFileSync(db + '-wal', 'x'); fs.appendFileSync(db, ''); };
const args = process.argv.slice(2);
fs.appendFileSync(path.join(here, 'calls'), JSON.stringify({args: args.map(arg => arg.slice(0, 60)), cwd: process.cwd(), pure: process.env.OPENCODE_PURE}) + '\\n');
if (args[0] === '--version') console.log('1.18.34');
else if (args[0] === 'db') {
  if (/^update/.test(args[1])) { save(rows.map(row => ({...row, title: /title = '(.*)', time/.exec(args[1])[1].replaceAll("''", "'")}))); console.log('[]'); }
  else if (/^select id from message/.test(args[1])) console.log(JSON.stringify(rows.flatMap(row => row.ids.map(id => ({id})))));
  else if (/^select 's'/.test(args[1])) console.log(fs.readFileSync(path.join(here, 'data.json'), 'utf8'));
  else console.log(JSON.stringify(rows));
} else if (args[0] === 'import') {
  if (fs.existsSync(path.join(here, 'refuse'))) { console.error('\\u001b[91mError\\nbad field'); process.exit(1); }
  const {info, messages} = JSON.parse(fs.readFileSync(args[1], 'utf8'));
  fs.writeFileSync(path.join(here, 'imported.json'), JSON.stringify({info, messages, mode: fs.statSync(args[1]).mode & 0o777}));
  const old = rows.find(row => row.id === info.id);
  const ids = [...new Set([...old?.ids ?? [], ...messages.map(message => message.info.id)])];
  const row = old ?? {id: info.id, parent: null, directory: process.cwd(), title: info.title, version: info.version, created: info.time.created, updated: info.time.updated, changed: 1, imported: 1, reverted: 0};
  save([...rows.filter(row => row !== old), {...row, ids, messages: ids.length, ours: ids.length}]);
  console.log('Imported session: ' + info.id);
} else if (args[0] === 'session' && args[1] === 'delete') save(rows.filter(row => row.id !== args[2]));
`;

async function withProgram(env: {[name: string]: string} = {}) {
  const machine = await scratchMachine(env);
  await program(machine.bin, `opencode`, STAND_IN);
  const project = path.join(machine.home, `shop`);
  await mkdir(project);
  const calls = async () => (await readFile(path.join(machine.bin, `calls`), `utf8`).catch(() => ``)).split(`\n`).filter(line => line !== ``).map(line => JSON.parse(line));
  const rows = async () => JSON.parse(await readFile(path.join(machine.bin, `rows.json`), `utf8`));
  const setRows = async (next: Array<object>) => {
    await writeFile(path.join(machine.bin, `rows.json`), JSON.stringify(next));
    await mkdir(path.join(machine.home, `.local/share/opencode`), {recursive: true});
    await writeFile(path.join(machine.home, `.local/share/opencode/opencode.db`), ``);
    await writeFile(path.join(machine.home, `.local/share/opencode/opencode.db-wal`), `${Math.random()}`);
  };
  const file = opencode.target!.pathOf(machine, target) as string;
  const put = async (text: string) => {
    await mkdir(path.dirname(file), {recursive: true});
    await writeFile(file, text);
  };
  const register = (more: object = {}) => opencode.target!.register(machine, {id: target.id, path: file, cwd: project, settings: target.settings, ...more});
  const imported = async () => JSON.parse(await readFile(path.join(machine.bin, `imported.json`), `utf8`));
  return {machine, project, file, calls, rows, setRows, put, register, imported};
}

describe(`rehome`, () => {
  it(`asks for one statement that changes the session and its sub-agents' only where they are what they were`, async () => {
    const {machine, setRows, calls, project} = await withProgram();
    const row = {id: `ses_aaaa`, parent: null, directory: `/home/alice/shop`, path: ``, project: `p1`, title: `T`, version: `1`, created: 1, updated: 1, changed: 1, imported: 0, messages: 1, ours: 0, reverted: 0};
    await setRows([row, {...row, id: `ses_bbbb`, parent: `ses_aaaa`}, {...row, id: `ses_cccc`, parent: `ses_aaaa`, directory: `/elsewhere`}, {...row, id: `ses_dddd`}]);
    const {path: journal, steps} = await opencode.rehome!.plan(machine, {path: `/j`, nativeId: `ses_aaaa`}, project);
    expect(journal).toBe(`/j`);
    expect(steps).toHaveLength(1);
    const [step] = steps as [typeof steps[number] & {do: `tell`}];
    expect(JSON.parse(step.before).map(({id, directory}: {id: string; directory: string}) => [id, directory])).toEqual([[`ses_aaaa`, `/home/alice/shop`], [`ses_bbbb`, `/home/alice/shop`]]);
    expect(await opencode.rehome!.telling!.known(machine, `ses_aaaa`, step)).toBe(`before`);
    expect((await calls()).filter(({args}) => args[0] === `db`)).toHaveLength(1);

    await setRows([row, {...row, id: `ses_bbbb`, directory: `/elsewhere`}].map(one => ({...one, parent: null})));
    expect(await opencode.rehome!.telling!.known(machine, `ses_aaaa`, step)).toBeNull();
    await setRows([]);
    await expect(opencode.rehome!.plan(machine, {path: `/j`, nativeId: `ses_aaaa`}, project)).rejects.toThrow(`cannot be asked`);
  });
});

describe(`detect`, () => {
  it(`looks at the program and at its folders, also where the environment moves them`, async () => {
    const {machine} = await withProgram({XDG_DATA_HOME: `/nowhere/data`});
    expect(await opencode.detect(machine)).toMatchObject({found: true, version: `1.18.34`, store: `/nowhere/data/opencode`, binary: path.join(machine.bin, `opencode`)});
    expect((await opencode.detect(machine)).notes).toEqual([expect.stringContaining(`newer than 1.18.33`), expect.stringContaining(`fetches a package`)]);
    expect(await kilo.detect(machine)).toMatchObject({found: false, store: `/nowhere/data/kilo`, notes: []});
    expect([await opencode.present(machine), await kilo.present(machine)]).toEqual([true, false]);
  });

  it(`says that sessions cannot be had without the program`, async () => {
    const machine = await scratchMachine({OPENCODE_DB: `other.db`});
    await mkdir(path.join(machine.home, `.local/share/opencode`), {recursive: true});
    await writeFile(path.join(machine.home, `.local/share/opencode/other.db`), ``);
    expect(await opencode.detect(machine)).toMatchObject({found: true, notes: [expect.stringContaining(`not on PATH`)]});
    await expect(opencode.target!.prepare(machine)).rejects.toMatchObject({code: `STORE_NOT_WRITABLE`});
  });
});

describe(`the model`, () => {
  it(`is what the settings name, with comments or not`, async () => {
    expect(modelIn(`{// mine\n"model": "openrouter/anthropic/claude", }`)).toEqual({providerID: `openrouter`, modelID: `anthropic/claude`});
    expect([modelIn(`{"model": "{env:MODEL}"}`), modelIn(`nonsense`), modelIn(`{"model": "one"}`), modelIn(null)]).toEqual([undefined, undefined, undefined, undefined]);
  });

  it(`is looked for where the agent does, the last choice at last`, async () => {
    const {machine, project} = await withProgram();
    expect(await opencode.target!.prepare(machine)).toEqual({});
    await mkdir(path.join(machine.home, `.local/state/opencode`), {recursive: true});
    await writeFile(path.join(machine.home, `.local/state/opencode/model.json`), JSON.stringify({recent: [{}, {providerID: `a`, modelID: `b`}]}));
    expect(await opencode.target!.prepare(machine)).toEqual({model: {providerID: `a`, modelID: `b`}});
    await mkdir(path.join(machine.home, `.config/opencode`), {recursive: true});
    await writeFile(path.join(machine.home, `.config/opencode/opencode.jsonc`), `{"model": "c/d" /* x */}`);
    expect(await opencode.target!.prepare(machine)).toEqual({model: {providerID: `c`, modelID: `d`}});
    const other: Machine = {...machine, env: {...machine.env, OPENCODE_CONFIG_CONTENT: `{"model": "e/f"}`}};
    expect(await opencode.target!.prepare(other)).toEqual({model: {providerID: `e`, modelID: `f`}});
    await writeFile(path.join(project, `opencode.json`), `{"model": "g/h"}`);
    expect(await modelFor(project, {model: {providerID: `a`, modelID: `b`}}, variant)).toEqual({providerID: `g`, modelID: `h`});
  });
});

describe(`register`, () => {
  const [first, second] = [write(prompt(`Räum auf`), reply(`a`, `m`)).text, write(prompt(`Räum auf`), reply(`a`, `m`), prompt(`more`)).text];

  it(`imports a new session in its folder, out of a file for nobody else, and starts nothing again while nothing changes`, async () => {
    const {put, register, imported, calls, project, file, machine} = await withProgram();
    await put(first);
    expect(await register()).toEqual({listed: true});
    expect(await imported()).toMatchObject({mode: 0o600, info: {id: target.id, title: `Räum auf`, model: {id: `fake-model`, providerID: `fake`}}});
    const [call] = await calls();
    expect(call).toMatchObject({args: [`import`, expect.any(String)], cwd: project, pure: `1`});
    expect((await readdir(path.dirname(file))).sort()).toEqual([path.basename(file), `${path.basename(file, `.jsonl`)}.state.json`]);
    expect((await readdir(machine.tmp)).filter(name => name.includes(`session-sync`))).toEqual([]);

    expect(await register()).toEqual({listed: true});
    const before = (await calls()).length;
    expect(await register()).toEqual({listed: true});
    expect(await calls()).toHaveLength(before);
  });

  it(`adds what a session has grown by, and brings title and time up to date`, async () => {
    const {put, register, imported, rows} = await withProgram();
    await put(first);
    await register();
    await put(second);
    expect(await register({title: `It's new`, updated: `2026-07-20T11:00:00.000Z`})).toEqual({listed: true});
    expect((await imported()).messages).toHaveLength(1);
    expect(await rows()).toMatchObject([{title: `It's new`, messages: 3}]);
  });

  it(`begins anew where the session's beginning is another one now`, async () => {
    const {put, register, imported, calls} = await withProgram();
    await put(first);
    await register();
    await put(write(prompt(`Something else`), reply(`b`, `m`)).text);
    expect(await register()).toEqual({listed: true});
    expect((await calls()).map(({args}) => args[0])).toContain(`session`);
    expect((await imported()).messages).toHaveLength(2);
  });

  it(`leaves a session alone that the agent went on with`, async () => {
    const {put, register, rows, setRows, calls} = await withProgram();
    await put(first);
    await register();
    const [row] = await rows();
    await setRows([{...row, messages: row.messages + 2}]);
    expect(await register()).toEqual({listed: true, takenOver: `continued`});
    await put(second);
    expect(await register()).toEqual({listed: true, takenOver: `diverged`});
    await setRows([{...row, reverted: 1}]);
    expect(await register()).toMatchObject({takenOver: `diverged`});
    expect((await calls()).filter(({args}) => args[0] === `import`)).toHaveLength(1);
  });

  it(`knows by the ids whose messages they are when its own note is lost`, async () => {
    const {put, register, rows, setRows, file} = await withProgram();
    await put(first);
    await register();
    await writeFile(file.replace(/jsonl$/, `state.json`), `nonsense`);
    expect(await register()).toEqual({listed: true});
    await writeFile(file.replace(/jsonl$/, `state.json`), ``);
    const [row] = await rows();
    await setRows([{...row, ids: [...row.ids, `msg_204b2e27e001M58YDU9kz2g27r`]}]);
    expect(await register()).toMatchObject({takenOver: `continued`});
  });

  it(`takes back what was refused, and says why`, async () => {
    const {put, register, calls, machine, file} = await withProgram();
    await writeFile(path.join(machine.bin, `refuse`), ``);
    await put(first);
    expect(await register()).toEqual({listed: false, note: `OpenCode did not take the session: import exited with 1: bad field`});
    expect((await calls()).map(({args}) => args.slice(0, 2).join(` `))).toContain(`session delete`);
    expect(await readdir(path.dirname(file))).toEqual([path.basename(file)]);
  });

  it(`does not bring back by itself what a person deleted`, async () => {
    const {put, register, setRows, file} = await withProgram();
    await put(first);
    await register();
    await setRows([]);
    expect(await register()).toMatchObject({listed: false, note: expect.stringContaining(`deleted`)});
    await expect(stat(file)).rejects.toMatchObject({code: `ENOENT`});
  });

  it(`takes a session out again, as long as nobody went on with it`, async () => {
    const {put, register, rows, setRows, machine, file} = await withProgram();
    const withdraw = () => opencode.target!.withdraw!(machine, {id: target.id, path: file});
    await put(first);
    await register();
    const [row] = await rows();
    await setRows([{...row, messages: row.messages + 1}]);
    expect(await withdraw()).toBe(`it was continued there`);
    expect(await rows()).toHaveLength(1);
    await setRows([row]);
    expect(await withdraw()).toBeUndefined();
    expect(await rows()).toEqual([]);
    expect((await readdir(path.dirname(file))).filter(name => name.startsWith(target.id))).toEqual([]);
  });

  it(`leaves one in which a person has deleted messages`, async () => {
    const {put, register, rows, setRows, machine, file} = await withProgram();
    await put(first);
    await register();
    const [row] = await rows();
    await setRows([{...row, ids: row.ids.slice(1), messages: row.messages - 1, ours: row.ours - 1}]);
    expect(await opencode.target!.withdraw!(machine, {id: target.id, path: file})).toBe(`it was changed there`);
    expect(await rows()).toHaveLength(1);
    expect(await readFile(file, `utf8`)).toBe(first);
  });

  it.each([
    [`is locked`, `console.error('database is locked'); process.exit(1);`, `opencode db exited with 1: database is locked`],
    [`answers nonsense`, `console.log('{');`, expect.stringMatching(/JSON/)],
    [`gives no rows`, `console.log('{}');`, `opencode db gave no rows`],
    [`cannot be asked`, null, expect.stringMatching(/^spawn .* ENOENT$/)],
  ])(`says why a session stays where the database %s, and takes nothing out`, async (_, source, reason) => {
    const {put, register, rows, setRows, machine, file} = await withProgram();
    await put(first);
    await register();
    await setRows(await rows());
    await program(machine.bin, `opencode`, `#!${source === null ? `/nowhere` : `/usr/bin/env node`}\n${source}\n`);
    expect(await opencode.target!.withdraw!(machine, {id: target.id, path: file})).toEqual(reason);
    expect(await readFile(file, `utf8`)).toBe(first);
    expect((await readdir(path.dirname(file))).filter(name => name.startsWith(target.id))).toHaveLength(2);
  });

  it(`names the flag where no model is known, and never throws`, async () => {
    const {put, register, machine, project} = await withProgram();
    await put(first);
    expect(await register({settings: {}})).toMatchObject({listed: true, command: `opencode -s ${target.id} -m <provider/model>`});
    expect(await register({path: `/nowhere`})).toMatchObject({listed: false});
    expect(await register({cwd: path.join(project, `gone`)})).toMatchObject({listed: false});
    expect(await opencode.target!.register({...machine, env: {PATH: `/nowhere`}}, {id: target.id, path: `/nowhere`, cwd: project, settings: {}})).toMatchObject({listed: false, note: expect.stringContaining(`not on PATH`)});
  });
});

describe(`locate`, () => {
  it(`gives the sessions of the folders, copied into journals, with those that we put there marked`, async () => {
    const {machine, project, setRows, calls} = await withProgram();
    const {info, messages} = await exported(`01-tools/session.json`);
    const data = [
      {kind: `s`, id: info.id, session: info.id, message: ``, time: 1, data: JSON.stringify({version: `1.18.33`, directory: project, title: `T`, parent: null, revert: null})},
      ...messages.flatMap(message => [
        {kind: `m`, id: message.info.id, session: info.id, message: message.info.id, time: (message.info.time as {created: number}).created, data: JSON.stringify({...message.info, id: undefined})},
        ...message.parts.map(part => ({kind: `p`, id: part.id, session: info.id, message: message.info.id, time: 0, data: JSON.stringify({...part, id: undefined})})).reverse(),
      ]).reverse(),
    ];
    await writeFile(path.join(machine.bin, `data.json`), JSON.stringify(data));
    const row = {id: info.id, parent: null, directory: project, title: `T`, version: `1`, created: 1, updated: 2, changed: 3, imported: 0, reverted: 0, messages: 5, ours: 0};
    await setRows([
      row, {...row, id: `ses_child1`, parent: info.id}, {...row, id: `ses_other1`, directory: `${project}2`},
      {...row, id: `ses_mirror1`, imported: 1, ours: 5}, {...row, id: `ses_mirror2`, imported: 1, ours: 4}, {...row, id: `../../x`},
    ]);
    const found = await opencode.source!.locate(machine, [project]);
    expect(found.map(({nativeId, mirror}) => [nativeId, mirror])).toEqual([[info.id, undefined], [`ses_mirror1`, `untouched`]]);
    expect(found[0]).toMatchObject({agent: `opencode`, cwd: project, mtimeMs: 3});
    const journal = await readFile(found[0]!.path, `utf8`);
    expect(journal.trimEnd().split(`\n`).map(line => JSON.parse(line).type)).toEqual([`session`, ...messages.map(() => `message`)]);
    expect((await stat(found[0]!.path)).mode & 0o777).toBe(0o600);
    expect(journal).not.toContain(`step-finish`);
    expect(await opencode.source!.files(found[0]!)).toEqual([{name: `session.jsonl`, path: found[0]!.path, content: `records`, stream: `main`}]);
    expect(await opencode.source!.ownership!(machine, {...found[0]!, nativeId: `ses_mirror2`})).toBe(`continued`);

    // As long as the database is the same nothing is started, and nothing is written twice.
    const before = (await calls()).length;
    await opencode.source!.refresh!(machine, found[0]!);
    expect(await calls()).toHaveLength(before);
    await setRows([row]);
    await opencode.source!.refresh!(machine, found[0]!);
    expect(await readFile(found[0]!.path, `utf8`)).toBe(journal);
  });

  it(`finds nothing where there is no database or no program`, async () => {
    expect(await opencode.source!.locate(await scratchMachine(), [`/home/alice/shop`])).toEqual([]);
    const {machine} = await withProgram();
    expect(await opencode.source!.locate(machine, [`/home/alice/shop`])).toEqual([]);
  });
});

describe(`events and the plugin`, () => {
  it(`name a session; nothing else is believed`, async () => {
    const machine = await scratchMachine();
    const event = {event: `session.idle`, session: `ses_dfb4d1e17ffeGvdQe0dqqm2VXj`, directory: `/home/alice/shop`, pid: 12};
    expect(opencode.source!.fromEvent(machine, event)).toMatchObject({
      agent: `opencode`, nativeId: event.session, cwd: `/home/alice/shop`, path: path.join(machine.home, `.local/state/session-sync/opencode/in/${event.session}.jsonl`),
      event: {name: `session.idle`, turnEnd: true, pid: 12, cwd: `/home/alice/shop`},
    });
    expect(opencode.source!.fromEvent(machine, {...event, event: `step`})!.event).not.toHaveProperty(`turnEnd`);
    for (const wrong of [null, [], `x`, {...event, session: `../x`}, {...event, session: 3}, {...event, event: `rm -rf`}, {event: `step`}])
      expect(opencode.source!.fromEvent(machine, wrong as never)).toBeNull();
  });

  it(`is a file of ours as a whole, in the person's own folder`, async () => {
    const machine = await scratchMachine();
    const hooks = opencode.hooks!;
    expect(hooks.scope).toBe(`user`);
    expect(hooks.settingsPath(machine, `/home/alice/shop`, {local: false})).toBe(path.join(machine.home, `.config/opencode/plugin/session-sync.js`));
    expect(kilo.hooks!.settingsPath({...machine, env: {XDG_CONFIG_HOME: `/c`}}, `/p`, {local: true})).toBe(`/c/kilo/plugin/session-sync.js`);
    const {text, summary} = hooks.install(null);
    expect(summary).toHaveLength(1);
    expect(hooks.install(text)).toEqual({text, summary: []});
    expect([hooks.installed(text), hooks.installed(`${text}\n`), hooks.installed(null), hooks.installed(`export {}`)]).toEqual([`yes`, `partly`, `no`, `no`]);
    expect(hooks.remove(text)).toEqual({text: null, summary: [`remove the plugin`]});
    expect(hooks.remove(`export {}`)).toBeNull();
    expect(() => hooks.install(`export const other = 1;`)).toThrow(/another plugin/);
    expect(kilo.hooks!.install(null).text).toContain(`['kilo', directory || worktree]`);
  });

  it(`tells of what a person sees end, not of sub-agents, and not of every step`, async () => {
    const machine = await scratchMachine();
    await program(machine.bin, `session-sync-hook`, `#!/bin/sh\ncat >> "${machine.tmp}/told"; echo " $*" >> "${machine.tmp}/told"\n`);
    const file = path.join(machine.tmp, `plugin.mjs`);
    await writeFile(file, opencode.hooks!.install(null).text);
    const {PATH} = process.env;
    process.env.PATH = machine.env.PATH;
    try {
      const {SessionSync} = await import(/* @vite-ignore */ file);
      const plugin = await SessionSync({directory: `/home/alice/shop`, worktree: `/home/alice`});
      const send = (type: string, properties: unknown) => plugin.event({event: {type, properties}});
      await send(`session.created`, {info: {id: `ses_child`, parentID: `ses_main`}});
      await send(`session.updated`, {info: {id: `ses_main`}});
      for (let step = 0; step < 5; step++)
        await send(`message.updated`, {info: {role: `assistant`, sessionID: `ses_main`, time: {completed: 1}}});
      await send(`session.idle`, {sessionID: `ses_child`});
      await send(`session.idle`, {sessionID: `ses_main`});
      await send(`message.part.updated`, null);
      await send(`session.idle`, null);
      await plugin.dispose();
    } finally {
      process.env.PATH = PATH;
    }
    const told = (await readFile(path.join(machine.tmp, `told`), `utf8`)).match(/\{[^}]*\}/g)!.map(text => JSON.parse(text));
    expect(told.map(({event, session}) => `${event} ${session}`).sort()).toEqual([`session.idle ses_main`, `step ses_main`]);
  });
});

it(`gives ids that ascend with their number`, () => {
  const ids = Array.from({length: 300}, (_, count) => idOf(`prt`, target.id, count));
  expect(ids).toEqual([...ids].sort());
  expect(ids[299]).toMatch(/^prt_00000000012b[0-9A-Za-z]{14}$/);
});
