import {describe, expect, it}          from 'vitest';

import {claudeCode}                    from '../../../sources/agents/claude-code/index.ts';
import type {Machine}                  from '../../../sources/agents/types.ts';
import type {Json, JsonObject}         from '../../../sources/interchange/index.ts';

import {fileLines, fixtureFile, hookPayloads} from './_read.ts';

const machine: Machine = {env: {}, home: `/home/alice`, platform: `linux`, tmp: `/tmp`};
const fromEvent = (event: Json) => claudeCode.source!.fromEvent(machine, event);

const payloads = hookPayloads();
const byName = (name: string, match: JsonObject = {}) =>
  fromEvent(payloads.find(payload => payload.hook_event_name === name && Object.entries(match).every(([key, value]) => payload[key] === value))!)!;

describe(`events of real hooks`, () => {
  it(`all name their session`, () => {
    expect(payloads.length).toBeGreaterThan(30);
    for (const payload of payloads)
      expect(fromEvent(payload)).toMatchObject({
        agent: `claude-code`, nativeId: payload.session_id, session: payload.session_id, path: payload.transcript_path, cwd: payload.cwd, event: {name: payload.hook_event_name},
      });
  });

  it(`say what to wait for and what ended`, () => {
    expect(byName(`SessionStart`).event).toEqual({name: `SessionStart`, cwd: `/home/alice/hooky`});
    expect(byName(`UserPromptSubmit`).event.awaits).toBe(`Mach mal ü`);
    expect(byName(`PostToolUse`).event).toMatchObject({awaits: `"tool_use_id":"toolu_01c4727998e5568f63cd6f2a90"`});
    expect(byName(`PostToolUse`).event.turnEnd).toBeUndefined();
    expect(byName(`PostToolUseFailure`).event.awaits).toBe(`"tool_use_id":"toolu_017dc61fb16b1dbe6809631a36"`);
    expect(byName(`Stop`).event).toMatchObject({awaits: `Schlusswort ü 你好.`, turnEnd: true});
    expect(byName(`PostCompact`).event).toMatchObject({turnEnd: true});
    expect(byName(`SessionEnd`).event).toMatchObject({sessionEnd: true, turnEnd: true});
    expect(byName(`SubagentStop`).event).toEqual({name: `SubagentStop`, cwd: `/home/alice/hooky`});
  });

  it(`do not wait in the main file for what a sub-agent did`, () => {
    const inside = payloads.find(payload => payload.hook_event_name === `PostToolUse` && payload.agent_id !== undefined)!;
    expect(fromEvent(inside)!.event.awaits).toBeUndefined();
  });

  it(`wait for text as it stands in the file`, () => {
    const wanted = fromEvent({...payloads[0]!, hook_event_name: `Stop`, last_assistant_message: `All done — das war's. ✅\n\n\`\`\`js\ntotal([{price: 1}])\n\`\`\``})!.event.awaits!;
    expect(fileLines(fixtureFile(`01`)).filter(line => line.text.includes(wanted))).toHaveLength(1);
    const call = fromEvent({...payloads[0]!, hook_event_name: `PostToolUse`, tool_use_id: `toolu_01b5fa910f2a984513c39be5fc`})!.event.awaits!;
    expect(fileLines(fixtureFile(`01`)).filter(line => line.text.includes(call)).map(line => (line.value as JsonObject).type)).toEqual([`user`]);
  });

  it(`do not wait for commands, which are written otherwise`, () => {
    for (const prompt of [`/compact`, `!ls`, ``])
      expect(fromEvent({...payloads[0]!, hook_event_name: `UserPromptSubmit`, prompt})!.event.awaits).toBeUndefined();
  });
});

describe(`a store elsewhere`, () => {
  const id = `0198c0de-0000-4000-8000-000000000001`;
  it(`is taken when its folder is named after the working folder`, () => {
    const event = {session_id: id, hook_event_name: `Stop`, cwd: `/home/alice/shop`, transcript_path: `/srv/claude/projects/-home-alice-shop/${id}.jsonl`};
    expect(fromEvent(event)).not.toBeNull();
    expect(fromEvent({...event, cwd: `/home/alice/other`})).toBeNull();
  });

  it(`is taken when the configuration names it`, () => {
    const event = {session_id: id, hook_event_name: `Stop`, cwd: `/x`, transcript_path: `/srv/claude/projects/mine/${id}.jsonl`};
    expect(fromEvent(event)).toBeNull();
    expect(claudeCode.source!.fromEvent({...machine, env: {CLAUDE_CONFIG_DIR: `/srv/claude`}}, event)).not.toBeNull();
  });
});

describe(`hostile events`, () => {
  const id = `0198c0de-0000-4000-8000-000000000001`;
  const good = {session_id: id, hook_event_name: `Stop`, cwd: `/x`, transcript_path: `/home/alice/.claude/projects/-x/${id}.jsonl`};

  it(`differ from a good one`, () => {
    expect(fromEvent(good)).not.toBeNull();
  });

  it.each<Json>([
    null, 7, `text`, [], {},
    {...good, session_id: `../../x`},
    {...good, session_id: 7},
    {...good, hook_event_name: undefined as unknown as Json},
    {...good, hook_event_name: `Stop\u001b[2J`},
    {...good, transcript_path: `/etc/passwd`},
    {...good, transcript_path: `/home/alice/.claude/projects/-x/other.jsonl`},
    {...good, transcript_path: `/home/alice/.claude/projects/../projects/-x/${id}.jsonl`},
    {...good, transcript_path: `/home/alice/.claude/projects/-x/../../../../etc/${id}.jsonl`},
    {...good, transcript_path: `projects/-x/${id}.jsonl`},
    {...good, transcript_path: `/home/alice/.claude/projects/-x/y/${id}.jsonl`},
    {...good, transcript_path: `/home/mallory/projects/-y/${id}.jsonl`},
    {...good, transcript_path: `/home/alice/.claude/projects/-x\0/${id}.jsonl`},
    {...good, transcript_path: {}},
  ])(`%j`, event => {
    expect(fromEvent(event)).toBeNull();
  });

  it(`a working folder that is none is not passed on`, () => {
    expect(fromEvent({...good, cwd: `not absolute`})!.cwd).toBeUndefined();
    expect(fromEvent({...good, cwd: 7})!.cwd).toBeUndefined();
  });
});
