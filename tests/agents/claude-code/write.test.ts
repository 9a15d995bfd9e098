import {describe, expect, it}           from 'vitest';

import {deriveId}                       from '../../../sources/interchange/index.ts';
import type {Unplaced}                  from '../../../sources/interchange/index.ts';

import {brief, read, valueLines}        from './_read.ts';
import {call, chain, numbered, open, prompt, reply, result, said, writing} from './_writing.ts';

const PNG = `iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAF0lEQVR4nGP4z8BAEiJN9aiGUQ1DSgMAkPn/Afnh+ngAAAAASUVORK5CYII=`;

const uuid = (seq: number | `end`, part = 0) => deriveId(`line`, writing.id, seq, part);
const common = (seconds: number) => ({
  timestamp: `2026-11-20T09:00:0${seconds}.000Z`, userType: `external`, entrypoint: `cli`, cwd: `/home/alice/shop`, sessionId: writing.id, version: `2.1.330`, gitBranch: `main`,
});

describe(`a transcript`, () => {
  it(`says where it is from, and is a chain of lines with one block each`, () => {
    const {all} = chain([prompt(`/compact the cart`), reply(`Looking.`, {message: `m`}), call(`c1`, `shell`, {command: `ls`}, {message: `m`}), result(`c1`, `src`), reply(`Done.`, {final: true})]);
    const usage = {input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0};
    const message = (seq: number, content: object, stop: string | null) => ({
      id: `msg_${deriveId(`message`, writing.id, seq).replaceAll(`-`, ``).slice(0, 24)}`, type: `message`, role: `assistant`, model: `<synthetic>`, content: [content], stop_reason: stop, stop_sequence: null, usage,
    });
    const title = {type: `ai-title`, aiTitle: `/compact the cart`, sessionId: writing.id};
    expect(all).toEqual([
      {type: `session-sync`, version: 1, sessionId: writing.id, source: {agent: `codex`, session: writing.header.session}},
      {parentUuid: null, isSidechain: false, type: `user`, uuid: uuid(0), message: {role: `user`, content: `/compact the cart`}, origin: {kind: `human`}, promptSource: `typed`, ...common(0)},
      title, {type: `last-prompt`, leafUuid: uuid(0), sessionId: writing.id},
      {parentUuid: uuid(0), isSidechain: false, type: `assistant`, uuid: uuid(1), message: message(1, {type: `text`, text: `Looking.`}, null), ...common(1)},
      {parentUuid: uuid(1), isSidechain: false, type: `assistant`, uuid: uuid(2), message: message(1, {type: `tool_use`, id: `c1`, name: `Bash`, input: {command: `ls`}}, `tool_use`), ...common(2)},
      {
        parentUuid: uuid(2), isSidechain: false, type: `user`, uuid: uuid(3), message: {role: `user`, content: [{type: `tool_result`, tool_use_id: `c1`, content: `src`}]},
        toolUseResult: {stdout: `src`, stderr: ``, interrupted: false, isImage: false, noOutputExpected: false}, sourceToolAssistantUUID: uuid(2), ...common(3),
      },
      {parentUuid: uuid(3), isSidechain: false, type: `assistant`, uuid: uuid(4), message: message(4, {type: `text`, text: `Done.`}, `end_turn`), ...common(4)},
      title, {type: `last-prompt`, leafUuid: uuid(4), sessionId: writing.id},
    ]);
  });

  it(`begins with a user, whatever the session begins with`, () => {
    expect(chain([reply(`Hello`)]).lines.map(said)).toEqual([[`user`, `(continued from codex)`], [`assistant`, `Hello`]]);
  });

  it(`takes the title of the session, and names it again at the end of each turn`, () => {
    const titles = (records: Array<Unplaced>) => {
      const {all, writer} = chain(records);
      return [writer.title(), ...all.flatMap(({type, aiTitle}) => type === `ai-title` ? [aiTitle] : [])];
    };
    const named = (title: string, origin: string) => ({kind: `title`, title, origin}) as Unplaced;
    expect(titles([prompt(`Hi\nthere`), named(`A`, `generated`), reply(`x`, {final: true})])).toEqual([`A`, `Hi there`, `A`, `A`]);
    expect(titles([prompt(`Hi`), named(`Mine\u001b[31m\n`, `custom`), named(`Made up`, `generated`)])).toEqual([`Mine`, `Hi`, `Mine`]);
    expect(titles([prompt(`word `.repeat(30))])[1]).toBe(`${`word `.repeat(15).trim()}…`);
    expect(titles([{kind: `prompt`, content: [{type: `image`, mediaType: `image/png`, data: PNG}]}])).toEqual([undefined, `[Image]`]);
  });

  it(`writes the source's branch, the last time that is known, and this machine's folder`, () => {
    const writer = open();
    const records = numbered([prompt(`a`), reply(`b`)]);
    const text = records.map(({time: _, ...record}, seq) => writer.push({...record, ...seq === 1 ? {head: {branch: `other`}, cwd: `/elsewhere`} : {}} as never)).join(``);
    expect(text.match(/"timestamp":"([^"]*)"/g)).toEqual(Array(2).fill(`"timestamp":"2026-11-20T09:00:00.000Z"`));
    expect(text.match(/"gitBranch":"([^"]*)"/g)).toEqual([`"gitBranch":"main"`, `"gitBranch":"other"`]);
    expect(text).not.toContain(`/elsewhere`);
  });
});

describe(`an answer`, () => {
  const ids = (records: Array<Unplaced>) => chain([prompt(`go`), ...records]).lines.filter(({type}) => type === `assistant`).map(({message}) => message.id as string);

  it(`is one message for Claude Code where it was one in the source`, () => {
    const [a, b, c, d] = ids([reply(`x`, {message: `1`}), call(`c1`, `other`, undefined, {message: `1`}), result(`c1`, `r`), call(`c2`, `other`, undefined, {message: `1`}), result(`c2`, `r`), reply(`y`, {message: `2`})]);
    expect([b, c]).toEqual([a, a]);
    expect(d).not.toBe(a);
  });

  it(`without an id goes on until something else is said`, () => {
    const [a, b, c, d, e] = ids([reply(`x`), call(`c1`, `other`, undefined), result(`c1`, `r`), reply(`y`), prompt(`more`), reply(`z`), {kind: `note`, what: `n`, visible: true, text: `note`}, reply(`zz`)]);
    expect([b, new Set([a, c, d, e]).size]).toEqual([a, 4]);
  });

  it(`is not ended while a call of it waits: the API takes nothing between a call and its result`, () => {
    const {lines} = chain([prompt(`go`), call(`c1`, `other`, undefined, {message: `1`}), call(`c2`, `other`, undefined, {message: `2`}), result(`c1`, `r1`), reply(`still`, {message: `3`, final: true}), result(`c2`, `r2`), reply(`next`, {message: `4`})]);
    const of = lines.filter(({type}) => type === `assistant`).map(({message}) => message.id);
    expect(new Set(of.slice(0, 3)).size).toBe(1);
    expect(of[3]).not.toBe(of[0]);
  });

  it(`that failed is shown and not sent, and one that was cut off says so`, () => {
    expect(chain([prompt(`go`), reply(`API Error: 500`, {error: true}), reply(`begi`, {partial: true})]).lines.slice(1)).toMatchObject([{isApiErrorMessage: true}, {isAbortedMidStream: true}]);
  });

  it(`takes thinking only with the signature of its own provider`, () => {
    const thinking = (more: {[key: string]: unknown}) => ({kind: `reasoning`, text: `hm`, ...more}) as Unplaced;
    const {lines, writer} = chain([prompt(`go`), thinking({}), thinking({signature: `s`, provider: `openai`}), thinking({provider: `anthropic`}), thinking({signature: `s`, provider: `anthropic`})]);
    expect(lines.slice(1).map(({message}) => message.content)).toEqual([[{type: `thinking`, thinking: `hm`, signature: `s`}]]);
    expect(writer.report()).toMatchObject({kept: 2, dropped: 3, items: [{kind: `reasoning`, outcome: `dropped`, count: 3}]});
  });
});

describe(`calls become Claude Code's own tools`, () => {
  const uses = (record: Unplaced) => chain([prompt(`go`), record]).lines.slice(1).map(({message}) => [message.content[0].name, message.content[0].input]);

  it.each<[string, unknown, {[key: string]: unknown}, Array<unknown>]>([
    [`shell`, {command: `ls -la`, timeoutMs: 5_000}, {input: {description: `List`}}, [`Bash`, {command: `ls -la`, description: `List`, timeout: 5_000}]],
    [`shell`, {command: `ls`, workdir: `/home/alice/shop`}, {}, [`Bash`, {command: `ls`}]],
    [`shell`, {command: `ls`, workdir: `it's/here`, background: true}, {}, [`Bash`, {command: `cd '/home/alice/shop/it'\\''s/here' && ls`, run_in_background: true}]],
    [`read`, {path: `src/cart.js`, offset: 3, limit: 9}, {}, [`Read`, {file_path: `/home/alice/shop/src/cart.js`, offset: 3, limit: 9}]],
    [`read`, {path: `C:\\shop\\a.js`}, {}, [`Read`, {file_path: `C:\\shop\\a.js`}]],
    [`edit`, {path: `/a.js`, edits: [{old: `x`, new: `y`, all: true}]}, {}, [`Edit`, {file_path: `/a.js`, old_string: `x`, new_string: `y`, replace_all: true}]],
    [`edit`, {path: `/a.js`, edits: []}, {input: {patch: `p`}}, [`foreign_tool`, {patch: `p`}]],
    [`write`, {path: `a.js`, content: `x`}, {}, [`Write`, {file_path: `/home/alice/shop/a.js`, content: `x`}]],
    [`search`, {pattern: `total`, path: `src`, mode: `content`}, {}, [`Grep`, {pattern: `total`, path: `src`, output_mode: `content`}]],
    [`search`, {pattern: `total`, glob: `*.js`, mode: `files`}, {}, [`Grep`, {pattern: `total`, glob: `*.js`, output_mode: `files_with_matches`}]],
    [`search`, {pattern: `**/*.js`, glob: `**/*.js`, mode: `files`}, {}, [`Glob`, {pattern: `**/*.js`}]],
    [`fetch`, {url: `https://example.org`, prompt: `What?`}, {}, [`WebFetch`, {url: `https://example.org`, prompt: `What?`}]],
    [`fetch`, {query: `carts`}, {}, [`WebSearch`, {query: `carts`}]],
    [`fetch`, {}, {input: {a: 1}}, [`foreign_tool`, {a: 1}]],
    [`plan`, {items: [{step: `one`, status: `in_progress`}]}, {}, [`TodoWrite`, {todos: [{content: `one`, status: `in_progress`, activeForm: `one`}]}]],
    [`plan`, {text: `# Plan`}, {}, [`ExitPlanMode`, {plan: `# Plan`}]],
    [`agent`, {prompt: `Find the cart\nin src`, role: `Explore`, background: true}, {}, [`Agent`, {description: `Find the cart in src`, prompt: `Find the cart\nin src`, subagent_type: `Explore`, run_in_background: true}]],
    [`mcp`, {server: `stock`, tool: `look.up`, arguments: [1]}, {}, [expect.stringMatching(/^mcp__stock__look_up_x[0-9a-f]{16}$/), {input: [1]}]],
    [`other`, undefined, {name: `apply patch`, input: `*** Begin Patch`}, [expect.stringMatching(/^apply_patch_x/), {input: `*** Begin Patch`}]],
    [`ask`, undefined, {input: {q: 1}}, [`foreign_tool`, {q: 1}]],
  ])(`%s %j`, (tool, args, more, expected) => {
    expect(uses(call(`c`, tool, args, more))).toEqual([expected]);
  });

  it(`leaves its own calls as they are`, () => {
    const {lines} = chain([prompt(`go`), call(`c`, `edit`, {path: `a`, edits: []}, {name: `MultiEdit`, input: {file_path: `a`, edits: [1]}})], {agent: `claude-code`});
    expect(lines[1].message.content[0]).toMatchObject({name: `MultiEdit`, input: {file_path: `a`, edits: [1]}});
  });

  it(`gives each of several edits a call and the result of all`, () => {
    const edits = [{old: `a`, new: `b`}, {old: `c`, new: `d`}];
    const {lines, writer} = chain([prompt(`go`), call(`c|1`, `edit`, {path: `/a.js`, edits}), result(`c|1`, `Done`), reply(`ok`)]);
    expect(lines.map(said)).toEqual([[`user`, `go`], [`assistant`, `Edit`], [`assistant`, `Edit`], [`user`, `Done`], [`user`, `Done`], [`assistant`, `ok`]]);
    const ids = lines.slice(1, 3).map(({message}) => message.content[0].id);
    expect(lines.slice(3, 5).map(({message}) => message.content[0].tool_use_id)).toEqual(ids);
    expect(new Set(ids).size).toBe(2);
    expect(writer.report()).toMatchObject({kept: 3, reduced: 1, dropped: 0});
  });
});

describe(`results`, () => {
  const of = (tool: string, args: unknown, record: Unplaced) => {
    const line = chain([prompt(`go`), call(`c`, tool, args), record]).lines[2];
    return {block: line.message.content[0], shown: line.toolUseResult, line};
  };
  const shell = (record: Unplaced) => of(`shell`, {command: `x`}, record);

  it(`say the code of a command that failed where Bash says it`, () => {
    expect(shell(result(`c`, `oops`, {exitCode: 3})).block).toEqual({type: `tool_result`, tool_use_id: `c`, content: `Exit code 3\noops`, is_error: true});
    expect(shell(result(`c`, `Exit code 3\noops`, {exitCode: 3, error: true})).block.content).toBe(`Exit code 3\noops`);
    expect(shell(result(`c`, ``, {exitCode: 3})).block.content).toBe(`Exit code 3`);
    expect(shell(result(`c`, ``, {exitCode: 0})).block).toEqual({type: `tool_result`, tool_use_id: `c`, content: ``});
    expect(of(`other`, undefined, result(`c`, ` `, {error: true})).block).toMatchObject({content: `Error`, is_error: true});
    expect(shell(result(`c`, `oops`, {error: true})).shown).toBe(`Error: oops`);
  });

  it(`are sent whole, whatever their size`, () => {
    const text = `größe\n`.repeat(200_000);
    const {block, shown} = shell(result(`c`, text, {exitCode: 0}));
    expect(block.content).toBe(text);
    expect(shown.stdout.length).toBeLessThan(31_000);
  });

  it(`keep images, named as what they are, and name those that the API would refuse`, () => {
    const image = (data: string | undefined, mediaType = `image/jpeg`) => ({...result(`c`, ``), content: [{type: `text`, text: `seen`}, {type: `image`, mediaType, ...data === undefined ? {bytes: 7} : {data}}]}) as Unplaced;
    expect(shell(image(PNG)).block.content).toEqual([{type: `text`, text: `seen`}, {type: `image`, source: {type: `base64`, media_type: `image/png`, data: PNG}}]);
    expect(shell(image(undefined)).block.content[1]).toEqual({type: `text`, text: `[image: image/jpeg, 7 bytes; not carried over]`});
    for (const data of [`AAAA`, `${PNG}!`, PNG + `A`.repeat(6_000_000)])
      expect(shell(image(data)).block.content[1].type).toBe(`text`);
  });

  it(`are marked as denied or interrupted as Claude Code marks them`, () => {
    expect(shell(result(`c`, `no`, {error: true, denied: true})).line).toMatchObject({toolUseResult: `User rejected tool use`, toolDenialKind: `user-rejected`, toolDenialBeforeRun: true});
    const {line} = shell(result(`c`, `no`, {error: true, interrupted: true}));
    expect(line).toMatchObject({toolDenialKind: `user-rejected`});
    expect(line.toolDenialBeforeRun).toBeUndefined();
  });

  it(`show a change as Claude Code shows it`, () => {
    const diff = `@@ -4,2 +4,2 @@\n a\n-b\n+c\n`;
    const edit = (record: Unplaced) => of(`edit`, {path: `/a.js`, edits: [{old: `b`, new: `c`}]}, record).shown.structuredPatch;
    expect(edit(result(`c`, `ok`, {patch: [{path: `/a.js`, change: `update`, diff}]}))).toEqual([{oldStart: 4, oldLines: 2, newStart: 4, newLines: 2, lines: [` a`, `-b`, `+c`]}]);
    expect(edit(result(`c`, `ok`))).toEqual([{oldStart: 1, oldLines: 1, newStart: 1, newLines: 1, lines: [`-b`, `+c`]}]);
    expect(of(`write`, {path: `/a.js`, content: `x`}, result(`c`, `ok`)).shown).toMatchObject({type: `create`, filePath: `/a.js`, content: `x`});
    expect(of(`write`, {path: `/a.js`, content: `x`.repeat(9_000)}, result(`c`, `ok`)).shown).toBeUndefined();
  });

  it(`that never came are made up where the conversation goes on; what comes after that is too late`, () => {
    const {lines, writer} = chain([prompt(`go`), call(`c1`, `other`, undefined), prompt(`next`), result(`c1`, `late`), result(`c9`, `of nothing`)]);
    expect(lines.map(said)).toEqual([[`user`, `go`], [`assistant`, `foreign_tool`], [`user`, `[No result was recorded for this call.]`], [`user`, `next`]]);
    expect(writer.report().items.map(({reason}) => reason)).toEqual([`came when its call had been given up`, `its call is not in this history`]);
    expect(chain([prompt(`go`), call(`c1`, `other`, undefined)], {end: true}).lines).toHaveLength(3);
    expect(chain([prompt(`go`), reply(`x`)], {end: true}).writer.end()).toBe(``);
  });
});

describe(`what is said beside`, () => {
  it(`stands as a queued prompt while the model works, else as any other`, () => {
    const {lines} = chain([prompt(`first`, {midTurn: true}), call(`c`, `other`, undefined), prompt(`stop!`, {midTurn: true}), result(`c`, `r`), reply(`ok`, {final: true}), prompt(`more`, {midTurn: true})]);
    expect(lines.map(said)).toEqual([[`user`, `first`], [`assistant`, `foreign_tool`], [`queued_command`, `stop!`], [`user`, `r`], [`assistant`, `ok`], [`user`, `more`]]);
    expect(lines[2].attachment).toEqual({type: `queued_command`, prompt: `stop!`, commandMode: `prompt`, origin: {kind: `human`}, humanTurn: true});
  });

  it(`is hidden from the person, but not from the model, where it is a note`, () => {
    const note = (what: string, more: object) => ({kind: `note`, what, ...more}) as Unplaced;
    const {lines, writer} = chain([prompt(`go`), note(`environment`, {}), note(`hook-feedback`, {visible: true, text: `Stop hook feedback: no`}), note(`shell-mode`, {visible: true, text: `<bash-input>ls</bash-input>`})]);
    expect(lines.slice(1).map(line => [said(line), line.isMeta])).toEqual([[[`user`, `Stop hook feedback: no`], true], [[`user`, `<bash-input>ls</bash-input>`], undefined]]);
    expect(writer.report()).toMatchObject({kept: 3, dropped: 1});
  });

  it(`is said in Claude Code's words where the person interrupted`, () => {
    const {lines} = chain([prompt(`go`), call(`c`, `other`, undefined), {kind: `interrupt`, during: `tool`, text: `<turn_aborted>`}, prompt(`on`), reply(`a`), {kind: `interrupt`, during: `reply`}]);
    expect(lines.map(said)).toEqual([
      [`user`, `go`], [`assistant`, `foreign_tool`], [`user`, `[Request interrupted by user for tool use]`], [`user`, `[Request interrupted by user for tool use]`],
      [`user`, `on`], [`assistant`, `a`], [`user`, `[Request interrupted by user]`],
    ]);
  });
});

describe(`a compaction`, () => {
  const compaction = (keep: Array<number> | undefined, summary = `What was said`) => ({kind: `compaction`, summary, trigger: `auto`, tokensBefore: 9, ...keep === undefined ? {} : {keep}}) as Unplaced;
  const talk = [prompt(`a`), reply(`b`, {final: true}), prompt(`c`), reply(`d`, {final: true})];

  it(`is Claude Code's own, and names the lines that it keeps`, () => {
    const {lines} = chain([...talk, compaction([0, 3]), prompt(`e`)]);
    expect(lines[4]).toMatchObject({
      parentUuid: null, logicalParentUuid: uuid(3), type: `system`, subtype: `compact_boundary`,
      compactMetadata: {trigger: `auto`, preTokens: 9, preservedMessages: {anchorUuid: uuid(4, 1), uuids: [uuid(0), uuid(3)], allUuids: [uuid(0), uuid(3)]}, preservedSegment: {headUuid: uuid(0), anchorUuid: uuid(4, 1), tailUuid: uuid(3)}},
    });
    expect(lines[5]).toMatchObject({parentUuid: uuid(4), isCompactSummary: true, message: {content: expect.stringMatching(/^This session is being continued from [\s\S]*\nWhat was said$/)}});
    expect(lines[6].parentUuid).toBe(uuid(4, 1));
  });

  it(`says what it could not keep, unless that comes after it`, () => {
    expect(chain([prompt(`a`), compaction([70])]).writer.report()).toMatchObject({kept: 1, reduced: 1});
    const writer = open();
    const [kept, ...rest] = numbered([prompt(`a`), compaction([0]), prompt(`b`)]);
    for (const record of [rest[0]!, kept!, rest[1]!])
      writer.push(record);
    expect(writer.report()).toEqual({kept: 3, reduced: 0, dropped: 0, items: []});
  });

  it(`is never without words, and takes its own as they are`, () => {
    expect(chain([prompt(`a`), compaction(undefined, ` `)]).lines[2].message.content).toMatch(/was not recorded/);
    expect(chain([prompt(`a`), compaction(undefined, `This session is being continued from x`)]).lines[2].message.content).toBe(`This session is being continued from x`);
  });
});

it(`gives back what was written when it is read`, () => {
  const records = [
    prompt(`<b>Prompt</b>`), reply(`x`, {message: `1`}), call(`c1`, `shell`, {command: `ls`}), call(`c2`, `read`, {path: `/a`}), result(`c2`, `A`), prompt(`quick`, {midTurn: true}), result(`c1`, `no`, {exitCode: 2}),
    reply(`y`, {final: true}), {kind: `interrupt`, during: `reply`} as Unplaced, {kind: `compaction`, summary: `S`, keep: [0]} as Unplaced, prompt(`z`), {kind: `title`, title: `T`, origin: `custom`} as Unplaced,
  ];
  const {records: back, reader} = read(valueLines(chain(records).all));
  expect(reader.facts().repairs).toEqual([]);
  expect(back.filter(({kind}) => kind !== `title`).map(brief)).toEqual([
    `prompt: <b>Prompt</b>`, `reply: x`, `call Bash as shell`, `call Read as read`, `result: A`, `prompt (mid-turn): quick`, `result (error) (exit 2): Exit code 2`,
    `reply (final): y`, `interrupt during reply`, `compaction, keeps 0`, `prompt: z`,
  ]);
});
