import {describe, expect, it}                       from 'vitest';

import type {Unplaced}                              from '../../../sources/interchange/index.ts';

import {historyOf, open, parse, place, prompt, reply, result, shell, target, write} from './_session.ts';

const call = (id: string, tool: string, name: string, args: unknown, input: unknown = {}): Unplaced => ({kind: `call`, call: id, tool, name, args, input}) as Unplaced;

describe(`lines`, () => {
  it(`are what Qwen Code itself would write`, () => {
    const {text, lines} = write(prompt(`Hi`), reply(`Hello.`));
    expect(open().begin()).toBe(``);
    expect(text.split(`\n`)[0]).toBe(`{"uuid":"${lines[0]!.uuid}","parentUuid":null,"sessionId":"${target.id}","timestamp":"2026-11-20T10:00:00.000Z","type":"user","provenance":"real_user","cwd":"/home/alice/shop","version":"0.24.4","message":{"role":"user","parts":[{"text":"Hi"}]}}`);
    expect(lines[1]).toMatchObject({parentUuid: lines[0]!.uuid, type: `assistant`, provenance: `assistant_output`, timestamp: `2026-11-20T10:00:01.000Z`, message: {role: `model`, parts: [{text: `Hello.`}]}});
    expect(lines[0]).not.toHaveProperty(`gitBranch`);
  });

  it(`name the branch where it is known, and keep the last time where a record has none`, () => {
    const writer = open(undefined, {header: {...target.header, branch: `main`}});
    const [, last] = parse(place(prompt(`Hi`), {...reply(`x`), time: undefined} as Unplaced).map(record => writer.push(record)).join(``));
    expect(last).toMatchObject({gitBranch: `main`, timestamp: `2026-11-20T10:00:00.000Z`});
    expect(parse(open().push({seq: 0, kind: `prompt`, content: [{type: `text`, text: `x`}]}))[0]!.timestamp).toBe(`2026-11-20T10:00:00.000Z`);
  });

  it(`have no halves of surrogate pairs`, () => {
    expect(write(prompt(`a\ud800b`)).lines[0]!.message!.parts).toEqual([{text: `a\ufffdb`}]);
  });
});

describe(`what the model says in one go`, () => {
  it(`is one message, whatever pieces it comes in`, () => {
    const {lines} = write(prompt(`Go`), reply(`One.`), reply(`Two.`), shell(`a`), shell(`b`));
    expect(new Set(lines.slice(1).map(({uuid}) => uuid)).size).toBe(1);
    expect(new Set(lines.slice(1).map(({parentUuid}) => parentUuid))).toEqual(new Set([lines[0]!.uuid]));
    expect(historyOf(lines)[1]!.parts.map(part => part.text ?? part.functionCall.id)).toEqual([`One.`, `\n\nTwo.`, `a`, `b`]);
  });

  it(`stays one as long as results are to come, and the end of the file stays the end`, () => {
    const {lines} = write(prompt(`Go`), shell(`a`), shell(`b`), result(`a`, `A`), shell(`c`), result(`b`, `B`), result(`c`, `C`), reply(`Done.`));
    expect(historyOf(lines).map(({parts}) => parts.map(part => part.text ?? part.functionCall?.id ?? part.functionResponse.response.output))).toEqual([
      [`Go`], [`a`, `b`, `c`], [`A`], [`B`], [`C`], [`Done.`],
    ]);
    const open = write(prompt(`Go`), shell(`a`), shell(`b`), result(`a`, `A`), shell(`c`));
    expect(open.lines.at(-1)).toMatchObject({type: `system`, parentUuid: open.lines.find(({type}) => type === `tool_result`)!.uuid});
    expect(historyOf(open.lines)).toHaveLength(3);
  });

  it(`is a new one after results, and after a person's words`, () => {
    const {lines} = write(prompt(`Go`), shell(`a`), result(`a`, `A`), reply(`x`), prompt(`And`), reply(`y`));
    expect(historyOf(lines).map(({role}) => role)).toEqual([`user`, `model`, `user`, `model`, `user`, `model`]);
    expect(historyOf(lines).at(-1)!.parts).toEqual([{text: `y`}]);
  });

  it(`leaves another agent's thinking out, and keeps its own`, () => {
    const thinking: Unplaced = {kind: `reasoning`, text: `Hm.`};
    expect(write(prompt(`Go`), thinking).report).toMatchObject({kept: 1, dropped: 1});
    const own = open(undefined, {header: {...target.header, agent: {id: `qwen`, nativeId: `x`}}});
    expect(parse(place(prompt(`Go`), thinking).map(record => own.push(record)).join(``))[1]!.message!.parts).toEqual([{text: `Hm.`, thought: true}]);
  });
});

describe(`calls`, () => {
  it.each([
    [`shell`, {command: `ls`, timeoutMs: 5}, {command: `ls`, description: `List`}, `run_shell_command`, {command: `ls`, description: `List`, is_background: false, timeout: 5}],
    [`shell`, {command: `x`, workdir: `/w`, background: true}, {}, `run_shell_command`, {command: `x`, is_background: true, directory: `/w`}],
    [`read`, {path: `/a`, offset: 3, limit: 9}, {}, `read_file`, {file_path: `/a`, offset: 3, limit: 9}],
    [`edit`, {path: `/a`, edits: [{old: `x`, new: `y`, all: true}]}, {}, `edit`, {file_path: `/a`, old_string: `x`, new_string: `y`, replace_all: true}],
    [`write`, {path: `/a`, content: `x`}, {}, `write_file`, {file_path: `/a`, content: `x`}],
    [`search`, {pattern: `x`, path: `/a`, glob: `*.js`, mode: `content`}, {}, `grep_search`, {pattern: `x`, path: `/a`, glob: `*.js`}],
    [`search`, {pattern: `*.js`, glob: `*.js`, mode: `files`}, {}, `glob`, {pattern: `*.js`}],
    [`fetch`, {url: `https://example.org`, prompt: `p`}, {}, `web_fetch`, {url: `https://example.org`, prompt: `p`}],
    [`fetch`, {query: `q`}, {}, `web_search`, {query: `q`}],
    [`plan`, {items: [{step: `s`, status: `pending`}]}, {}, `todo_write`, {todos: [{id: `1`, content: `s`, status: `pending`}]}],
    [`plan`, {text: `t`}, {}, `exit_plan_mode`, {plan: `t`}],
    [`agent`, {prompt: `p`, description: `d`, role: `r`}, {}, `agent`, {description: `d`, prompt: `p`, subagent_type: `r`}],
    [`mcp`, {server: `s`, tool: `t`, arguments: {a: 1}}, {}, `mcp__s__t`, {a: 1}],
    [`other`, undefined, {deep: [1, {x: `"`}]}, `Weird`, {deep: [1, {x: `"`}]}],
    [`ask`, undefined, {questions: []}, `Weird`, {questions: []}],
  ])(`of %s %o become its own tool`, (tool, args, input, name, written) => {
    const {lines, report} = write(prompt(`Go`), call(`c`, tool, `Weird`, args, input));
    expect(lines[1]!.message!.parts).toEqual([{functionCall: {id: `c`, name, args: written}}]);
    expect(report).toMatchObject({kept: 2, reduced: 0});
  });

  it(`stand under their own name where it has none, and say so`, () => {
    const {lines, report} = write(prompt(`Go`), call(`c`, `edit`, `MultiEdit`, {path: `/a`, edits: [{old: `x`, new: `y`}, {old: `1`, new: `2`}]}, {file_path: `/a`}));
    expect(lines[1]!.message!.parts[0].functionCall).toEqual({id: `c`, name: `MultiEdit`, args: {file_path: `/a`}});
    expect(report.reduced).toBe(1);
    expect(write(prompt(`Go`), call(`c`, `other`, `ä b`, undefined, [1])).lines[1]!.message!.parts[0].functionCall).toEqual({id: `c`, name: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), args: {input: [1]}});
  });

  it(`name the folder that the source was in, where it is another one`, () => {
    const {lines} = write({...prompt(`Go`), cwd: `/home/alice/shop/sub`} as Unplaced, shell(`c`));
    expect(lines[1]!.message!.parts[0].functionCall.args.directory).toBe(`/home/alice/shop/sub`);
  });

  it(`that nothing answered are closed before the next prompt, and at the end`, () => {
    const {lines, report} = write(prompt(`Go`), shell(`a`), prompt(`Next`), result(`a`, `late`));
    expect(lines.map(({type}) => type)).toEqual([`user`, `assistant`, `tool_result`, `user`]);
    expect(report.items).toEqual([expect.objectContaining({kind: `result`, outcome: `dropped`, reason: `came when its call had been given up`})]);
    const writer = open();
    place(prompt(`Go`), shell(`a`)).forEach(record => writer.push(record));
    expect(parse(writer.end())[0]!.toolCallResult).toMatchObject({callId: `a`, status: `error`});
  });
});

describe(`results`, () => {
  const one = (more: {[key: string]: unknown}, text = `out`) => write(prompt(`Go`), shell(`a`), result(`a`, text, more)).lines[2]!;

  it(`say how it went`, () => {
    expect(one({})).toMatchObject({
      type: `tool_result`, provenance: `tool_result`, message: {role: `user`, parts: [{functionResponse: {id: `a`, name: `run_shell_command`, response: {output: `out`}}}]},
      toolCallResult: {callId: `a`, status: `success`, resultDisplay: `out`, executionStatus: `success`},
    });
    expect(one({error: true})).toMatchObject({message: {parts: [{functionResponse: {response: {error: `out`}}}]}, toolCallResult: {status: `error`}});
    expect(one({error: true, denied: true}).toolCallResult.status).toBe(`cancelled`);
    expect(one({error: true}, ``).message!.parts[0].functionResponse.response).toEqual({output: ``});
    expect(one({patch: [{path: `a.js`, change: `update`, diff: `@@ -1 +1 @@\n-a\n+b\n`}]}).toolCallResult.resultDisplay).toBe(`a.js\n@@ -1 +1 @@\n-a\n+b\n`);
  });

  it(`that are too long are cut in the middle, and say where the whole is`, () => {
    const text = `${`a`.repeat(500_000)}${`z`.repeat(500_000)}`;
    const {lines, report} = write(prompt(`Go`), shell(`a`), result(`a`, text, {full: {path: `/home/alice/out.txt`}}));
    const {output} = lines[2]!.message!.parts[0].functionResponse.response;
    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(100_000);
    expect(output).toMatch(/^a+\n\[… session-sync cut \d+ bytes out here, because one output may have 100000 at most; the whole output lies in \/home\/alice\/out\.txt …\]\nz+$/);
    expect(report.reduced).toBe(1);
  });

  it(`keep their images`, () => {
    const {lines} = write(prompt(`Go`), shell(`a`), {kind: `result`, call: `a`, content: [{type: `text`, text: `see`}, {type: `image`, mediaType: `image/png`, data: `AAAA`}]});
    expect(lines[2]!.message!.parts[0].functionResponse).toMatchObject({response: {output: `see`}, parts: [{inlineData: {mimeType: `image/png`, data: `AAAA`}}]});
  });
});

describe(`what else a model is told`, () => {
  it(`stands where it was said`, () => {
    const {lines} = write(prompt(`Go`), shell(`a`), {kind: `prompt`, midTurn: true, content: [{type: `text`, text: `Hurry`}]}, result(`a`, `A`), {kind: `interrupt`, during: `reply`}, {kind: `note`, what: `x`, visible: true, text: `said`}, {kind: `note`, what: `y`, bytes: 3});
    expect(lines.map(({type, subtype, provenance}) => [type, subtype, provenance])).toEqual([
      [`user`, undefined, `real_user`], [`assistant`, undefined, `assistant_output`], [`user`, `mid_turn_user_message`, `real_user`],
      [`tool_result`, undefined, `tool_result`], [`user`, `notification`, `system`], [`user`, `notification`, `system`],
    ]);
    expect(lines[2]!.systemPayload).toEqual({displayText: `Hurry`});
  });

  it(`of images goes with the prompt; those that are not at hand are named`, () => {
    const {lines, report} = write({kind: `prompt`, content: [{type: `image`, mediaType: `image/png`, data: `AAAA`}, {type: `image`, mediaType: `image/png`, bytes: 12}]});
    expect(lines[0]!.message!.parts).toEqual([{inlineData: {mimeType: `image/png`, data: `AAAA`}}, {text: `[image: image/png, 12 bytes; not carried over]`}]);
    expect(report.reduced).toBe(1);
  });
});

describe(`a compaction`, () => {
  it(`puts summary and what is kept in place of what was before`, () => {
    const {lines, report} = write(prompt(`Old`), reply(`old`), shell(`a`), result(`a`, `A`), prompt(`Kept`), {kind: `compaction`, summary: `SUM`, keep: [2, 3, 4], tokensBefore: 9}, prompt(`New`));
    const history = historyOf(lines);
    expect(history[0]!.parts[0].text).toMatch(/^SUM\n\nResume the prior task/);
    expect(history.slice(1).map(({role, parts}) => [role, parts[0].text ?? parts[0].functionCall?.id ?? parts[0].functionResponse.id])).toEqual([
      [`model`, `Got it. Thanks for the additional context!`], [`model`, `a`], [`user`, `a`], [`user`, `Kept`], [`user`, `New`],
    ]);
    expect(lines.find(({subtype}) => subtype === `chat_compression`)!.systemPayload.info).toEqual({originalTokenCount: 9, newTokenCount: 0, compressionStatus: 1});
    expect(report).toMatchObject({kept: 7, reduced: 0, dropped: 0});
  });

  it(`tears no pair of call and result`, () => {
    const {lines, report} = write(prompt(`Old`), shell(`a`), result(`a`, `A`), shell(`b`), {kind: `compaction`, summary: `SUM`, keep: [2]}, result(`b`, `B`));
    expect(JSON.stringify(historyOf(lines))).not.toMatch(/functionCall|functionResponse/);
    expect(report.items).toEqual([expect.objectContaining({kind: `result`, outcome: `dropped`})]);
    const kept = write(prompt(`Old`), shell(`b`), {kind: `compaction`, summary: `SUM`, keep: [1]}, result(`b`, `B`));
    expect(historyOf(kept.lines).slice(2).map(({parts}) => Object.keys(parts[0])[0])).toEqual([`functionCall`, `functionResponse`]);
  });

  it(`says when what it keeps is too far back`, () => {
    const {report} = write(prompt(`Old`), reply(`x`.repeat(200_000)), {kind: `compaction`, summary: `SUM`, keep: [1]}, prompt(`New`));
    expect(report.items).toEqual([expect.objectContaining({kind: `compaction`, outcome: `reduced`, seq: 2})]);
  });
});

describe(`the title`, () => {
  const titles = (text: string) => parse(text).filter(({subtype}) => subtype === `custom_title`).map(({systemPayload}) => systemPayload);

  it(`is written when it comes and when it changes; a person's own stays`, () => {
    const {text, writer} = write({kind: `title`, title: `Made up`, origin: `generated`}, prompt(`Go`), {kind: `title`, title: `Mine\u001b[31m\n`, origin: `custom`}, {kind: `title`, title: `Other`, origin: `generated`});
    expect(titles(text)).toEqual([{customTitle: `Made up`, titleSource: `auto`}, {customTitle: `Mine`, titleSource: `manual`}]);
    expect(writer.title()).toBe(`Mine`);
  });

  it(`always stands in the last 64 KB`, () => {
    const records: Array<Unplaced> = [{kind: `title`, title: `T`, origin: `custom`}, prompt(`Go`)];
    for (let index = 0; index < 20; index++)
      records.push(shell(`c${index}`), result(`c${index}`, `日`.repeat(index * 1_500)));
    const {text, lines} = write(...records);
    for (const end of lines.map((_, index) => text.split(`\n`).slice(0, index + 1).join(`\n`)).filter(part => part.length > 0))
      expect(Buffer.from(end).subarray(-65_536 - 100_000).toString()).toContain(`"subtype":"custom_title"`);
    expect(Buffer.from(text).subarray(-65_536).toString()).toContain(`"subtype":"custom_title"`);
    historyOf(lines);
  });
});
