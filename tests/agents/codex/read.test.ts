import {describe, expect, it}        from 'vitest';

import {codex}                       from '../../../sources/agents/codex/index.ts';
import {NeedsFullRead}               from '../../../sources/agents/types.ts';
import {linearize, sinceCompaction}  from '../../../sources/interchange/index.ts';
import type {Json, NeutralRecord}    from '../../../sources/interchange/index.ts';
import {expectSound, linesOf}        from '../_battery.ts';

import {read, rollout, textOf}       from './_read.ts';

type Line = {type: string; payload: object; [key: string]: unknown};

const META = {id: `01a204b3-c9bb-7633-bb95-009b4398dd9f`, timestamp: `2026-11-20T09:59:59.000Z`, cwd: `/home/alice/shop`, originator: `codex_exec`, cli_version: `0.169.0`};
const meta = (more: object = {}): Line => ({type: `session_meta`, payload: {...META, ...more}});
const item = (payload: object): Line => ({type: `response_item`, payload});
const event = (payload: object): Line => ({type: `event_msg`, payload});
const user = (text: string, more: object = {}) => item({type: `message`, role: `user`, content: [{type: `input_text`, text}], ...more});
const assistant = (text: string, more: object = {}) => item({type: `message`, role: `assistant`, content: [{type: `output_text`, text}], ...more});
const call = (id: string, name: string, input: object, more: object = {}) => item({type: `function_call`, name, arguments: JSON.stringify(input), call_id: id, ...more});
const output = (id: string, text: Json, type = `function_call_output`) => item({type, call_id: id, output: text});
const script = (id: string, input: string) => item({type: `custom_tool_call`, name: `exec`, namespace: `functions`, input, call_id: id});
const scriptOutput = (id: string, ...texts: Array<string>) => output(id, [`Script completed\nWall time 0.1 seconds\nOutput:\n`, ...texts].map(text => ({type: `input_text`, text})), `custom_tool_call_output`);
const ran = (command: string, text: string, exit = 0) => event({type: `item_completed`, item: {
  type: `CommandExecution`, id: `exec-${command.length}`, command: [`/bin/bash`, `-lc`, command], cwd: `file:///home/alice/shop`, aggregated_output: text, exit_code: exit, status: exit === 0 ? `completed` : `failed`,
}});

function records(...lines: Array<Line>): Array<NeutralRecord> {
  const {records: all} = read(rollout(...lines));
  expectSound(all);
  return all;
}

const brief = (all: Array<NeutralRecord>) => all.map(record => {
  switch (record.kind) {
    case `prompt`: return `prompt ${record.content.map(part => part.type === `text` ? part.text : part.type).join(`|`)}${record.midTurn ? ` (mid-turn)` : ``}`;
    case `reply`: return `reply ${record.text}`;
    case `call`: return `${record.tool} ${record.name}`;
    case `result`: return `result ${record.content.map(part => part.type === `text` ? part.text : part.type).join(`|`)}`;
    case `note`: return `note ${record.what}${record.visible ? `: ${record.text}` : ``}`;
    case `branch`: return `branch after ${record.parent}`;
    default: return record.kind;
  }
});

describe(`the recorded sessions`, () => {
  it(`01: a plan, commands, patches and parallel calls`, () => {
    const {records: all, reader} = read(textOf(`01-classic-tools`));
    expect(brief(all)).toEqual([
      `note host_skills.instructions`, `note environments.environment_context`, `model`,
      `prompt Fix the total() bug in the cart`, `reasoning`, `reply I'll look at the repo first.`,
      `plan update_plan`, `result Plan updated`, `plan`,
      `shell exec_command`, expect.stringContaining(`README.md\nhi\n`),
      `shell exec_command`, `result cat: nope.txt: No such file or directory\n`,
      `write apply_patch`, `result Success. Updated the following files:\nA src/cart.js\n`,
      `edit apply_patch`, `result Success. Updated the following files:\nM src/cart.js\n`,
      `edit apply_patch`, expect.stringContaining(`apply_patch verification failed`),
      `shell exec_command`, `shell exec_command`, `result one\n`, `result two\n`,
      `plan update_plan`, `result Plan updated`, `plan`,
      `reasoning`, `reply Fixed \`total()\` in src/cart.js.`,
    ]);
    expect(all[3]).toEqual({seq: 3, id: `msg_01a204b3-ca07-71e1-a97e-173172e20d3d`, time: `2026-11-22T19:20:21.255Z`, kind: `prompt`, content: [{type: `text`, text: `Fix the total() bug in the cart`}]});
    expect(all[0]).toMatchObject({cwd: `/home/alice/shop`, head: {branch: `main`, commit: `97ff04d61d1142758447af6090dbcfa5967e572b`}});
    expect(all[15]).toEqual({
      seq: 15, id: `ctc_fake_5_0`, time: `2026-11-22T19:20:21.531Z`, kind: `call`, call: `call_upd`, name: `apply_patch`, message: `answer-15`, model: `gpt-5.5`, tool: `edit`,
      args: {path: `/home/alice/shop/src/cart.js`, edits: [{old: `  return xs.reduce((a, b) => a - b, 0);`, new: `  return xs.reduce((a, b) => a + b, 0);`}]},
      input: `*** Begin Patch\n*** Update File: src/cart.js\n@@\n-  return xs.reduce((a, b) => a - b, 0);\n+  return xs.reduce((a, b) => a + b, 0);\n*** End Patch\n`,
    });
    expect(all[16]).toMatchObject({patch: [{path: `/home/alice/shop/src/cart.js`, change: `update`, diff: expect.stringContaining(`@@ -1,3 +1,3 @@`)}]});
    expect(all[12]).toMatchObject({call: `call_fail`, error: true, exitCode: 3});
    expect(all[18]).toMatchObject({call: `call_badpatch`, error: true});
    expect([all[19], all[20]]).toMatchObject([{message: `answer-19`}, {message: `answer-19`}]);
    expect(reader.facts()).toMatchObject({
      nativeId: `01a204b3-c9bb-7633-bb95-009b4398dd9f`, version: `0.169.0`, cwd: `/home/alice/shop`, branch: `main`, model: `gpt-5.5`,
      created: `2026-11-22T19:20:21.189Z`, updated: `2026-11-22T19:20:21.722Z`, repairs: [], idle: true,
    });
  });

  it(`02: scripts, as the command or edit that they were for, or as scripts`, () => {
    const {records: all} = read(textOf(`02-code-mode`));
    expect(brief(all).filter(text => !/^(note|model)/.test(text))).toEqual([
      `prompt Add a notes file`, `reply Looking at the file.`,
      `shell exec`, `result hi\n`,
      `write exec`, `result {}`,
      `other exec`, expect.stringContaining(`Error: boom in script`), `reply Added NOTES.md.`,
      `prompt What is in it?`, `other exec`, `result Script completed\nWall time 0.1 seconds\nOutput:\n|note one\n|2`, `reply NOTES.md has one line.`,
    ]);
    const calls = all.filter(record => record.kind === `call`);
    expect(calls[0]).toMatchObject({args: {command: `cat README.md`}, input: `const r = await tools.exec_command({cmd:'cat README.md'});\ntext(r.output);`});
    expect(calls[1]).toMatchObject({args: {path: `/home/alice/shop/NOTES.md`, content: `note one\n`}});
  });

  it(`03: a compaction with what it keeps, and an interruption`, () => {
    const {records: all} = read(textOf(`03-compacted-interrupted`));
    const compaction = all.find(record => record.kind === `compaction`)!;
    expect(compaction).toMatchObject({summary: `Answer after compaction.`, trigger: `manual`});
    expect(brief(sinceCompaction(linearize(all))).slice(0, 6)).toEqual([
      `compaction`, `prompt What does the README say?`, `prompt And what else?`, `prompt continue after compaction`, `interrupt`, `prompt this one gets interrupted`,
    ]);
    // The summary is in the file as an answer, too.
    expect(brief(all)).not.toContain(`reply Answer after compaction.`);
  });

  it(`04: a file of somebody else that Codex went on with`, () => {
    const {records: all} = read(textOf(`04-legacy-continued`));
    expect(brief(all).slice(0, 2)).toEqual([`prompt u7 no source`, `reply a7`]);
    // The legacy mode says thinking twice.
    expect(all.filter(record => record.kind === `reasoning`)).toHaveLength(2);
    expect(all.filter(record => record.kind === `call`)).toHaveLength(9);
  });
});

describe(`prompts`, () => {
  it(`are told from Codex's own context by the names beside them, or by what they look like`, () => {
    const named = (text: string, kind: string) => user(text, {internal_chat_message_metadata_passthrough: {content_item_kinds: [kind]}});
    expect(brief(records(
      meta(),
      user(`<environment_context>\n  <cwd>/home/alice/shop</cwd>\n</environment_context>`),
      user(`# AGENTS.md instructions for /home/alice/shop\n\nBe kind.`),
      named(`<environment_context> is what I ask about`, `user.text`),
      named(`made by Codex`, `goal.context`),
      named(`<user_shell_command>ls</user_shell_command>`, `shell.user_command`),
      user(`<user_shell_command>pwd</user_shell_command>`),
      item({type: `message`, role: `developer`, content: [{type: `input_text`, text: `A hook says`}], internal_chat_message_metadata_passthrough: {content_item_kinds: [`hooks.additional_context`]}}),
      item({type: `message`, role: `developer`, content: [{type: `input_text`, text: `You are Codex`}]}),
      user(`A question`),
    ))).toEqual([
      `note environment_context`, `note AGENTS.md instructions`, `prompt <environment_context> is what I ask about`, `note goal.context`,
      `note shell-mode: <user_shell_command>ls</user_shell_command>`, `note shell-mode: <user_shell_command>pwd</user_shell_command>`,
      `note hook: A hook says`, `note developer`, `prompt A question`,
    ]);
  });

  it(`keep their pictures, without the tags around them`, () => {
    const [prompt] = records(meta(), item({type: `message`, role: `user`, content: [
      {type: `input_text`, text: `<image name=[Image #1]>`}, {type: `input_image`, image_url: `data:image/png;base64,aGk=`}, {type: `input_text`, text: `</image>`}, {type: `input_text`, text: `What is it?`},
    ]}));
    expect(prompt).toMatchObject({content: [{type: `image`, mediaType: `image/png`, data: `aGk=`}, {type: `text`, text: `What is it?`}]});
  });

  it(`in the middle of a turn are told from those that begin one`, () => {
    const started = event({type: `task_started`, turn_id: `t`});
    expect(brief(records(meta(), started, user(`one`), user(`and this`), event({type: `task_complete`, turn_id: `t`}), started, user(`two`)))).toEqual([`prompt one`, `prompt and this (mid-turn)`, `prompt two`]);
  });
});

describe(`calls`, () => {
  it.each<[string, object, object]>([
    [`exec_command`, {cmd: `ls`, workdir: `/tmp/x`}, {tool: `shell`, args: {command: `ls`, workdir: `/tmp/x`}}],
    [`shell`, {command: [`bash`, `-lc`, `ls -la`], timeout_ms: 10}, {tool: `shell`, args: {command: `ls -la`, timeoutMs: 10}}],
    [`shell`, {command: [`git`, `status`]}, {tool: `shell`, args: {command: `git status`}}],
    [`update_plan`, {plan: [{step: `a`, status: `in_progress`}, {step: `b`, status: `odd`}]}, {tool: `plan`, args: {items: [{step: `a`, status: `in_progress`}, {step: `b`, status: `pending`}]}}],
    [`view_image`, {path: `a.png`}, {tool: `read`, args: {path: `a.png`}}],
    [`spawn_agent`, {message: `Look`, agent_type: `explorer`}, {tool: `agent`, args: {prompt: `Look`, role: `explorer`}}],
    [`mcp__db__query`, {sql: `x`}, {tool: `mcp`, args: {server: `db`, tool: `query`, arguments: {sql: `x`}}}],
    [`request_user_input`, {questions: []}, {tool: `ask`}],
    [`write_stdin`, {session_id: 1}, {tool: `other`}],
    [`Read`, {file_path: `/a`, offset: 2}, {tool: `read`, args: {path: `/a`, offset: 2}}],
    [`Grep`, {pattern: `x`, output_mode: `content`}, {tool: `search`, args: {pattern: `x`, mode: `content`}}],
    [`read_file`, {absolute_path: `/a`}, {tool: `read`, args: {path: `/a`}}],
    [`webfetch`, {url: `https://example.org`}, {tool: `fetch`, args: {url: `https://example.org`}}],
  ])(`%s %j`, (name, input, expected) => {
    expect(records(meta(), call(`c`, name, input))[0]).toMatchObject({kind: `call`, call: `c`, name, input, ...expected});
  });

  it(`of other types than today's are known`, () => {
    const all = records(meta(),
      item({type: `local_shell_call`, call_id: `a`, status: `completed`, action: {type: `exec`, command: [`bash`, `-lc`, `pwd`]}}), output(`a`, `{"output":"/x\\n","metadata":{"exit_code":2,"duration_seconds":0.1}}`),
      item({type: `web_search_call`, status: `completed`, action: {type: `search`, query: `weather`}}),
      item({type: `function_call`, name: `query`, namespace: `mcp__db__`, arguments: `{}`, call_id: `b`}),
      call(`d`, `apply_patch`, {input: `*** Begin Patch\n*** Delete File: a\n*** End Patch`}),
      item({type: `custom_tool_call`, name: `apply_patch`, call_id: `e`, input: `*** Begin Patch\n*** Add File: a\n+x\n*** Add File: b\n+y\n*** End Patch`}),
      item({type: `function_call`, name: `broken`, arguments: `{no JSON`, call_id: `f`}));
    expect(all.filter(record => record.kind === `call`)).toMatchObject([
      {tool: `shell`, args: {command: `pwd`}}, {tool: `fetch`, args: {query: `weather`}}, {tool: `mcp`, args: {server: `db`, tool: `query`}},
      {tool: `other`}, {tool: `other`}, {tool: `other`, input: `{no JSON`},
    ]);
    expect(all[1]).toMatchObject({content: [{type: `text`, text: `/x\n`}], exitCode: 2, error: true});
  });

  it(`get what events say of them`, () => {
    const all = records(meta(),
      call(`a`, `exec_command`, {cmd: `x`}), event({type: `exec_command_end`, call_id: `a`, exit_code: 4}), output(`a`, `Chunk ID: 1\nProcess running with session ID 7\nOutput:\nso far`),
      call(`b`, `mcp__db__query`, {}), event({type: `mcp_tool_call_end`, call_id: `b`, result: {Err: `no`}}), output(`b`, `no`),
      call(`c`, `exec_command`, {cmd: `x`}), output(`c`, `aborted by user after 5.3s`),
      call(`d`, `exec_command`, {cmd: `x`}), output(`d`, `exec command rejected by user`));
    expect(all.filter(record => record.kind === `result`)).toMatchObject([
      {exitCode: 4, error: true, content: [{text: `Chunk ID: 1\nProcess running with session ID 7\nOutput:\nso far`}]}, {error: true}, {interrupted: true}, {denied: true},
    ]);
  });

  it(`without a result get the one that Codex tells its model, before the next prompt`, () => {
    const all = records(meta(), user(`one`), call(`a`, `exec_command`, {cmd: `x`}), user(`two`), output(`a`, `late`));
    expect(brief(all)).toEqual([`prompt one`, `shell exec_command`, `result aborted`, `prompt two`]);
    expect(all[2]).toMatchObject({healed: true, interrupted: true});
  });

  it(`with the same id are told apart, and a second result is left out`, () => {
    const {records: all, reader} = read(rollout(meta(), call(`a`, `x`, {}), output(`a`, `1`), output(`a`, `2`), call(`a`, `y`, {}), output(`a`, `3`), output(`z`, `4`)));
    expectSound(all);
    expect(all.map(record => `call` in record && record.call)).toEqual([`a`, `a`, `a~2`, `a~2`]);
    expect(reader.facts().repairs.map(({code}) => code)).toEqual([`second-result`, `duplicate-call`, `result-without-call`]);
  });
});

describe(`scripts`, () => {
  it(`that hand on something else than their command's output stay scripts`, () => {
    expect(brief(records(meta(), script(`a`, `…`), ran(`npm test`, `one\ntwo\n`), scriptOutput(`a`, `two\n`)))[0]).toBe(`other exec`);
    expect(brief(records(meta(), script(`a`, `…`), ran(`npm test`, `one\n`), ran(`ls`, `two\n`), scriptOutput(`a`, `one\n`)))[0]).toBe(`other exec`);
    expect(brief(records(meta(), script(`a`, `…`), scriptOutput(`a`, `one\n`)))[0]).toBe(`other exec`);
    const all = records(meta(), script(`a`, `…`), ran(`npm test`, `one\n`, 2), scriptOutput(`a`, `one\n`));
    expect(all).toMatchObject([{tool: `shell`, args: {command: `npm test`}}, {exitCode: 2, error: true}]);
  });

  it(`keep their place when something comes in between, or nothing any more`, () => {
    expect(brief(records(meta(), user(`go`), script(`a`, `…`), script(`b`, `…`), ran(`ls`, `x`), scriptOutput(`a`, `x`), scriptOutput(`b`, `y`)))).toEqual([
      `prompt go`, `other exec`, `other exec`, expect.stringContaining(`|x`), expect.stringContaining(`|y`),
    ]);
    expect(brief(records(meta(), user(`go`), script(`a`, `…`), event({type: `turn_aborted`, reason: `interrupted`})))).toEqual([`prompt go`, `other exec`, `interrupt`]);
    const {reader} = read(rollout(meta(), user(`go`), script(`a`, `…`)));
    expect(reader.facts().idle).toBe(false);
  });

  it(`keep the changes of several files`, () => {
    const change = (file: string) => event({type: `item_completed`, item: {type: `FileChange`, id: `exec-${file}`, status: `completed`, changes: {[`/home/alice/shop/${file}`]: {type: `add`, content: `x\n`}}}});
    const all = records(meta(), script(`a`, `…`), change(`one`), change(`two`), scriptOutput(`a`, `done`));
    expect(all[1]).toMatchObject({patch: [{path: `/home/alice/shop/one`, change: `add`, content: `x\n`}, {path: `/home/alice/shop/two`}]});
  });
});

describe(`what changes the history`, () => {
  it(`a rollback leaves the last turns`, () => {
    const all = records(meta(), user(`one`), assistant(`1`), user(`two`), call(`a`, `exec_command`, {cmd: `x`}), event({type: `thread_rolled_back`, num_turns: 1}), user(`two again`), assistant(`2`));
    expect(brief(all)).toContain(`branch after 1`);
    expect(brief(linearize(all))).toEqual([`prompt one`, `reply 1`, `prompt two again`, `reply 2`]);
    expect(brief(linearize(records(meta(), user(`one`), event({type: `thread_rolled_back`, num_turns: 5}), user(`two`))))).toEqual([`prompt two`]);
  });

  it(`a compaction without a list keeps what the person said`, () => {
    const all = records(meta(), user(`one`), assistant(`1`), {type: `compacted`, payload: {message: `In short`}}, user(`two`));
    expect(all[2]).toMatchObject({kind: `compaction`, summary: `In short`, keep: [0]});
  });

  it(`a compaction that only the provider can read is left out`, () => {
    const {records: all, reader} = read(rollout(meta(), user(`one`), {type: `compacted`, payload: {message: ``, replacement_history: [{type: `compaction`, encrypted_content: `x`}]}}, user(`two`)));
    expect(brief(sinceCompaction(all))).toEqual([`prompt one`, `note compacted`, `prompt two`]);
    expect(reader.facts().repairs).toMatchObject([{code: `compaction-unread`}]);
  });

  it(`an interruption is one, whether a message or an event or both say it`, () => {
    const message = user(`<turn_aborted>\nThe user interrupted the previous turn on purpose.\n</turn_aborted>`);
    const aborted = event({type: `turn_aborted`, reason: `interrupted`});
    for (const lines of [[message], [aborted], [message, aborted]])
      expect(brief(records(meta(), user(`one`), ...lines, user(`two`)))).toEqual([`prompt one`, `interrupt`, `prompt two`]);
    expect(records(meta(), user(`one`), call(`a`, `exec_command`, {cmd: `sleep`}), aborted).at(-1)).toMatchObject({kind: `interrupt`, during: `tool`});
  });

  it(`a name is a title`, () => {
    const {reader} = read(rollout(meta(), user(`one`), event({type: `thread_name_updated`, thread_name: `The till`})));
    expect(reader.facts().title).toBe(`The till`);
  });

  it(`further back than the state reaches is read in full`, () => {
    const lines = linesOf(rollout(meta(), ...Array.from({length: 600}, (_, index) => user(`prompt ${index}`)), event({type: `thread_rolled_back`, num_turns: 599})));
    const bounded = codex.source!.openReader({name: `x`, stream: `main`});
    for (const line of lines.slice(0, -1))
      bounded.push(line);
    expect(() => bounded.push(lines.at(-1)!)).toThrow(NeedsFullRead);
    const unbounded = codex.source!.openReader({name: `x`, stream: `main`}, undefined, {unbounded: true});
    expect(linearize(lines.flatMap(line => unbounded.push(line)))).toHaveLength(1);
  });
});

describe(`what is no session of a person`, () => {
  it(`a sub-agent's own file gives no records`, () => {
    expect(records(meta({source: {subagent: {thread_spawn: {}}}}), user(`work`))).toEqual([]);
    expect(records(meta({thread_source: `subagent`}), user(`work`))).toEqual([]);
  });

  it(`a state of another version asks for a full read`, () => {
    const reader = codex.source!.openReader({name: `x`, stream: `main`}, {v: 0});
    expect(() => reader.push(linesOf(rollout(meta()))[0]!)).toThrow(NeedsFullRead);
  });

  it(`the state stays small however long the session`, () => {
    const reader = codex.source!.openReader({name: `x`, stream: `main`});
    const lines = [meta(), ...Array.from({length: 4_000}, (_, index) => [user(`p ${index} ${`x`.repeat(500)}`), call(`c${index}`, `exec_command`, {cmd: `x`.repeat(500)}), output(`c${index}`, `y`.repeat(2_000))]).flat()];
    for (const line of linesOf(rollout(...lines.map((line, ordinal) => ({ordinal, ...line})))))
      reader.push(line);
    expect(JSON.stringify(reader.save()).length).toBeLessThan(600_000);
  });
});
