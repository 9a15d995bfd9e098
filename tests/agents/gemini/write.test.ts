import {describe, expect, it}                       from 'vitest';

import {contentsOf, open, parse, place, prompt, reply, result, shell, target, write} from './_session.ts';

const text = (lines: ReturnType<typeof contentsOf>) => lines.map(({role, parts}) => [role, ...parts.map(part =>
  part.functionCall ? `call ${part.functionCall.id}` : part.functionResponse ? `result ${part.functionResponse.id}` : part.text ?? `image`)]);

describe(`the first line`, () => {
  it(`names the session and the project, asks for no title, and has no time by which it could be deleted`, () => {
    expect(parse(open().begin())).toEqual([{
      sessionId: target.id,
      projectHash: `c3085d9538be063ae2e67b8d282452c63c80a1de85826e3c985963e5ff632a95`,
      startTime: `2026-11-20T10:00:00.000Z`,
      kind: `main`,
      memoryScratchpad: {version: 1},
    }]);
  });

  it(`has a fixed time where the begin is not known`, () => {
    const {created: _, ...header} = target.header;
    expect(parse(open(undefined, {header}).begin())[0]!.startTime).toBe(`2025-01-01T00:00:00.000Z`);
  });
});

describe(`prompts`, () => {
  it.each([`/home/alice/x is broken`, `? what`, `  /help`, `<session_context>x`, `<hook_context>`])(`%j reaches the model behind a part that nobody sees`, value => {
    const {contents} = write(prompt(value));
    expect(contents).toEqual([{role: `user`, parts: [{text: `\u200b`}, {text: value}]}]);
  });

  it.each([`! ls`, `@README.md`, `# heading`, `Größe, 日本語 👋🏽`, `a /b`])(`%j stays as it is`, value => {
    expect(write(prompt(value)).contents).toEqual([{role: `user`, parts: [{text: value}]}]);
  });

  it(`are left out when nothing is in them, and half a character becomes a whole one`, () => {
    expect(write(prompt(` \n`)).report.items).toMatchObject([{kind: `prompt`, outcome: `dropped`, reason: `empty`}]);
    expect(write(prompt(`a\ud800b`)).contents).toEqual([{role: `user`, parts: [{text: `a\ufffdb`}]}]);
  });

  it(`carry images that Gemini takes, and name the others`, () => {
    const {contents, report} = write({kind: `prompt`, content: [
      {type: `image`, mediaType: `image/png`, data: `QUJD`}, {type: `image`, mediaType: `image/gif`, data: `QUJD`, bytes: 3}, {type: `image`, mediaType: `image/png`},
    ]});
    expect(contents[0]!.parts).toEqual([
      {inlineData: {mimeType: `image/png`, data: `QUJD`}}, {text: `[image: image/gif, 3 bytes; not carried over]`}, {text: `[image: image/png; not carried over]`},
    ]);
    expect(report).toMatchObject({reduced: 1});
  });
});

describe(`the title`, () => {
  it(`is the first prompt on one line, since Gemini would show only its ASCII characters`, () => {
    expect(write(prompt(`Räum\n auf\u001b[31m, 日本語`), prompt(`b`)).lines.filter(line => line.$set)).toEqual([{$set: {summary: `Räum auf, 日本語`}}]);
  });

  it(`is the session's own as soon as it has one; one that a person gave stays`, () => {
    const {lines, writer} = write(
      prompt(`a`), {kind: `title`, title: `Generated`, origin: `generated`}, {kind: `title`, title: `Mine`, origin: `custom`}, {kind: `title`, title: `Later`, origin: `generated`},
    );
    expect(lines.flatMap(line => line.$set ? [line.$set.summary] : [])).toEqual([`a`, `Generated`, `Mine`]);
    expect(writer.title()).toBe(`Mine`);
  });
});

describe(`calls and results`, () => {
  it(`are parts; what the terminal shows stands beside them under other ids, and without results`, () => {
    const {lines} = write(prompt(`a`), reply(`Look.`, `m`), shell(`c1`, `ls`, `m`), result(`c1`, `out`));
    const messages = lines.filter(line => line.id !== undefined);
    const [, , call, drawn, answer] = messages;
    expect(call).toMatchObject({
      type: `gemini`,
      content: [{functionCall: {id: `c1`, name: `run_shell_command`, args: {command: `ls`}}, thoughtSignature: `skip_thought_signature_validator`}],
      displayContent: [{text: ` `}],
      toolCalls: [{id: `ui-c1`, displayName: `Shell`, description: `ls`, status: `success`, resultDisplay: ``}],
    });
    expect(drawn).toEqual({...call, toolCalls: [{...call!.toolCalls[0], resultDisplay: `out`}]});
    expect(answer).toMatchObject({type: `user`, content: [{functionResponse: {id: `c1`, name: `run_shell_command`, response: {output: `out`}}}], displayContent: [{text: ` `}]});
    expect(lines.some(line => line.toolCalls?.some((one: object) => `result` in one))).toBe(false);
  });

  it(`made at once are one message, and so are their results`, () => {
    const {contents} = write(prompt(`a`), reply(`Look.`, `m`), shell(`c1`, `ls`, `m`), shell(`c2`, `pwd`, `m`), result(`c2`, `two`), result(`c1`, `one`), reply(`Done.`, `n`));
    expect(text(contents)).toEqual([[`user`, `a`], [`model`, `Look.`, `call c1`, `call c2`], [`user`, `result c2`, `result c1`], [`model`, `Done.`]]);
    expect(contents[1]!.parts.map(part => part.thoughtSignature)).toEqual([undefined, `skip_thought_signature_validator`, undefined]);
  });

  it(`stand together also where results come before the model has finished asking`, () => {
    const {contents} = write(prompt(`a`), shell(`c1`, `1`, `m`), shell(`c2`, `2`, `m`), result(`c1`, `one`), shell(`c3`, `3`, `m`), reply(`And so on.`, `m`), result(`c2`, `two`), result(`c3`, `three`));
    expect(text(contents)).toEqual([[`user`, `a`], [`model`, `call c1`, `call c2`, `call c3`, `And so on.`], [`user`, `result c1`, `result c2`, `result c3`]]);
  });

  it(`survive a prompt in the middle of a turn`, () => {
    const {contents} = write(prompt(`a`), shell(`c1`, `1`), {...prompt(`Hurry`), midTurn: true} as never, result(`c1`, `one`), reply(`Yes.`));
    expect(text(contents)).toEqual([[`user`, `a`], [`model`, `call c1`], [`user`, `Hurry`, `result c1`], [`model`, `Yes.`]]);
  });

  it(`without a result get one at the next prompt; what comes after it is told as text`, () => {
    const {contents, report} = write(prompt(`a`), shell(`c1`, `1`), prompt(`b`), result(`c1`, `late`), result(`c1`, `again`));
    expect(text(contents)).toEqual([[`user`, `a`], [`model`, `call c1`], [`user`, `result c1`, `b`, `[Result of run_shell_command, which came later]\nlate`]]);
    expect(contents[2]!.parts[0]!.functionResponse.response).toEqual({error: `interrupted`});
    expect(report.items.map(({outcome, reason}) => [outcome, reason])).toEqual([
      [`reduced`, `came when its call had been given up, written as text`], [`dropped`, `its call is not in this history`],
    ]);
  });

  it(`get a result when the session is closed`, () => {
    const writer = open();
    const lines = place(prompt(`a`), shell(`c1`, `1`)).map(record => writer.push(record)).join(``) + writer.end();
    expect(text(contentsOf(parse(lines))).at(-1)).toEqual([`user`, `result c1`]);
  });

  it(`that failed say so; exit codes that the text does not name are added`, () => {
    const {contents} = write(prompt(`a`), shell(`c1`, `1`), result(`c1`, `bad`, {error: true, exitCode: 3}), shell(`c2`, `2`), result(`c2`, `Exit code 4\nx`, {exitCode: 4}), shell(`c3`, `3`), result(`c3`, ``, {exitCode: 0}));
    expect(contents.flatMap(({parts}) => parts.flatMap(part => part.functionResponse ? [part.functionResponse.response] : []))).toEqual([
      {error: `bad\nExit Code: 3`}, {output: `Exit code 4\nx`}, {output: ``},
    ]);
  });

  it(`keep pictures, and lose the middle of what is too long`, () => {
    const long = `first\n${`x`.repeat(200_000)}\nlast`;
    const {contents, report, writer} = write(
      prompt(`a`), shell(`c1`, `1`), result(`c1`, long, {full: {path: `/tmp/out.txt`}}),
      shell(`c2`, `2`), {kind: `result`, call: `c2`, content: [{type: `image`, mediaType: `image/png`, data: `QUJD`}]},
    );
    const [first, second] = contents.flatMap(({parts}) => parts.some(part => part.functionResponse) ? [parts] : []);
    const output = first![0]!.functionResponse.response.output as string;
    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(100_000);
    expect(output).toMatch(/^first\n.*bytes cut here by session-sync; the whole output lies in \/tmp\/out\.txt …\]\nx+\nlast$/s);
    expect(second).toEqual([{functionResponse: {id: `c2`, name: `run_shell_command`, response: {output: `Binary content provided (1 item(s)).`}}}, {inlineData: {mimeType: `image/png`, data: `QUJD`}}]);
    expect(report).toMatchObject({kept: 4, reduced: 1});
    expect(JSON.stringify(writer.save()).length).toBeLessThan(150_000);
  });

  it(`too large to be written twice are still in their order`, () => {
    const big = `y`.repeat(100_000);
    const {contents, report} = write(prompt(`a`), shell(`c1`, `1`, `m`), shell(`c2`, big, `m`), result(`c1`, `one`), shell(`c3`, `3`, `m`), result(`c2`, `two`), result(`c3`, `three`));
    expect(text(contents).flat().filter(value => /^(call|result)/.test(value))).toEqual([`call c1`, `call c2`, `result c1`, `call c3`, `result c2`, `result c3`]);
    expect(report.items).toMatchObject([{kind: `call`, outcome: `reduced`, reason: `stands between the results of parallel calls`}]);
  });
});

describe(`tools`, () => {
  const shape = (tool: string, name: string, args: unknown, input: unknown = {}) =>
    write(prompt(`a`), {kind: `call`, call: `c`, name, tool, args, input} as never).contents[1]!.parts[0]!.functionCall;

  it.each([
    [`shell`, {command: `ls`, workdir: `/x`, background: true}, `run_shell_command`, {command: `ls`, description: `List`, dir_path: `/x`, is_background: true}],
    [`read`, {path: `a.js`}, `read_file`, {file_path: `a.js`}],
    [`read`, {path: `a.js`, offset: 10, limit: 5}, `read_file`, {file_path: `a.js`, start_line: 10, end_line: 14}],
    [`read`, {path: `a.js`, limit: 5}, `read_file`, {file_path: `a.js`, end_line: 5}],
    [`edit`, {path: `a.js`, edits: [{old: `a`, new: `b`, all: true}]}, `replace`, {file_path: `a.js`, old_string: `a`, new_string: `b`, allow_multiple: true}],
    [`write`, {path: `a.js`, content: `x`}, `write_file`, {file_path: `a.js`, content: `x`}],
    [`search`, {pattern: `x`, path: `src`, glob: `*.js`, mode: `content`}, `grep_search`, {pattern: `x`, dir_path: `src`, include_pattern: `*.js`}],
    [`search`, {pattern: `x`, mode: `files`}, `grep_search`, {pattern: `x`, names_only: true}],
    [`search`, {pattern: `*.js`, glob: `*.js`, mode: `files`}, `glob`, {pattern: `*.js`}],
    [`fetch`, {url: `https://example.org`, prompt: `Why?`}, `web_fetch`, {prompt: `https://example.org\nWhy?`}],
    [`fetch`, {query: `shops`}, `google_web_search`, {query: `shops`}],
    [`plan`, {items: [{step: `a`, status: `pending`}]}, `write_todos`, {todos: [{description: `a`, status: `pending`}]}],
    [`mcp`, {server: `db`, tool: `query`, arguments: {q: 1}}, `mcp_db_query`, {q: 1}],
  ])(`%s %j is Gemini's own`, (tool, args, name, expected) => {
    expect(shape(tool, `X`, args, {description: `List`})).toMatchObject({name, args: expected});
  });

  it(`without an equal one keep their names and arguments`, () => {
    expect(shape(`edit`, `MultiEdit`, {path: `a`, edits: []}, {b: 1})).toMatchObject({name: `MultiEdit`, args: {b: 1}});
    expect(shape(`other`, `Nowhere`, undefined, [1])).toMatchObject({name: `Nowhere`, args: {input: [1]}});
    expect(shape(`other`, `mystery.tool ä`, undefined, {})).toMatchObject({name: expect.stringMatching(/^mystery_tool___x[0-9a-f]{16}$/)});
  });
});

describe(`the rest`, () => {
  it(`is shown, told, or left out with a reason`, () => {
    const {contents, lines, report} = write(
      prompt(`a`), {kind: `reasoning`, text: `Hm.`}, {kind: `interrupt`, during: `reply`}, {kind: `note`, what: `bash`, visible: true, text: `/x`},
      {kind: `note`, what: `env`}, {kind: `model`, model: `x`}, {kind: `plan`, items: []}, reply(` `),
    );
    expect(text(contents)).toEqual([[`user`, `a`, `[Request interrupted by user]`, `\u200b`, `/x`]]);
    expect(lines.find(line => line.thoughts)).toMatchObject({type: `gemini`, content: ``, thoughts: [{subject: ``, description: `Hm.`}]});
    expect(report).toMatchObject({kept: 3, reduced: 1, dropped: 4});
  });
});

describe(`a compaction`, () => {
  it(`replaces the list, as Gemini's own does, by the summary and what is kept, calls with their results`, () => {
    const {contents, report} = write(
      prompt(`a`), shell(`c1`, `1`), shell(`c2`, `2`), result(`c1`, `one`), result(`c2`, `two`), reply(`Done.`),
      {kind: `compaction`, summary: `All of it.`, keep: [2, 3, 4, 5]}, prompt(`b`),
    );
    expect(text(contents)).toEqual([[`user`, `<state_snapshot>\nAll of it.\n</state_snapshot>`], [`model`, `call c2`], [`user`, `result c2`], [`model`, `Done.`], [`user`, `b`]]);
    expect(report).toMatchObject({kept: 8, reduced: 0, dropped: 0});
  });

  it(`leaves the results of calls that it hides to a text, and says when it could not keep all`, () => {
    const {contents, report} = write(prompt(`a`), shell(`c1`, `1`), {kind: `compaction`, summary: `S`, keep: [99]}, result(`c1`, `one`), prompt(`b`));
    expect(text(contents)[0]!.slice(2)).toEqual([`[Result of run_shell_command, which came later]\none`, `b`]);
    expect(report.items.map(({kind, outcome}) => [kind, outcome])).toEqual([[`compaction`, `reduced`], [`result`, `reduced`]]);
  });
});
