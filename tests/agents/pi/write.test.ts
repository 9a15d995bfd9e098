import {describe, expect, it}         from 'vitest';

import {judge}                        from '../../../sources/agents/pi/judge.ts';
import {shapeCall}                    from '../../../sources/agents/pi/shape.ts';
import {MISSING_RESULT}               from '../../../sources/interchange/index.ts';
import type {CallRecord, Unplaced}    from '../../../sources/interchange/index.ts';

import {contextOf, open, place, write} from './_session.ts';

const text = (value: string) => [{type: `text` as const, text: value}];
const prompt = (value: string, more: object = {}): Unplaced => ({kind: `prompt`, content: text(value), ...more});
const reply = (value: string, more: object = {}): Unplaced => ({kind: `reply`, text: value, message: `m`, final: true, ...more});
const shell = (call: string, more: object = {}): Unplaced => ({kind: `call`, call, name: `Bash`, tool: `shell`, args: {command: call}, input: {command: call}, message: `m`, ...more});
const result = (call: string, more: object = {}): Unplaced => ({kind: `result`, call, content: text(`out of ${call}`), ...more});
/** Role or type of each line, with what it says. */
const shown = (lines: ReturnType<typeof write>[`lines`]) => lines.filter(({id}) => id === lines.at(-1).id || lines.some(({parentId}) => parentId === id)).map(({type, message, content}) => type !== `message` ? [type, content]
  : [message.role, ...message.content.map((block: {text?: string; id?: string}) => block.text ?? block.id)]);

describe(`lines`, () => {
  it(`begin with the header and with where the session comes from`, () => {
    expect(open().begin()).toBe([
      `{"type":"session","version":3,"id":"807b109b-27d4-5d77-9050-0fe1889a5b60","timestamp":"2026-11-20T10:00:00.000Z","cwd":"/home/alice/shop"}`,
      `{"type":"custom","id":"00000000","parentId":null,"timestamp":"2026-11-20T10:00:00.000Z","customType":"session-sync","data":{"agent":"claude-code","nativeId":"01a204b3-c9bb-7633-bb95-009b4398dd9f","session":"01a204b3-c9bb-7633-bb95-009b4398dd9f"}}`,
      ``,
    ].join(`\n`));
  });

  it(`of a turn: one message an answer, one a result`, () => {
    const {lines, writer} = write(place(prompt(`Look`), reply(`I look.`, {final: undefined, model: `claude-x`}), shell(`t1`), shell(`t2`), result(`t1`), result(`t2`, {exitCode: 3, error: true}), reply(`Done.`, {message: `n`})));
    const usage = {input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost: {input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0}};
    expect(lines).toEqual([
      {type: `message`, id: `00000001`, parentId: `00000000`, timestamp: `2026-11-20T10:00:00.000Z`, message: {role: `user`, content: text(`Look`), timestamp: 1_795_168_800_000}},
      {type: `message`, id: `00000002`, parentId: `00000001`, timestamp: `2026-11-20T10:00:01.000Z`, message: {role: `assistant`, content: text(`I look.`), api: `session-sync`, provider: `claude-code`, model: `claude-x`, usage, stopReason: `stop`, timestamp: 1_795_168_801_000}},
      {type: `message`, id: `00000003`, parentId: `00000001`, timestamp: `2026-11-20T10:00:03.000Z`, message: {
        role: `assistant`,
        content: [...text(`I look.`), {type: `toolCall`, id: `t1`, name: `bash`, arguments: {command: `t1`}}, {type: `toolCall`, id: `t2`, name: `bash`, arguments: {command: `t2`}}],
        api: `session-sync`, provider: `claude-code`, model: `claude-x`, usage, stopReason: `toolUse`, timestamp: 1_795_168_803_000,
      }},
      {type: `message`, id: `00000004`, parentId: `00000003`, timestamp: `2026-11-20T10:00:04.000Z`, message: {role: `toolResult`, toolCallId: `t1`, toolName: `bash`, content: text(`out of t1`), isError: false, timestamp: 1_795_168_804_000}},
      {type: `message`, id: `00000005`, parentId: `00000004`, timestamp: `2026-11-20T10:00:05.000Z`, message: {role: `toolResult`, toolCallId: `t2`, toolName: `bash`, content: [...text(`out of t2`), ...text(`Command exited with code 3`)], isError: true, timestamp: 1_795_168_805_000}},
      {type: `message`, id: `00000006`, parentId: `00000005`, timestamp: `2026-11-20T10:00:06.000Z`, message: {role: `assistant`, content: text(`Done.`), api: `session-sync`, provider: `claude-code`, model: `claude-code`, usage, stopReason: `stop`, timestamp: 1_795_168_806_000}},
    ]);
    expect(writer.report()).toEqual({kept: 7, reduced: 0, dropped: 0, items: []});
    expect(writer.updated()).toBe(`2026-11-20T10:00:06.000Z`);
  });

  it(`of images, and of content that Pi has no block for`, () => {
    const {lines, writer} = write(place({kind: `prompt`, content: [
      {type: `image`, mediaType: `image/png`, data: `AAAA`}, {type: `image`, mediaType: `image/svg+xml`, data: `AAAA`}, {type: `other`, name: `document`, value: {a: 1}},
    ]}));
    expect(lines[0].message.content).toEqual([{type: `image`, data: `AAAA`, mimeType: `image/png`}, ...text(`[image: image/svg+xml; not carried over]`), ...text(`[document] {"a":1}`)]);
    expect(writer.report()).toMatchObject({reduced: 1});
  });

  it(`of an interruption and of what was told beside: user messages that nobody typed`, () => {
    const {lines} = write(place(prompt(`Go`), {kind: `interrupt`, during: `reply`}, {kind: `note`, what: `hook`, visible: true, text: `Told.`}, {kind: `note`, what: `system`}));
    expect(lines.slice(1)).toMatchObject([
      {type: `custom_message`, customType: `session-sync`, content: `[Request interrupted by user]`, display: true, details: {kind: `interrupt`, during: `reply`}},
      {type: `custom_message`, customType: `session-sync`, content: `Told.`, display: true, details: {kind: `note`, what: `hook`}},
    ]);
    expect(lines).toHaveLength(3);
  });

  it(`of a title: the name in Pi's list, a chosen one before a made one`, () => {
    const {lines, writer} = write(place({kind: `title`, title: `Made\n\u001b[31m up`, origin: `generated`}, {kind: `title`, title: `Chosen`, origin: `custom`}, {kind: `title`, title: `Made again`, origin: `generated`}));
    expect(lines.map(({type, name}) => [type, name])).toEqual([[`session_info`, `Made  up`], [`session_info`, `Chosen`]]);
    expect(writer.title()).toBe(`Chosen`);
  });

  it(`leave out what is of no use there`, () => {
    const {lines, writer} = write(place({kind: `reasoning`, text: `Hm.`}, {kind: `plan`, items: []}, {kind: `model`, model: `x`}, reply(` `), prompt(``)));
    expect(lines).toEqual([]);
    expect(writer.report()).toMatchObject({kept: 0, dropped: 5});
  });
});

describe(`order`, () => {
  it(`an answer waits for its end; nothing between its results comes before the last of them`, () => {
    const {lines} = write(place(prompt(`Go`), shell(`a`), shell(`b`), result(`b`), prompt(`Hurry`, {midTurn: true}), {kind: `note`, what: `hook`, visible: true, text: `Told.`}, result(`a`), reply(`Done.`, {message: `n`})));
    expect(shown(lines)).toEqual([[`user`, `Go`], [`assistant`, `a`, `b`], [`toolResult`, `out of b`], [`toolResult`, `out of a`], [`user`, `Hurry`], [`custom_message`, `Told.`], [`assistant`, `Done.`]]);
  });

  it(`a call that comes while others run is asked for after them`, () => {
    const {lines} = write(place(prompt(`Go`), shell(`a`), shell(`b`), result(`a`), shell(`c`), result(`c`), result(`b`), reply(`Done.`, {message: `n`})));
    expect(shown(lines)).toEqual([[`user`, `Go`], [`assistant`, `a`, `b`], [`toolResult`, `out of a`], [`toolResult`, `out of b`], [`assistant`, `c`], [`toolResult`, `out of c`], [`assistant`, `Done.`]]);
  });

  it(`a prompt ends the wait; results that come later are too late`, () => {
    const {lines, writer} = write(place(prompt(`Go`), shell(`a`), shell(`b`), result(`a`), prompt(`Next`), result(`b`), result(`z`)));
    expect(shown(lines)).toEqual([[`user`, `Go`], [`assistant`, `a`, `b`], [`toolResult`, `out of a`], [`toolResult`, MISSING_RESULT], [`user`, `Next`]]);
    expect(writer.report().items.map(({reason}) => reason)).toEqual([`came when its call had been given up`, `its call is not in this history`]);
  });

  it(`a text is there at once, a call when its answer is over; the model gets the answer in one`, () => {
    const records = place(prompt(`Go`), reply(`I begin`, {final: undefined}), reply(`and say more`, {final: undefined}), shell(`a`));
    expect(shown(write(records.slice(0, 2)).lines)).toEqual([[`user`, `Go`], [`assistant`, `I begin`]]);
    expect(shown(write(records).lines)).toEqual([[`user`, `Go`], [`assistant`, `I begin`, `and say more`]]);
    expect(shown(write(records, {end: true}).lines)).toEqual([[`user`, `Go`], [`assistant`, `I begin`, `and say more`, `a`], [`toolResult`, MISSING_RESULT]]);
    const unnamed = place(prompt(`Go`), reply(`one`, {final: undefined, message: undefined}), reply(`two`, {final: undefined, message: undefined}));
    expect(shown(write(unnamed).lines)).toEqual([[`user`, `Go`], [`assistant`, `one`], [`assistant`, `two`]]);
    for (const how of [`partial`, `error`, `final`])
      expect(shown(write(place(prompt(`Go`), reply(`I begin`, {final: undefined, [how]: true}))).lines)).toEqual([[`user`, `Go`], [`assistant`, `I begin`]]);
  });

  it(`output of a megabyte stays whole and never in the state`, () => {
    const writer = open();
    const big = `x`.repeat(1 << 20);
    const records = place(prompt(`Go`), shell(`a`), result(`a`, {content: text(big)}));
    expect(records.map(record => writer.push(record)).join(``)).toContain(big);
    expect(JSON.stringify(writer.save()).length).toBeLessThan(2_000);
  });
});

describe(`a compaction`, () => {
  const before: Array<Unplaced> = [prompt(`one`), shell(`a`), result(`a`), reply(`two`, {message: `n`}), prompt(`three`), reply(`four`, {message: `o`})];
  const seen = (keep: Array<number> | undefined) => {
    const {text: file} = write(place(...before, {kind: `compaction`, summary: `S`, ...keep ? {keep} : {}}, prompt(`after`)));
    return contextOf(file).map(({type, message, summary}) => type === `compaction` ? summary : message.content.map((block: {text?: string; id?: string}) => block.text ?? block.id).join(` `));
  };

  it(`keeps nothing, its last records, or single ones; never half of a call and its result`, () => {
    expect(seen(undefined)).toEqual([`S`, `after`]);
    expect(seen([4, 5])).toEqual([`S`, `three`, `four`, `after`]);
    expect(seen([0, 4])).toEqual([`S`, `one`, `three`, `after`]);
    expect(seen([1, 5])).toEqual([`S`, `a`, `out of a`, `four`, `after`]);
    expect(seen([2, 5])).toEqual([`S`, `four`, `after`]);
  });

  it(`says so when what it keeps lies too far back`, () => {
    const many: Array<Unplaced> = Array.from({length: 1_500}, (_, at) => prompt(`p${at}`));
    const {writer, lines} = write(place(...many, {kind: `compaction`, summary: `S`, keep: [0, 1_400, 1_499]}));
    expect(writer.report()).toMatchObject({reduced: 1, items: [{kind: `compaction`, reason: `some of the messages it keeps lie too far back and are left to the summary`}]});
    expect(lines.at(1_500)).toMatchObject({firstKeptEntryId: (1_401).toString(16).padStart(8, `0`)});
  });
});

describe(`calls`, () => {
  const shape = (record: Partial<CallRecord> & {input?: unknown}, workdir?: string) => shapeCall({seq: 0, kind: `call`, call: `c`, name: `N`, input: {}, ...record} as CallRecord, workdir);

  it(`land as Pi's own tools where there is one`, () => {
    expect(shape({tool: `shell`, args: {command: `ls`, timeoutMs: 1500}, input: {command: `ls`, timeout: 1500, description: `List`, run_in_background: true}} as never)).toEqual({name: `bash`, arguments: {command: `ls`, timeout: 1.5, run_in_background: true}});
    expect(shape({tool: `shell`, args: {command: `ls`}} as never, `/home/alice/other`)).toEqual({name: `bash`, arguments: {command: `ls`, workdir: `/home/alice/other`}});
    expect(shape({tool: `read`, args: {path: `a.js`, offset: 3, limit: 4}} as never)).toEqual({name: `read`, arguments: {path: `a.js`, offset: 3, limit: 4}});
    expect(shape({tool: `edit`, args: {path: `a.js`, edits: [{old: `a`, new: `b`}]}} as never)).toEqual({name: `edit`, arguments: {path: `a.js`, edits: [{oldText: `a`, newText: `b`}]}});
    expect(shape({tool: `edit`, args: {path: `a.js`, edits: [{old: ``, new: `b`}]}} as never)).toEqual({name: `write`, arguments: {path: `a.js`, content: `b`}});
    expect(shape({tool: `edit`, args: {path: `a.js`, edits: [{old: `a`, new: `b`, all: true}]}} as never).reduced).toBeDefined();
    expect(shape({tool: `write`, args: {path: `a.js`, content: `b`}} as never)).toEqual({name: `write`, arguments: {path: `a.js`, content: `b`}});
    expect(shape({tool: `search`, args: {pattern: `x`, path: `src`, glob: `*.js`, mode: `content`}} as never)).toEqual({name: `grep`, arguments: {pattern: `x`, path: `src`, glob: `*.js`}});
    expect(shape({tool: `search`, args: {pattern: `*.js`, glob: `*.js`, mode: `files`}} as never)).toEqual({name: `find`, arguments: {pattern: `*.js`}});
  });

  it(`else keep their name, as far as an API takes it, and their arguments`, () => {
    expect(shape({tool: `fetch`, name: `WebFetch`, args: {url: `https://example.org`}, input: {url: `https://example.org`, prompt: `p`}} as never)).toEqual({name: `WebFetch`, arguments: {url: `https://example.org`, prompt: `p`}});
    expect(shape({tool: `other`, name: `a.b`, input: `text`} as never)).toEqual({name: expect.stringMatching(/^a_b_x[0-9a-f]{16}$/), arguments: {input: `text`}});
  });
});

describe(`bytes after ours`, () => {
  const entry = (type: string, more: object = {}) => `${JSON.stringify({type, id: `x`, parentId: `00000001`, ...more})}\n`;

  it(`are bookkeeping only when nobody has said anything`, () => {
    expect(judge(``)).toBe(`opened`);
    expect(judge(`\n`)).toBe(`opened`);
    expect(judge(entry(`model_change`) + entry(`thinking_level_change`) + entry(`session_info`, {name: `x`}) + entry(`label`) + entry(`custom`) + entry(`usage`))).toBe(`opened`);
    expect(judge(`${entry(`model_change`)}{"type":"custom","customType":"x","data":{"cut`)).toBe(`opened`);
  });

  it(`else mean that Pi goes on, also when they cannot be read`, () => {
    for (const tail of [entry(`message`, {message: {role: `system`}}), entry(`custom_message`), entry(`compaction`), entry(`branch_summary`), entry(`context_edit`), entry(`new`), `not JSON\n`, `{"type":"mess`, `null\n`])
      expect(judge(entry(`model_change`) + tail)).toBe(`continued`);
  });
});

it(`the writer refuses a state that is none of its own`, () => {
  expect(() => open({version: 2})).toThrow(`Assertion failed`);
});
