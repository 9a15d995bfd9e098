import {mkdir, readFile, symlink, writeFile} from 'node:fs/promises';
import path                          from 'node:path';
import process                       from 'node:process';
import {describe, expect, it}        from 'vitest';

import {claudeCode}                  from '../../../sources/agents/claude-code/index.ts';
import type {Machine}                from '../../../sources/agents/types.ts';
import {sessionIdFor}                from '../../../sources/interchange/index.ts';
import {startOf}                     from '../../../sources/system/processes.ts';
import {temporaryFolders}            from '../../_temporary.ts';
import {writerBattery}               from '../_battery.ts';

import {read, valueLines}            from './_read.ts';
import {header, open, parse, prompt, writing} from './_writing.ts';
import type {Line}                   from './_writing.ts';

const target = claudeCode.target!;
const makeFolder = temporaryFolders();

async function scratchMachine(env: {[name: string]: string} = {}): Promise<Machine> {
  const home = await makeFolder();
  return {env: {PATH: `/nowhere`, HOME: home, ...env}, home, platform: `linux`, tmp: home};
}

describe(`the place of a mirror`, () => {
  it(`is the folder of the project's real path, under a UUID that is always the same`, async () => {
    const machine = await scratchMachine();
    const real = path.join(machine.home, `real.shop`);
    await mkdir(real);
    await symlink(real, path.join(machine.home, `link`));
    const file = await target.pathOf(machine, {...writing, cwd: path.join(machine.home, `link`)});
    expect(file).toBe(path.join(machine.home, `.claude/projects`, real.replace(/[^A-Za-z0-9]/g, `-`), `${writing.id}.jsonl`));
    expect(target.mirrorId(header.session, 0)).toBe(writing.id);
    expect(target.mirrorId(header.session, 1)).not.toBe(writing.id);
    expect(sessionIdFor(`claude-code`, writing.id)).toBe(writing.id);
    expect(target.resumeCommand(writing.id)).toBe(`claude --resume ${writing.id}`);
  });

  it(`follows CLAUDE_CONFIG_DIR, and a project that is not there is taken by its name`, async () => {
    const machine = await scratchMachine({CLAUDE_CONFIG_DIR: `/srv/claude`});
    expect(await target.pathOf(machine, {...writing, cwd: `/home/alice/gone`})).toBe(`/srv/claude/projects/-home-alice-gone/${writing.id}.jsonl`);
  });

  it(`takes no id from outside that is none`, async () => {
    await expect(async () => target.pathOf(await scratchMachine(), {...writing, id: `../x`})).rejects.toThrow(/is no id/);
  });

  it(`must be writable`, async () => {
    const machine = await scratchMachine();
    expect(await target.prepare(machine)).toEqual({});
    // Nobody, not even root, gets into what is no folder.
    await mkdir(path.join(machine.home, `.claude`));
    await writeFile(path.join(machine.home, `.claude/projects`), ``);
    await expect(target.prepare(machine)).rejects.toMatchObject({code: `STORE_NOT_WRITABLE`});
  });

  it(`is listed by being there`, async () => {
    const machine = await scratchMachine();
    const cwd = machine.home;
    const file = await target.pathOf(machine, {...writing, cwd});
    const registered = {id: writing.id, path: file, cwd, settings: {}};
    expect(await target.register(machine, registered)).toMatchObject({listed: false});
    await mkdir(path.dirname(file), {recursive: true});
    await writeFile(file, open().begin());
    expect(await target.register(machine, registered)).toEqual({listed: true});
    expect(await readFile(file, `utf8`)).toBe(open().begin());

    const other = path.join(machine.home, `.claude/projects/-a`, `${writing.id}.jsonl`);
    await mkdir(path.dirname(other));
    await writeFile(other, `{}\n`);
    expect(await target.register(machine, registered)).toMatchObject({listed: true, note: expect.stringContaining(`-a`)});
  });
});

describe(`a session that is open`, () => {
  const write = async () => `written`;
  const note = async (machine: Machine, name: string, value: unknown) => {
    await mkdir(path.join(machine.home, `.claude/sessions`), {recursive: true});
    await writeFile(path.join(machine.home, `.claude/sessions`, name), typeof value === `string` ? value : JSON.stringify(value));
  };

  it(`is left alone as long as the process lives that noted it`, async () => {
    const machine = await scratchMachine();
    const procStart = await startOf(process.pid);
    await note(machine, `${process.pid}.json`, {pid: process.pid, sessionId: writing.id, procStart});
    expect(await target.exclusively(machine, writing.id, write)).toBeNull();
    expect(await target.exclusively(machine, target.mirrorId(header.session, 1), write)).toBe(`written`);
  });

  it.runIf(process.platform === `linux`)(`is free when another process has the number by now`, async () => {
    const machine = await scratchMachine();
    await note(machine, `${process.pid}.json`, {pid: process.pid, sessionId: writing.id, procStart: `1`});
    await note(machine, `999999999.json`, {sessionId: writing.id});
    expect(await target.exclusively(machine, writing.id, write)).toBe(`written`);
  });

  it(`is free where the notes say nothing, and errors of the write are handed on`, async () => {
    const machine = await scratchMachine();
    expect(await target.exclusively(machine, writing.id, write)).toBe(`written`);
    for (const [name, value] of [[`1.json`, `no JSON`], [`0.json`, {sessionId: writing.id}], [`x.json`, {sessionId: writing.id}], [`${process.pid}.json`, `null`], [`${process.pid}.key`, {sessionId: writing.id}]] as const)
      await note(machine, name, value);
    expect(await target.exclusively(machine, writing.id, write)).toBe(`written`);
    await expect(target.exclusively(machine, writing.id, () => Promise.reject(new Error(`full disk`)))).rejects.toThrow(`full disk`);
  });
});

describe(`what stands after a mirror`, () => {
  const text = (...lines: Array<object>) => lines.map(line => `${JSON.stringify(line)}\n`).join(``);
  const sessionId = writing.id;
  // Seen with 2.1.330: a session that was looked at in the terminal and closed.
  const looked = text(
    {type: `mode`, mode: `normal`, sessionId}, {type: `atis-latch`, atis: ``, sessionId}, {type: `tools-used`, tools: [`Bash`], sessionId},
    {type: `cost-state`, sessionId, totalCostUSD: 0}, {type: `permission-mode`, permissionMode: `auto`, sessionId},
  );

  it.each([
    [`nothing`, ``],
    [`a look at it`, looked],
    [`a line that is still being written`, `${looked}{"type":"cost-state","sess`],
    [`blank lines`, `\n \n`],
    [`a name`, text({type: `custom-title`, customTitle: `Cart`, sessionId}, {type: `agent-name`, agentName: `Cart`})],
    [`a leaf`, text({type: `last-prompt`, leafUuid: `a`, sessionId}, {type: `last-prompt`, leafUuid: `00000000-0000-0000-0000-000000000000`, explicit: true})],
    [`the harness`, text({type: `attachment`, uuid: `a`, parentUuid: null, attachment: {type: `environment`}}, {type: `system`, subtype: `turn_duration`})],
  ])(`%s is bookkeeping`, (_, tail) => {
    expect(target.judge(tail)).toBe(`opened`);
  });

  it.each([
    [`a prompt`, text({type: `user`, message: {role: `user`, content: `x`}})],
    [`an answer`, looked + text({type: `assistant`, message: {}})],
    [`a queued prompt`, text({type: `attachment`, attachment: {type: `queued_command`}})],
    [`what a hook said`, text({type: `attachment`, attachment: {type: `hook_success`}})],
    [`a command`, text({type: `system`, subtype: `local_command`, content: `x`})],
    [`a compaction`, text({type: `system`, subtype: `compact_boundary`})],
    [`a step back`, text({type: `last-prompt`, leafUuid: `a`, explicit: true})],
    [`an unknown line`, text({type: `new-thing`})],
    [`no JSON`, `{"type":"mode"\n`],
    [`no object`, `[]\n`],
    [`a prompt that is still being written`, `{"parentUuid":"a","type":"us`],
    [`anything that is still being written`, `{"ty`],
  ])(`%s is the agent going on`, (_, tail) => {
    expect(target.judge(tail)).toBe(`continued`);
  });

  it(`is bookkeeping where it is our own`, () => {
    expect(target.judge(open().push({seq: 0, kind: `title`, title: `T`, origin: `custom`}))).toBe(`opened`);
    expect(target.judge(open().push({seq: 0, ...prompt(`x`)} as never))).toBe(`continued`);
  });
});

/** What the Messages API refuses, and what Claude Code 2.1.330 loses. */
function expectSendable(lines: Array<Line>) {
  const chained = lines.filter(line => line.uuid !== undefined);
  const uuids = new Set(chained.map(({uuid}) => uuid));
  expect(uuids.size).toBe(chained.length);
  const ids = new Set<string>();
  const open = new Map<string, string>();
  let previous: string | null = null;
  for (const [index, line] of chained.entries()) {
    expect(line.parentUuid).toBe(line.subtype === `compact_boundary` ? null : previous);
    previous = line.uuid;
    if (line.type === `system` || line.type === `attachment`)
      continue;
    expect(index > 0 || line.type === `user`).toBe(true);
    const {content, id} = line.message;
    for (const block of typeof content === `string` ? [{type: `text`, text: content}] : content) {
      if (block.type === `text`)
        expect(block.text.trim()).not.toBe(``);
      if (block.type === `tool_use`) {
        expect(block.id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        expect(block.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        expect(Object.prototype.toString.call(block.input)).toBe(`[object Object]`);
        expect(ids.has(block.id)).toBe(false);
        ids.add(block.id);
        open.set(block.id, id);
      }
      if (block.type === `tool_result`) {
        expect(open.delete(block.tool_use_id)).toBe(true);
        expect(block.is_error === true && block.content.length === 0).toBe(false);
      }
    }
    if (line.type === `assistant`)
      for (const waiting of open.values())
        expect(waiting, `no other answer while a call waits`).toBe(id);
  }
  expect(open.size).toBe(0);
  for (const {type, leafUuid} of lines)
    if (type === `last-prompt`)
      expect(uuids.has(leafUuid)).toBe(true);
}

writerBattery({
  target, writing,
  check: (text, {records}) => {
    const lines = parse(text);
    expectSendable(lines);
    const {records: back, reader} = read(valueLines(lines), {unbounded: true});
    expect(reader.facts().repairs).toEqual([]);
    const count = (kind: string) => back.filter(record => record.kind === kind).length;
    expect(count(`call`)).toBeGreaterThanOrEqual(records.filter(({kind}) => kind === `call`).length);
    expect(count(`call`)).toBe(count(`result`));
    expect(count(`branch`) + count(`leaf`)).toBe(0);
  },
});
