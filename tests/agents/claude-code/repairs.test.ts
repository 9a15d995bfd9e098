import {describe, expect, it}                    from 'vitest';

import {openReader}                              from '../../../sources/agents/claude-code/read.ts';
import {MISSING_RESULT}                          from '../../../sources/interchange/index.ts';
import type {Json, JsonObject}                   from '../../../sources/interchange/index.ts';

import {attachment, call, meta, prompt, reply, result, system} from './_lines.ts';
import {linesOf, outline, read, text, valueLines} from './_read.ts';

function readValues(values: Array<JsonObject>) {
  const lines = valueLines(values);
  const {records, reader} = read(lines);
  return {records, outline: outline(records).filter(line => !line.startsWith(`model`)), codes: reader.facts().repairs.map(({code}) => code), facts: reader.facts(), lines};
}

describe(`calls without results`, () => {
  it(`get one before the next prompt`, () => {
    const {records, outline, facts, lines} = readValues([prompt(`P1`, null), call(`C1`, `P1`, `t1`), prompt(`P2`, `C1`)]);
    expect(outline).toEqual([`prompt: P1`, `call Bash as shell`, `result (error) (healed): ${MISSING_RESULT}`, `prompt: P2`]);
    expect(records[3]).toEqual({seq: 3, kind: `result`, call: `t1`, content: [{type: `text`, text: MISSING_RESULT}], error: true, healed: true});
    expect(facts.repairs).toEqual([{code: `missing-result`, message: expect.any(String), at: lines[2]!.offset}]);
  });

  it(`get one before the next answer, but not before more of the same`, () => {
    expect(readValues([prompt(`P1`, null), call(`C1`, `P1`, `t1`, {message: `M`}), call(`C2`, `C1`, `t2`, {message: `M`}), result(`T1`, `C1`, `t1`), reply(`R`, `T1`)]).outline).toEqual([
      `prompt: P1`, `call Bash as shell`, `call Bash as shell`, `result: out of t1`, `result (error) (healed): ${MISSING_RESULT}`, `reply (final): R`,
    ]);
  });

  it(`stay open at the end of the file, and the turn with them`, () => {
    const {outline, codes, facts} = readValues([prompt(`P1`, null), call(`C1`, `P1`, `t1`)]);
    expect(outline).toEqual([`prompt: P1`, `call Bash as shell`]);
    expect({codes, idle: facts.idle}).toEqual({codes: [], idle: false});
  });

  it(`wait through notes and interruptions`, () => {
    const {outline, codes} = readValues([
      prompt(`P1`, null), call(`C1`, `P1`, `t1`), meta(`N`, `C1`, `a skill`), prompt(`I`, `N`, `[Request interrupted by user for tool use]`), result(`T1`, `C1`, `t1`), prompt(`P2`, `T1`),
    ]);
    expect(outline).toEqual([`prompt: P1`, `call Bash as shell`, `visible note: meta`, `interrupt during tool`, `result: out of t1`, `prompt: P2`]);
    expect(codes).toEqual([]);
  });

  it(`do not take a result that comes after all`, () => {
    const {outline, codes} = readValues([prompt(`P1`, null), call(`C1`, `P1`, `t1`), prompt(`P2`, `C1`), result(`T1`, `C1`, `t1`), reply(`R`, `P2`)]);
    expect(outline).toEqual([`prompt: P1`, `call Bash as shell`, `result (error) (healed): ${MISSING_RESULT}`, `prompt: P2`, `reply (final): R`]);
    expect(codes).toEqual([`missing-result`, `late-result`]);
  });

  it(`of the other process are left to it`, () => {
    const {outline, codes} = readValues([prompt(`P1`, null), reply(`R1`, `P1`), prompt(`P2a`, `R1`), call(`C1`, `P2a`, `t1`), prompt(`P2b`, `R1`), result(`T1`, `C1`, `t1`), reply(`R2a`, `T1`)]);
    expect(outline.slice(3)).toEqual([
      `call Bash as shell`, `branch from 2: edited prompt`, `prompt: P2b`, `branch from 4: other branch`, `result: out of t1`, `reply (final): R2a`,
    ]);
    expect(codes).toEqual([]);
  });

  it(`cannot be more than a bounded state holds`, () => {
    const values = [prompt(`P1`, null)];
    for (let at = 0; at < 300; at++)
      values.push(call(`C${at}`, at === 0 ? `P1` : `C${at - 1}`, `t${at}`, {message: `M`, name: `ExitPlanMode`, input: {plan: `x`.repeat(5000)}}));
    const {reader, records} = read(valueLines(values));
    expect(JSON.stringify(reader.save()).length).toBeLessThan(200_000);
    expect(records.filter(record => record.kind === `result`)).toHaveLength(100);
  });
});

describe(`ids that come again`, () => {
  it(`of calls are made unique, and each result finds its call`, () => {
    const {records, codes} = readValues([
      prompt(`P1`, null), call(`C1`, `P1`, `t1`), result(`T1`, `C1`, `t1`, {content: `one`}), call(`C2`, `T1`, `t1`), result(`T2`, `C2`, `t1`, {content: `two`}), call(`C3`, `T2`, `t1`), result(`T3`, `C3`, `t1`, {content: `three`}),
    ]);
    expect(records.flatMap(record => record.kind === `call` ? [record.call] : record.kind === `result` ? [`${record.call}=${text(record.content)}`] : [])).toEqual([`t1`, `t1=one`, `t1~2`, `t1~2=two`, `t1~3`, `t1~3=three`]);
    expect(codes).toEqual([`duplicate-call`, `duplicate-call`]);
  });

  it(`of lines are left out`, () => {
    const {outline, codes} = readValues([prompt(`P1`, null), reply(`R1`, `P1`), prompt(`P1`, null, `again`), prompt(`P2`, `R1`)]);
    expect(outline).toEqual([`prompt: P1`, `reply (final): R1`, `prompt: P2`]);
    expect(codes).toEqual([`duplicate-line`]);
  });

  it(`a second result and one without a call are left out`, () => {
    const {outline, codes} = readValues([prompt(`P1`, null), call(`C1`, `P1`, `t1`), result(`T1`, `C1`, `t1`), result(`T2`, `C1`, `t1`), result(`T3`, `C1`, `t9`), reply(`R`, `T1`)]);
    expect(outline).toEqual([`prompt: P1`, `call Bash as shell`, `result: out of t1`, `reply (final): R`]);
    expect(codes).toEqual([`second-result`, `result-without-call`]);
  });
});

describe(`lines that are broken`, () => {
  it(`are left out and named by their place`, () => {
    const lines = linesOf(`${JSON.stringify(prompt(`P1`, null))}\n{"type":"user","uu\n\n   \n[1]\n42\n${JSON.stringify(reply(`R1`, `P1`))}`);
    const {records, reader} = read(lines);
    expect(outline(records)).toEqual([`prompt: P1`, `model: m`, `reply (final): R1`]);
    expect(reader.facts().repairs).toEqual([1, 4, 5].map(index => ({code: `bad-line`, message: expect.any(String), at: lines[index]!.offset})));
  });

  it(`that were too long to be read are named`, () => {
    const {reader} = read([{value: undefined, text: ``, offset: 0, length: 300 << 20}]);
    expect(reader.facts().repairs).toMatchObject([{code: `bad-line`, at: 0}]);
  });

  it(`by the thousand are counted`, () => {
    const {reader} = read(linesOf(`junk\n`.repeat(5000)));
    const {repairs} = reader.facts();
    expect(repairs).toHaveLength(101);
    expect(repairs.at(-1)).toMatchObject({code: `bad-line`, count: 4900});
  });

  it(`without content, uuid or parent find a place`, () => {
    const {outline, codes} = readValues([
      prompt(`P1`, null), {type: `user`, uuid: `X`, parentUuid: `P1`}, {type: `assistant`, uuid: `Y`, parentUuid: `X`, message: 7}, reply(`R1`, `Y`),
      {type: `user`, parentUuid: `R1`, message: {role: `user`, content: `no uuid`}}, {type: `user`, uuid: `Z`, message: {role: `user`, content: `no parent`}}, prompt(`P2`, `nowhere`),
    ]);
    expect(outline).toEqual([`prompt: P1`, `reply (final): R1`, `prompt: no uuid`, `prompt: no parent`, `prompt: P2`]);
    expect(codes).toEqual([`bad-message`, `no-parent`, `unknown-parent`]);
  });

  it(`with keys of many kinds do not fill the state`, () => {
    const values: Array<Json> = [];
    for (let at = 0; at < 600; at++)
      values.push({type: `kind-${at}-${`x`.repeat(500)}`}, prompt(`${at}-`.padEnd(1000, `u`), null, `x`), call(`c${at}-`.padEnd(1000, `c`), `${at}-`.padEnd(1000, `u`), `${at}-`.padEnd(1000, `t`), {message: `m`.repeat(1000)}));
    const {reader} = read(valueLines(values));
    expect(JSON.stringify(reader.save()).length).toBeLessThan(200_000);
    expect(Object.keys(reader.facts().ignored).length).toBeLessThanOrEqual(101);
  });
});

describe(`user lines that nobody typed`, () => {
  it.each<[string, JsonObject, string]>([
    [`<command-name>/review</command-name>`, {}, `visible note: local-command`],
    [`<command-message>review</command-message>`, {}, `visible note: local-command`],
    [`<local-command-stdout>done</local-command-stdout>`, {}, `visible note: local-command`],
    [`<local-command-caveat>…</local-command-caveat>`, {isMeta: true}, `visible note: local-command`],
    [`<bash-input>ls</bash-input>`, {}, `visible note: shell-mode`],
    [`<bash-stdout>x</bash-stdout><bash-stderr></bash-stderr>`, {}, `visible note: shell-mode`],
    [`Stop hook feedback:\nmore`, {isMeta: true}, `visible note: hook-feedback`],
    [`Base directory for this skill: /x`, {isMeta: true}, `visible note: meta`],
    [`<system-reminder>\nx\n</system-reminder>`, {isMeta: true}, `note: reminder`],
    [`<task-notification>x</task-notification>`, {origin: {kind: `task-notification`}}, `visible note: task-notification`],
    [`a message`, {origin: {kind: `peer`}}, `visible note: peer`],
    [`[Request interrupted by user]`, {}, `interrupt during reply`],
    [`[Request interrupted by user for tool use]`, {}, `interrupt during tool`],
    [`only shown`, {isVisibleInTranscriptOnly: true}, `note: transcript-only`],
    [`fix <b>this</b>`, {promptSource: `sdk`}, `prompt: fix <b>this</b>`],
    [`from an old version`, {}, `prompt: from an old version`],
  ])(`%s`, (content, more, expected) => {
    const {records} = read(valueLines([{type: `user`, uuid: `U`, parentUuid: null, message: {role: `user`, content}, ...more}]));
    expect(records).toHaveLength(1);
    const [record] = records;
    expect(outline(records)[0] ?? `note: ${record!.kind === `note` ? record!.what : ``}`).toBe(expected);
    if (record!.kind === `note` && record!.visible)
      expect(record!.text).toBe(content);
  });

  it(`what a hook gave the model is visible, what it only printed is not`, () => {
    const shown = [{content: `<system-reminder>\nremember the tests\n</system-reminder>`}];
    const {records} = read(valueLines([
      prompt(`P1`, null), attachment(`A1`, `P1`, {type: `hook_success`, stdout: `quiet`}), attachment(`A2`, `A1`, {type: `hook_additional_context`}, {rendered: shown}), reply(`R`, `A2`),
    ]));
    expect(records.filter(record => record.kind === `note`)).toMatchObject([{what: `hook_success`, bytes: expect.any(Number)}, {what: `hook_additional_context`, visible: true, text: `remember the tests`}]);
  });

  it(`images stay in their prompt`, () => {
    const image = {type: `image`, source: {type: `base64`, media_type: `image/png`, data: `AAAA`}};
    const {records} = read(valueLines([prompt(`P1`, null, [{type: `text`, text: `look`}, image, {type: `document`, title: `x`}])]));
    expect(records[0]).toMatchObject({content: [{type: `text`, text: `look`}, {type: `image`, mediaType: `image/png`, data: `AAAA`}, {type: `other`, name: `document`, value: {type: `document`, title: `x`}}]});
  });
});

describe(`tools`, () => {
  const args = (name: string, input: Json) => {
    const record = read(valueLines([call(`C`, null, `t`, {name, input})])).records.find(one => one.kind === `call`)!;
    return record.kind === `call` ? [record.tool, record.args, record.input] : [];
  };

  it.each<[string, Json, string, unknown]>([
    [`Bash`, {command: `ls`, timeout: 1000, run_in_background: true, description: `d`}, `shell`, {command: `ls`, timeoutMs: 1000, background: true}],
    [`Read`, {file_path: `/a`, offset: 2, limit: 3}, `read`, {path: `/a`, offset: 2, limit: 3}],
    [`Edit`, {file_path: `/a`, old_string: `x`, new_string: `y`, replace_all: true}, `edit`, {path: `/a`, edits: [{old: `x`, new: `y`, all: true}]}],
    [`MultiEdit`, {file_path: `/a`, edits: [{old_string: `x`, new_string: `y`}]}, `edit`, {path: `/a`, edits: [{old: `x`, new: `y`}]}],
    [`Write`, {file_path: `/a`, content: `c`}, `write`, {path: `/a`, content: `c`}],
    [`Grep`, {pattern: `p`, path: `/a`, glob: `*.ts`, output_mode: `content`}, `search`, {pattern: `p`, path: `/a`, glob: `*.ts`, mode: `content`}],
    [`Grep`, {pattern: `p`}, `search`, {pattern: `p`, mode: `files`}],
    [`Glob`, {pattern: `*.ts`}, `search`, {pattern: `*.ts`, glob: `*.ts`, mode: `files`}],
    [`WebFetch`, {url: `https://example.org`, prompt: `p`}, `fetch`, {url: `https://example.org`, prompt: `p`}],
    [`WebSearch`, {query: `q`}, `fetch`, {query: `q`}],
    [`TodoWrite`, {todos: [{content: `a`, status: `in_progress`, activeForm: `b`}]}, `plan`, {items: [{step: `a`, status: `in_progress`}]}],
    [`ExitPlanMode`, {plan: `p`}, `plan`, {text: `p`}],
    [`ExitPlanMode`, {}, `plan`, {}],
    [`Task`, {prompt: `p`, description: `d`, subagent_type: `Explore`}, `agent`, {prompt: `p`, description: `d`, role: `Explore`}],
    [`mcp__a_b__c__d`, {x: 1}, `mcp`, {server: `a_b`, tool: `c__d`, arguments: {x: 1}}],
    [`AskUserQuestion`, {questions: []}, `ask`, undefined],
    [`NotebookEdit`, {notebook_path: `/a`}, `other`, undefined],
    [`Bash`, {command: 7}, `other`, undefined],
    [`Edit`, {file_path: `/a`}, `other`, undefined],
    [`MultiEdit`, {file_path: `/a`, edits: [1]}, `other`, undefined],
    [`TodoWrite`, {todos: `a`}, `other`, undefined],
    [`Read`, `text`, `other`, undefined],
    [`Write`, null, `other`, undefined],
  ])(`%s %j`, (name, input, tool, expected) => {
    expect(args(name, input)).toEqual([tool, expected, input]);
  });

  const answer = (name: string, more: {[key: string]: Json}, input: Json = {command: `x`}) =>
    read(valueLines([call(`C`, null, `t`, {name, input}), result(`T`, `C`, `t`, more)])).records.filter(record => record.kind === `result` || record.kind === `plan`);

  it(`know the exit code only where it is known`, () => {
    const code = (more: {[key: string]: Json}) => (answer(`Bash`, more)[0] as {exitCode?: number}).exitCode;
    expect(code({detail: {stdout: ``}})).toBe(0);
    expect(code({content: `Exit code 127\nno`, error: true, detail: `Error: Exit code 127`})).toBe(127);
    expect(code({content: `timed out`, error: true})).toBeUndefined();
    expect(code({detail: {stdout: ``, backgroundTaskId: `b1`}})).toBeUndefined();
    expect(code({detail: {stdout: ``, returnCodeInterpretation: `No matches found`}})).toBeUndefined();
    expect(code({detail: {stdout: ``, interrupted: true}})).toBeUndefined();
    expect(code({})).toBeUndefined();
  });

  it(`say their plan`, () => {
    const todos = [{content: `a`, status: `completed`, activeForm: `x`}];
    expect(answer(`TodoWrite`, {detail: {newTodos: todos}}, {todos: []})[1]).toMatchObject({kind: `plan`, items: [{step: `a`, status: `completed`}]});
    expect(answer(`TodoWrite`, {}, {todos})[1]).toMatchObject({kind: `plan`, items: [{step: `a`, status: `completed`}]});
    expect(answer(`ExitPlanMode`, {detail: {plan: `of the file`}}, {plan: `typed`})[1]).toMatchObject({kind: `plan`, text: `of the file`});
    expect(answer(`ExitPlanMode`, {error: true}, {plan: `refused`})).toHaveLength(1);
  });

  it(`keep tasks over many calls and restarts`, () => {
    const values = [
      call(`C1`, null, `t1`, {name: `TaskCreate`, input: {subject: `one`}}), result(`T1`, `C1`, `t1`, {detail: {task: {id: `1`}}}),
      call(`C2`, `T1`, `t2`, {name: `TaskCreate`, input: {subject: `two`}}), result(`T2`, `C2`, `t2`, {detail: {task: {id: `2`}}}),
      call(`C3`, `T2`, `t3`, {name: `TaskUpdate`, input: {taskId: `1`, status: `in_progress`, subject: `first`}}), result(`T3`, `C3`, `t3`, {detail: {success: true}}),
      call(`C4`, `T3`, `t4`, {name: `TaskUpdate`, input: {taskId: `2`, status: `deleted`}}), result(`T4`, `C4`, `t4`, {detail: {success: true}}),
    ];
    let reader = openReader({name: `transcript.jsonl`, stream: `main`});
    const plans: Array<string> = [];
    for (const line of valueLines(values)) {
      plans.push(...outline(reader.push(line)).filter(one => one.startsWith(`plan`)));
      reader = openReader({name: `transcript.jsonl`, stream: `main`}, reader.save());
    }
    expect(plans).toEqual([`plan: one pending`, `plan: one pending, two pending`, `plan: first in_progress, two pending`, `plan: first in_progress`]);
  });
});

describe(`what changes`, () => {
  it(`the model, the folder and the branch are said once each`, () => {
    const {records} = readValues([
      {...prompt(`P1`, null), cwd: `/a`, gitBranch: `main`}, {...reply(`R1`, `P1`), cwd: `/a`, gitBranch: `main`},
      {...prompt(`P2`, `R1`), cwd: `/a/b`, gitBranch: `main`}, {...reply(`R2`, `P2`, `x`, {model: `n`}), cwd: `/a/b`, gitBranch: `other`}, {...reply(`R3`, `R2`, `y`, {model: `<synthetic>`}), cwd: `/a/b`, gitBranch: `HEAD`},
    ]);
    expect(records.flatMap(record => record.cwd === undefined ? [] : [[record.seq, record.cwd]])).toEqual([[0, `/a`], [3, `/a/b`]]);
    expect(records.flatMap(record => record.head === undefined ? [] : [[record.seq, record.head.branch]])).toEqual([[0, `main`], [4, `other`]]);
    expect(records.flatMap(record => record.kind === `model` ? [record.model] : [])).toEqual([`m`, `n`]);
  });

  it(`a title of the person's own goes before one that was made up`, () => {
    const title = (type: string, key: string, value: string): JsonObject => ({type, [key]: value});
    expect(readValues([
      title(`ai-title`, `aiTitle`, `made up`), title(`ai-title`, `aiTitle`, `made up`), title(`custom-title`, `customTitle`, `mine`), title(`ai-title`, `aiTitle`, `made up again`), title(`custom-title`, `customTitle`, ` `), title(`custom-title`, `customTitle`, `mine too`),
      {type: `summary`, summary: `of another session`, leafUuid: `elsewhere`},
    ]).outline).toEqual([`title (generated): made up`, `title (custom): mine`, `title (custom): mine too`]);
  });

  it(`an answer of old versions, whose stop reason is always null, is whole`, () => {
    expect(readValues([reply(`R1`, null, `old`, {stop_reason: null}), {...reply(`R2`, `R1`, `new`, {stop_reason: null}), apiBlockIndex: 0}, system(`S`, `R2`)])).toMatchObject({outline: [`reply: old`, `reply (partial): new`], facts: {idle: true}});
  });

  it(`a failure of the model's service ends the turn`, () => {
    expect(readValues([prompt(`P`, null), {...reply(`R`, `P`, `API Error: 500`, {stop_reason: null}), isApiErrorMessage: true}])).toMatchObject({outline: [`prompt: P`, `reply (error): API Error: 500`], facts: {idle: true}});
  });
});
