import {describe, expect, it}      from 'vitest';

import type {CallRecord, Unplaced} from '../../../sources/interchange/index.ts';

import {prompt, result, write}     from './_session.ts';

type Args = Pick<CallRecord, `tool` | `name` | `input`> & {args?: unknown; call?: string};

function run(call: Args, answer: Unplaced = result(`c`, `output`)) {
  return write(prompt(`go`), {kind: `call`, call: `c`, ...call} as Unplaced, answer);
}

const bash = {tool: `shell`, name: `Bash`, input: {command: `npm test`, description: `Run`}, args: {command: `npm test`}} as const;

describe(`commands`, () => {
  it(`become exec_command, with what else the tool was told`, () => {
    const {items, events, report} = run({...bash, args: {command: `npm test`, workdir: `/home/alice/shop/web`}}, result(`c`, `1 failing`, {exitCode: 1, error: true}));
    expect(items.slice(1)).toEqual([
      {type: `function_call`, name: `exec_command`, arguments: `{"cmd":"npm test","workdir":"/home/alice/shop/web","description":"Run"}`, call_id: `c`},
      {type: `function_call_output`, call_id: `c`, output: `Process exited with code 1\nOutput:\n1 failing`},
    ]);
    expect(events.at(-1)).toEqual({
      type: `mcp_tool_call_end`,
      call_id: `c`,
      invocation: {server: `claude-code`, tool: `Bash`, arguments: {command: `npm test`}},
      duration: {secs: 0, nanos: 0},
      result: {Err: `1 failing`},
    });
    expect(report).toMatchObject({kept: 3, reduced: 0, dropped: 0});
  });

  it.each([
    [`succeeded`, {}, `Process exited with code 0\nOutput:\noutput`],
    [`was denied`, {error: true, denied: true}, `output`],
    [`was interrupted`, {exitCode: 130, interrupted: true}, `output`],
    [`failed without a code`, {error: true}, `output`],
  ])(`that %s`, (_name, more, output) => {
    expect(run(bash, result(`c`, `output`, more)).items.at(-1)!.output).toBe(output);
  });

  it(`in the background have no exit code yet`, () => {
    expect(run({...bash, args: {command: `npm start`, background: true}}).items.at(-1)!.output).toBe(`output`);
  });

  it(`run where the source agent was`, () => {
    const {items} = write({...prompt(`go`), cwd: `/home/alice/shop`}, {kind: `reply`, text: `a`, cwd: `/home/alice/shop/web`}, {kind: `call`, call: `c`, ...bash} as Unplaced);
    expect(JSON.parse(items.at(-1)!.arguments)).toMatchObject({workdir: `/home/alice/shop/web`});
  });
});

describe(`changes of files`, () => {
  const file = `/home/alice/shop/src/cart.js`;

  it(`become patches with paths below the folder`, () => {
    const diff = `@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n`;
    const {items, events} = run({tool: `edit`, name: `Edit`, input: {}, args: {path: file, edits: [{old: `a\nb\nc`, new: `a\nB\nc`}]}},
      result(`c`, `updated`, {patch: [{path: file, change: `update`, diff}]}));
    expect(items.slice(1)).toEqual([
      {type: `custom_tool_call`, status: `completed`, call_id: `c`, name: `apply_patch`, input: `*** Begin Patch\n*** Update File: src/cart.js\n@@\n a\n-b\n+B\n c\n*** End Patch\n`},
      {type: `custom_tool_call_output`, call_id: `c`, output: `updated`},
    ]);
    expect(events.at(-1)).toMatchObject({
      type: `patch_apply_end`, turn_id: events[0]!.turn_id, success: true, status: `completed`, stdout: `updated`,
      changes: {[file]: {type: `update`, unified_diff: diff, move_path: null}},
    });
  });

  it(`that failed show what was tried`, () => {
    const {items, events} = run({tool: `edit`, name: `Edit`, input: {}, args: {path: `src/a.js`, edits: [{old: `x`, new: `y`}]}}, result(`c`, `not found`, {error: true}));
    expect(items.at(-1)!.output).toBe(`not found`);
    expect(events.at(-1)).toMatchObject({success: false, status: `failed`, stderr: `not found`, changes: {[`/home/alice/shop/src/a.js`]: {unified_diff: `@@ -1,1 +1,1 @@\n-x\n+y\n`}}});
  });

  it(`that write a whole file add it`, () => {
    const {items, events} = run({tool: `write`, name: `Write`, input: {}, args: {path: `/tmp/x`, content: `a\n\nb`}});
    expect(items[1]!.input).toBe(`*** Begin Patch\n*** Add File: /tmp/x\n+a\n+\n+b\n*** End Patch\n`);
    expect(events.at(-1)!.changes).toEqual({'/tmp/x': {type: `add`, content: `a\n\nb`}});
  });

  it(`with a path that no patch can name keep their own form`, () => {
    const {items} = run({tool: `write`, name: `Write`, input: {file_path: `a\nb`, content: ``}, args: {path: `a\nb`, content: ``}});
    expect(items[1]).toMatchObject({type: `function_call`, name: `Write`, arguments: `{"file_path":"a\\nb","content":""}`});
  });

  it(`of every occurrence are reported`, () => {
    const {report} = run({tool: `edit`, name: `Edit`, input: {}, args: {path: `a`, edits: [{old: `x`, new: `y`, all: true}]}});
    expect(report).toMatchObject({reduced: 1, items: [{kind: `call`, outcome: `reduced`}]});
  });
});

describe(`other tools`, () => {
  it(`keep a plan as Codex has it`, () => {
    const {items, events} = run({tool: `plan`, name: `TodoWrite`, input: {}, args: {items: [{step: `a`, status: `pending`}]}});
    expect(items[1]).toMatchObject({name: `update_plan`, arguments: `{"plan":[{"step":"a","status":"pending"}]}`});
    expect(events.map(({type}) => type)).toEqual([`task_started`, `user_message`]);
  });

  it(`of a server keep its name`, () => {
    const {items, events} = run({tool: `mcp`, name: `mcp__db__query`, input: {sql: `x`}, args: {server: `db`, tool: `query`, arguments: {sql: `x`}}});
    expect(items[1]).toMatchObject({name: `mcp__db__query`, arguments: `{"sql":"x"}`});
    expect(events.at(-1)!.invocation).toEqual({server: `db`, tool: `query`, arguments: {sql: `x`}});
  });

  it(`keep their name and arguments`, () => {
    const {items, events} = run({tool: `read`, name: `Read`, input: {file_path: `a.js`}, args: {path: `a.js`}});
    expect(items[1]).toEqual({type: `function_call`, name: `Read`, arguments: `{"file_path":"a.js"}`, call_id: `c`});
    expect(events.at(-1)).toMatchObject({invocation: {server: `claude-code`, tool: `Read`}, result: {Ok: {content: [{type: `text`, text: `output`}]}}});
  });

  it(`with names and ids that the API does not take get others, each its own`, () => {
    const ids = [`a/b`, `a b`, `a_b`, `x`.repeat(65), `x`.repeat(66), `a_b_x0123456789abcdef`];
    const {items} = write(prompt(`go`), ...ids.map(call => ({kind: `call`, call, name: `tool ü`, tool: `other`, input: [1]}) as Unplaced), ...ids.map(call => result(call, call)));
    const calls = items.filter(({type}) => type === `function_call`);
    const outputs = items.filter(({type}) => type === `function_call_output`);

    expect(new Set(calls.map(({call_id}) => call_id)).size).toBe(ids.length);
    expect(calls.map(({call_id}) => call_id)).toEqual(outputs.map(({call_id}) => call_id));
    for (const {call_id, name, arguments: input} of calls) {
      expect(call_id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(input).toBe(`{"input":[1]}`);
    }
    expect(calls[2]!.call_id).toBe(`a_b`);
  });
});

describe(`outputs`, () => {
  const read = {tool: `read`, name: `Read`, input: {}, args: {path: `a`}} as const;

  it(`up to Codex's limit are whole, and marked so that every model gets them`, () => {
    const {lines, report} = run(read, result(`c`, `ü`.repeat(24_000)));
    expect(lines.at(-1)).toMatchObject({payload: {output: `ü`.repeat(24_000)}, metadata: {fallback_token_limit_override: 12_000}});
    expect(report.reduced).toBe(0);
    expect(run(read).lines.at(-1)).not.toHaveProperty(`metadata`);
  });

  it.each([`x`, `ä`, `日`, `🎉`])(`above it are cut in the middle, between characters: %s`, letter => {
    const whole = `<${letter.repeat(30_000)}${letter.repeat(30_000)}>`;
    const {items, events, report} = run(read, result(`c`, whole, {full: {path: `/home/alice/out.txt`}}));
    const {output} = items.at(-1)!;
    const [head, tail] = output.split(/\n\[… session-sync left out \d+ bytes .*\]\n/);
    const left = Number(/left out (\d+) bytes/.exec(output)![1]);

    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(48_000);
    expect(Buffer.byteLength(output)).toBeGreaterThan(47_900);
    expect(output).toContain(`/home/alice/out.txt`);
    expect(whole.startsWith(head) && whole.endsWith(tail)).toBe(true);
    expect(Buffer.byteLength(head) + left + Buffer.byteLength(tail)).toBe(Buffer.byteLength(whole));
    expect(JSON.stringify(events.at(-1)).length).toBeLessThan(5_000);
    expect(report).toMatchObject({reduced: 1, items: [{kind: `result`, seq: 2}]});
  });

  it(`of a command are cut so that its exit code fits as well`, () => {
    const {output} = run(bash, result(`c`, `x`.repeat(60_000))).items.at(-1)!;
    expect(output.startsWith(`Process exited with code 0\nOutput:\nx`)).toBe(true);
    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(48_000);
  });

  it(`hold images`, () => {
    const {items, report} = run(read, {kind: `result`, call: `c`, content: [{type: `text`, text: `a`}, {type: `image`, mediaType: `image/png`, data: `AAAA`}]});
    expect(items.at(-1)!.output).toEqual([{type: `input_text`, text: `a`}, {type: `input_image`, image_url: `data:image/png;base64,AAAA`}]);
    expect(report.reduced).toBe(0);
  });

  it(`keep a big call from making the saved state big`, () => {
    const content = `x`.repeat(1_000_000);
    const {writer, items} = write(prompt(`go`),
      {kind: `call`, call: `a`, name: `Write`, tool: `write`, input: {content}, args: {path: `a`, content}},
      {kind: `call`, call: `b`, name: `Other`, tool: `other`, input: {content}},
      {kind: `call`, call: `e`, name: `Edit`, tool: `edit`, input: {content}, args: {path: `a`, edits: [{old: content, new: `y`}]}});
    expect(items[1]!.input.length).toBeGreaterThan(1_000_000);
    expect(JSON.stringify(writer.save()).length).toBeLessThan(60_000);
  });
});
