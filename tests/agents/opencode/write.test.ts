import {describe, expect, it}     from 'vitest';

import {importFile, readJournal}  from '../../../sources/agents/families/opencode/import.ts';
import {opencode}                 from '../../../sources/agents/opencode/index.ts';
import {sinceCompaction}          from '../../../sources/interchange/index.ts';
import type {Unplaced}            from '../../../sources/interchange/index.ts';
import {writerBattery}            from '../_battery.ts';

import {call, open, prompt, reply, result, target, write} from './_session.ts';

const variant = {id: `opencode`, name: `OpenCode`, program: `opencode`, proven: `1.18.33`, prefix: `OPENCODE`, profile: `build`};
const NOW = Date.parse(`2026-11-20T10:00:00.000Z`);

function imported(text: string, more: {now?: number; from?: number} = {}) {
  const journal = readJournal(Buffer.from(text))!;
  const options = {variant, cwd: `/home/alice/shop`, title: `T`, model: {providerID: `fake`, modelID: `fake-model`}, now: NOW, updated: undefined, from: 0, ...more};
  return JSON.parse([...importFile(journal, options)].join(``));
}

const kinds = (text: string) => imported(text).messages.map(({info, parts}: any) => `${info.role}: ${parts.map((part: any) => part.type === `tool` ? `${part.tool} ${part.state.status}` : part.text ?? part.type).join(`, `)}`);

describe(`what a record becomes`, () => {
  it(`prompts, answers and calls: a message for each answer of the model`, () => {
    const {text} = write(prompt(`/go`), {kind: `reasoning`, text: `hm`, message: `m1`}, reply(`look`, `m1`), call(`c1`, `m1`), call(`c2`, `m1`), result(`c2`, `two`), result(`c1`, `one`), reply(`done`, `m2`));
    expect(kinds(text)).toEqual([`user: /go`, `assistant: hm, look, bash completed, bash completed`, `assistant: done`]);
  });

  it(`a text after a call begins a new message, since it would be sent before it`, () => {
    expect(kinds(write(prompt(`go`), reply(`a`, `m1`), call(`c1`, `m1`), reply(`b`, `m1`), result(`c1`, `one`)).text)).toEqual([`user: go`, `assistant: a, bash completed`, `assistant: b`]);
    expect(kinds(write(prompt(`go`), call(`c1`), result(`c1`, `x`), call(`c2`), result(`c2`, `y`)).text)).toEqual([`user: go`, `assistant: bash completed`, `assistant: bash completed`]);
  });

  it(`a whole file as \`import\` takes it`, () => {
    const file = imported(write(prompt(`go`), call(`c1`), result(`c1`, `out`, {exitCode: 3, error: true})).text);
    expect(file.info).toEqual({
      id: target.id, slug: `session-sync`, projectID: `global`, directory: `/home/alice/shop`, title: `T`, version: `1.18.33`, agent: `build`,
      model: {id: `fake-model`, providerID: `fake`}, metadata: {sessionSync: {agent: `claude-code`, session: target.header.session}},
      time: {created: 1784541600000, updated: 1784541601000},
    });
    const [user, assistant] = file.messages;
    expect(user.info).toEqual({id: expect.stringMatching(/^msg_000000000001/), sessionID: target.id, role: `user`, time: {created: 1784541600000}, agent: `build`, model: {providerID: `fake`, modelID: `fake-model`}});
    expect(assistant.info).toEqual({
      id: expect.stringMatching(/^msg_000000000003/), sessionID: target.id, role: `assistant`, time: {created: 1784541601000, completed: 1784541601000}, parentID: user.info.id,
      providerID: `fake`, modelID: `fake-model`, mode: `build`, agent: `build`, path: {cwd: `/home/alice/shop`, root: `/home/alice/shop`}, cost: 0,
      tokens: {input: 0, output: 0, reasoning: 0, cache: {read: 0, write: 0}}, finish: `tool-calls`,
    });
    expect(assistant.parts).toEqual([{
      id: expect.stringMatching(/^prt_000000000004/), sessionID: target.id, messageID: assistant.info.id, type: `tool`, callID: `c1`, tool: `bash`,
      state: {
        status: `completed`, input: {command: `c1`, description: `c1`}, output: `out`, title: `c1`, metadata: {truncated: false, output: `out`, exit: 3},
        time: {start: 1784541601000, end: 1784541602000},
      },
    }]);
  });

  it(`no time in the future, none that goes back, and ids that ascend`, () => {
    const {text} = write(prompt(`a`), {...reply(`b`), time: `2031-01-01T00:00:00.000Z`} as Unplaced, {...prompt(`c`), time: `2020-01-01T00:00:00.000Z`} as Unplaced, reply(`d`));
    const {messages, info} = imported(text);
    const times = messages.map(({info}: any) => info.time.created);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.max(...times, info.time.updated)).toBe(NOW);
    const ids = messages.flatMap(({info, parts}: any) => [info.id.slice(4), ...parts.map(({id}: any) => id.slice(4))]);
    expect(ids).toEqual([...ids].sort());
    // Below all that the agent makes, at any time.
    expect(ids.every((id: string) => id.startsWith(`0000`))).toBe(true);
  });

  it(`images of prompts and of results`, () => {
    const image = {type: `image` as const, mediaType: `image/png`, data: `iVBORw0KGgo=`};
    const {text, report} = write({kind: `prompt`, content: [{type: `text`, text: `see`}, image]}, call(`c1`), result(`c1`, ``, {content: [image, {type: `text`, text: `t`}]}), call(`c2`), result(`c2`, ``, {content: [image], error: true}));
    const {messages} = imported(text);
    expect(messages[0].parts[1]).toMatchObject({type: `file`, mime: `image/png`, url: `data:image/png;base64,iVBORw0KGgo=`});
    expect(messages[1].parts[0].state).toMatchObject({output: `t`, attachments: [{type: `file`, mime: `image/png`, messageID: messages[1].info.id}]});
    expect(messages[2].parts[0].state).toMatchObject({status: `error`, error: `[image: image/png; not carried over]`});
    expect(report.items).toEqual([{seq: 4, kind: `result`, outcome: `reduced`, reason: `image of a failed call, named only`, count: 1}]);
  });

  it(`notes and interruptions, for the model alone`, () => {
    const {text} = write(prompt(`a`), {kind: `note`, what: `hook`, visible: true, text: `note`}, {kind: `note`, what: `env`, bytes: 3}, {kind: `interrupt`, during: `reply`}, prompt(`b`));
    const {messages} = imported(text);
    expect(messages.map(({parts}: any) => [parts[0].text, parts[0].synthetic ?? false])).toEqual([[`a`, false], [`note`, true], [`[Request interrupted by user]`, true], [`b`, false]]);
  });

  it(`a compaction as its own, with what it keeps after it`, () => {
    const {text} = write(prompt(`a`), call(`c1`, `m`), result(`c1`, `one`), reply(`b`, `n`), {kind: `compaction`, summary: `SUM`, trigger: `auto`, keep: [1, 2, 3]}, prompt(`d`));
    const {messages} = imported(text);
    expect(kinds(text)).toEqual([`user: a`, `assistant: bash completed`, `assistant: b`, `user: compaction`, `assistant: SUM`, `assistant: bash completed`, `assistant: b`, `user: d`]);
    expect(messages[3].parts[0]).toMatchObject({type: `compaction`, auto: true});
    expect(messages[4].info).toMatchObject({summary: true, finish: `stop`, mode: `compaction`, agent: `compaction`, parentID: messages[3].info.id});
    const ids = messages.map(({info}: any) => info.id);
    expect(ids).toEqual([...ids].sort());
    expect(new Set(messages.flatMap(({parts}: any) => parts.map(({id}: any) => id))).size).toBe(8);
  });

  it(`calls that were given up, or have no result yet`, () => {
    const open = write(prompt(`a`), call(`c1`));
    expect(imported(open.text).messages[1].parts[0].state).toMatchObject({status: `error`, error: `[No result was recorded for this call.]`});
    const late = write(prompt(`a`), call(`c1`), prompt(`b`), result(`c1`, `late`), result(`c9`, `lost`));
    expect(late.report.items.map(({reason}) => reason)).toEqual([`came when its call had been given up`, `its call is not in this history`]);
  });

  it(`what a session has grown by alone, when the rest is there`, () => {
    const before = write(prompt(`a`), reply(`b`, `m`));
    const after = write(prompt(`a`), reply(`b`, `m`), prompt(`c`));
    expect(after.text.startsWith(before.text)).toBe(true);
    expect(imported(after.text, {from: Buffer.byteLength(before.text)}).messages.map(({parts}: any) => parts[0].text)).toEqual([`c`]);
  });
});

describe(`the agent's own tools`, () => {
  const native = (record: object) => {
    const {messages} = imported(write(prompt(`go`), {kind: `call`, call: `c`, name: `Foreign`, input: {x: `1`}, ...record} as unknown as Unplaced, result(`c`, `ok`)).text);
    const {tool, state} = messages[1].parts[0];
    return [tool, state.input];
  };

  it.each([
    [{tool: `shell`, args: {command: `ls\nx`, workdir: `/w`, timeoutMs: 5}, input: {command: `ls\nx`, description: `D`, sandbox: `no`}}, [`bash`, {command: `ls\nx`, description: `D`, sandbox: `no`, timeout: 5, workdir: `/w`}]],
    [{tool: `read`, args: {path: `src/a.js`, offset: 3}}, [`read`, {filePath: `/home/alice/shop/src/a.js`, offset: 3}]],
    [{tool: `edit`, args: {path: `/a.js`, edits: [{old: `a`, new: `b`, all: true}]}}, [`edit`, {filePath: `/a.js`, oldString: `a`, newString: `b`, replaceAll: true}]],
    [{tool: `edit`, args: {path: `/a.js`, edits: []}}, [`Foreign`, {x: `1`}]],
    [{tool: `write`, args: {path: `/a.js`, content: `c`}}, [`write`, {filePath: `/a.js`, content: `c`}]],
    [{tool: `search`, args: {pattern: `*.js`, glob: `*.js`, mode: `files`}}, [`glob`, {pattern: `*.js`}]],
    [{tool: `search`, args: {pattern: `x`, path: `/p`, glob: `*.js`, mode: `content`}}, [`grep`, {pattern: `x`, path: `/p`, include: `*.js`}]],
    [{tool: `fetch`, args: {url: `https://example.org`, prompt: `p`}}, [`webfetch`, {url: `https://example.org`, format: `markdown`, prompt: `p`}]],
    [{tool: `fetch`, args: {query: `q`}}, [`websearch`, {query: `q`}]],
    [{tool: `plan`, args: {items: [{step: `s`, status: `in_progress`}]}}, [`todowrite`, {todos: [{content: `s`, status: `in_progress`, priority: `medium`}]}]],
    [{tool: `agent`, args: {prompt: `p`, description: `d`}}, [`task`, {description: `d`, prompt: `p`, subagent_type: `general`}]],
    [{tool: `mcp`, args: {server: `s`, tool: `t`, arguments: {a: 1}}}, [`s_t`, {a: 1}]],
    [{tool: `other`, input: [1]}, [`Foreign`, {input: [1]}]],
  ])(`%j`, (record, expected) => {
    expect(native(record)).toEqual(expected);
  });

  it(`a name that providers refuse is changed, and stays unique`, () => {
    expect(native({tool: `other`, name: `a b/c`})[0]).toMatch(/^a_b_c_x[0-9a-f]{16}$/);
  });
});

it(`judges nothing to be the agent's own but an empty end`, () => {
  expect([``, `\n`, `{"type":"message"}\n`].map(tail => opencode.target!.judge(tail))).toEqual([`opened`, `opened`, `continued`]);
});

it(`has a session id that the agent takes, another one for each generation and agent`, () => {
  expect(target.id).toMatch(/^ses_[0-9a-f]{12}[0-9A-Za-z]{14}$/);
  expect(opencode.target!.mirrorId(target.header.session, 1)).not.toBe(target.id);
  expect(open().begin()).toContain(target.id);
});

writerBattery({
  target: opencode.target!,
  writing: target,
  check: (text, {records}) => {
    const journal = readJournal(Buffer.from(text))!;
    expect(journal.size).toBe(Buffer.byteLength(text));
    const {info, messages} = imported(text);
    expect(info.id).toBe(target.id);
    const ids = messages.flatMap((message: any) => [message.info.id, ...message.parts.map(({id}: any) => id)]);
    expect(new Set(ids).size).toBe(ids.length);
    const order = messages.map(({info}: any) => [info.time.created, info.id]);
    expect(order).toEqual([...order].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)));
    for (const {info, parts} of messages) {
      expect(parts.length).toBeGreaterThan(0);
      expect(Number.isInteger(info.time.created)).toBe(true);
      for (const part of parts) {
        expect(part.messageID).toBe(info.id);
        if (part.type === `tool`) {
          expect([`completed`, `error`]).toContain(part.state.status);
          expect(typeof part.state.input === `object` && part.state.input !== null && !Array.isArray(part.state.input)).toBe(true);
          expect(part.tool).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          expect(typeof (part.state.output ?? part.state.error)).toBe(`string`);
        }
      }
    }
    // Everything that the model saw of calls is there.
    const calls = sinceCompaction(records).filter(record => record.kind === `call`).length;
    expect(messages.flatMap(({parts}: any) => parts).filter((part: any) => part.type === `tool`).length).toBeGreaterThanOrEqual(calls);
  },
});
