import {mkdir, readFile, utimes, writeFile} from 'node:fs/promises';
import path                                 from 'node:path';

import {describe, expect, it}               from 'vitest';

import type {Machine}                       from '../../../sources/agents/types.ts';
import {codex}                              from '../../../sources/agents/codex/index.ts';

import {program, scratchMachine}            from './_machine.ts';
import {target}                             from './_session.ts';

const register = (machine: Machine, session: {id: string; path: string; title?: string}) => codex.target!.register(machine, {...session, cwd: `/home/alice/shop`, settings: null});

/** Answers like `codex app-server`, and keeps what it was asked. */
const server = (thread: object) => `#!/usr/bin/env node
const fs = require('fs');
const lines = require('readline').createInterface({input: process.stdin});
lines.on('line', line => {
  fs.appendFileSync(process.env.HOME + '/asked', line + '\\n');
  const {id, method} = JSON.parse(line);
  if (id)
    console.log('noise\\n' + JSON.stringify({id, result: method === 'thread/read' ? {thread: ${JSON.stringify(thread)}} : {}}));
});
fs.writeFileSync(process.env.HOME + '/env', Object.keys(process.env).join());
`;

async function setUp(thread: object) {
  const machine = await scratchMachine({CLAUDECODE: `1`, CLAUDE_CODE_CHILD_SESSION: `1`});
  await program(machine.bin, `codex`, server(thread));
  const file = path.join(machine.home, `rollout.jsonl`);
  await writeFile(file, ``);
  await utimes(file, 2_000, 2_000);
  const run = async (title?: string) => {
    const outcome = await register(machine, {id: target.id, path: file, ...title === undefined ? {} : {title}});
    const asked = (await readFile(path.join(machine.home, `asked`), `utf8`)).trim().split(`\n`).map(line => JSON.parse(line) as {method: string; params?: object});
    return {outcome, asked, env: await readFile(path.join(machine.home, `env`), `utf8`)};
  };
  return {machine, file, run};
}

describe(`registration`, () => {
  it(`asks for the session once, and does not tell Codex that another agent is around`, async () => {
    const {run} = await setUp({name: null, preview: `Fix it`, updatedAt: 2_000});
    const {outcome, asked, env} = await run();
    expect(outcome).toEqual({listed: true});
    expect(asked.map(({method}) => method)).toEqual([`initialize`, `initialized`, `thread/read`]);
    expect(asked[2]!.params).toEqual({threadId: target.id});
    expect(env).not.toContain(`CLAUDE`);
  });

  it(`names a session that has a title of its own, and only once`, async () => {
    const first = await (await setUp({name: null, preview: `Fix it`, updatedAt: 2_000})).run(`Cart\u001b[31m\ntotals`);
    expect(first.asked.at(-1)).toMatchObject({method: `thread/name/set`, params: {threadId: target.id, name: `Cart totals`}});

    const second = await (await setUp({name: `Cart totals`, preview: `Fix it`, updatedAt: 2_000})).run(`Cart totals`);
    expect(second.asked.at(-1)!.method).toBe(`thread/read`);
  });

  it(`makes Codex look again at a session that has grown`, async () => {
    const {asked} = await (await setUp({name: null, preview: `Fix it\nplease`, updatedAt: 1_999})).run();
    expect(asked.at(-1)).toMatchObject({method: `thread/name/set`, params: {name: `Fix it please`}});
  });

  it(`does without Codex`, async () => {
    const machine = await scratchMachine();
    machine.env.PATH = machine.bin;
    expect(await register(machine, {id: target.id, path: `/x`})).toEqual({listed: false, note: expect.stringContaining(`not on PATH`)});
  });

  it.each([
    [`says no`, `#!/usr/bin/env node\nrequire('readline').createInterface({input: process.stdin}).on('line', l => { const {id} = JSON.parse(l); if (id) console.log(JSON.stringify({id, error: {message: 'no rollout found'}})); });`, `no rollout found`],
    [`ends at once`, `#!/bin/sh\nexit 1\n`, `ended`],
    [`cannot run`, `#!/nonexistent/interpreter\n`, `codex did not take`],
  ])(`reports a Codex that %s`, async (_name, source, note) => {
    const machine = await scratchMachine();
    await mkdir(path.join(machine.home, `.codex`));
    await program(machine.bin, `codex`, source);
    expect(await register(machine, {id: target.id, path: `/x`})).toEqual({listed: false, note: expect.stringContaining(note)});
  });
});
