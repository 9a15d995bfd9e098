import {describe, expect, it}              from 'vitest';

import {linearize}                         from '../../../sources/interchange/index.ts';
import type {JsonObject, NeutralRecord}    from '../../../sources/interchange/index.ts';
import {opencode}                          from '../../../sources/agents/opencode/index.ts';
import {linesOf, readerBattery, readLines} from '../_battery.ts';

import {exported, journalOf, read}         from './_session.ts';
import type {Exported}                     from './_session.ts';

const tools = await journalOf(await exported(`01-tools/session.json`));
const compacted = await journalOf(await exported(`02-subagent-compaction-error/session.json`));
const child = await journalOf(await exported(`02-subagent-compaction-error/child.json`));

const short = (record: NeutralRecord) => {
  switch (record.kind) {
    case `prompt`: return `prompt ${record.content.map(part => part.type === `text` ? part.text : part.type).join(`|`)}`;
    case `reply`: return `reply ${record.text}${record.final ? ` (final)` : ``}`;
    case `call`: return `call ${record.name} ${record.tool}`;
    case `result`: return `result ${record.content.map(part => part.type === `text` ? part.text.split(`\n`)[0] : part.type).join(`|`)}${record.error ? ` (error)` : ``}`;
    case `compaction`: return `compaction ${record.trigger} ${record.summary}`;
    case `model`: return `model ${record.model}`;
    case `title`: return `title ${record.title}`;
    case `note`: return `note ${record.what}${record.visible ? ` ${record.text}` : ``}`;
    case `branch`: return `branch ${record.parent}`;
    case `leaf`: return `leaf ${record.at}`;
    default: return record.kind;
  }
};

describe(`a recorded session`, () => {
  it(`gives every prompt, text, call and result in the order in which the model got them`, () => {
    expect(read(tools).map(short)).toEqual([
      `title Fake title`,
      `prompt "Find the bug in total.js and fix it"`,
      `model fake/fake-model`,
      `reasoning`,
      `reply Let me read the file.`,
      `call read read`,
      `result <path>/home/alice/shop/total.js</path>`,
      `reply There is a bug. Fixing and checking.`,
      `call edit edit`,
      `call bash shell`,
      `result Edit applied successfully.`,
      `result  total.js | 2 +-`,
      `reply Write a note.`,
      `call write write`,
      `call bash shell`,
      `call read read`,
      `call todowrite plan`,
      `result Wrote file successfully.`,
      `result (no output)`,
      `result File not found: /home/alice/shop/missing.txt (error)`,
      `result [`,
      `plan`,
      `reply Fixed: the initial value is now 0. (final)`,
    ]);
  });

  it(`knows arguments, exit codes, patches and the plan`, () => {
    const records = read(tools);
    const calls = records.filter(record => record.kind === `call`);
    expect(calls.map(record => record.args)).toEqual([
      {path: `/home/alice/shop/total.js`},
      {path: `/home/alice/shop/total.js`, edits: [{old: `a + b, 1`, new: `a + b, 0`}]},
      {command: `git diff --stat; ls nosuchfile; echo rc=$?`},
      {path: `/home/alice/shop/NOTE.md`, content: `fixed\n`},
      {command: `exit 3`},
      {path: `/home/alice/shop/missing.txt`},
      {items: [{step: `fix total`, status: `completed`}]},
    ]);
    const results = records.filter(record => record.kind === `result`);
    expect(results.map(({exitCode}) => exitCode)).toEqual([undefined, undefined, 0, undefined, 3, undefined, undefined]);
    expect(results[1]!.patch).toEqual([{path: `/home/alice/shop/total.js`, change: `update`, diff: `@@ -1,1 +1,1 @@\n-export const total = (xs) => xs.reduce((a, b) => a + b, 1);\n+export const total = (xs) => xs.reduce((a, b) => a + b, 0);\n`}]);
    expect(results[3]!.patch).toEqual([{path: `/home/alice/shop/NOTE.md`, change: `add`, content: `fixed\n`}]);
    expect(records[1]).toEqual({seq: 1, kind: `prompt`, content: [{type: `text`, text: `"Find the bug in total.js and fix it"`}], id: `msg_204b2e27e001M58YDU9kz2g27r`, time: `2026-11-22T19:19:21.982Z`});
    expect(records[0]!.cwd).toBe(`/home/alice/shop`);
  });

  it(`knows compactions, errors that the agent leaves out, and where a sub-agent's own steps are`, () => {
    const records = read(compacted);
    expect(records.map(short)).toEqual([
      `title Fake title`,
      `prompt "Count files with a subagent"`,
      `model fake/fake-model`,
      `reply Delegating to a subagent.`,
      `call task agent`,
      `result <task id="ses_dfb255345ffeHn09SkjEvdLPAy" state="completed">`,
      `reply The subagent counted 2 files. (final)`,
      `prompt "And again"`,
      `reasoning`,
      `reply Second turn answer. (final)`,
      `compaction manual Fake title`,
      `prompt "After compaction"`,
      `reply SUMMARY: user asked to count files; there are 2. (final)`,
      `prompt "Provoke an error"`,
      `reply After compaction answer. (final)`,
      `prompt "Provoke an error"`,
      `note error`,
    ]);
    expect(records.find(record => record.kind === `result`)).toMatchObject({stream: `sub-ses_dfb255345ffeHn09SkjEvdLPAy`});
  });

  it(`says what the session is`, () => {
    const {reader} = readLines(opencode.source!, linesOf(tools), {name: `session.jsonl`});
    expect(reader.facts()).toMatchObject({
      nativeId: `ses_dfb4d1e17ffeGvdQe0dqqm2VXj`, version: `1.18.33`, cwd: `/home/alice/shop`, title: `Fake title`, model: `fake/fake-model`, idle: true, repairs: [],
      created: `2026-11-22T19:19:21.832Z`, updated: `2026-11-22T19:19:27.600Z`,
    });
  });
});

const session = (...messages: Array<[id: string, role: `user` | `assistant`, parts: Array<JsonObject>, more?: JsonObject]>): Exported => ({
  info: {id: `ses_1234abcd`, version: `1.18.33`, directory: `/home/alice/shop`, title: `New session - 2026-11-22T19:55:26.355Z`, time: {created: 1795375161000}},
  messages: messages.map(([id, role, parts, more], index) => ({
    info: {id, role, time: {created: 1795375161000 + index, ...role === `assistant` ? {completed: 1795375162000 + index} : {}}, ...role === `assistant` ? {finish: `stop`} : {}, ...more},
    parts: parts.map((part, at) => ({id: `prt_${id}_${at}`, ...part})),
  })),
});
const text = (value: string, more: JsonObject = {}) => ({type: `text`, text: value, ...more});
const tool = (callID: string, state: JsonObject, name = `bash`) => ({type: `tool`, tool: name, callID, state: {input: {command: callID}, ...state}});

describe(`parts of a message`, () => {
  it(`are told apart by who said them`, async () => {
    const journal = await journalOf(session(
      [`msg_a`, `user`, [
        text(`Look at @a.png`), {type: `file`, mime: `image/png`, url: `data:image/png;base64,iVBORw0KGgo=`, filename: `a.png`}, text(`Called the Read tool`, {synthetic: true}),
        text(`shown only`, {ignored: true}), text(`<system-reminder>plan</system-reminder>`, {synthetic: true}), {type: `agent`, name: `general`},
      ]],
      [`msg_b`, `assistant`, [text(`A picture.`)]],
    ));
    expect(read(journal).map(short)).toEqual([`prompt Look at @a.png|image`, `note synthetic Called the Read tool`, `note reminder`, `reply A picture. (final)`]);
  });

  it(`stand by steps: what is asked for first, then what came back`, async () => {
    const journal = await journalOf(session([`msg_a`, `user`, [text(`Go`)]], [`msg_b`, `assistant`, [
      {type: `step-start`}, text(`one`), tool(`c1`, {status: `completed`, output: `o1`}), tool(`c1`, {status: `error`, error: `e2`}),
      {type: `step-start`}, text(`two`), tool(`c3`, {status: `running`}),
    ]]));
    expect(read(journal).slice(1).map(short)).toEqual([
      `reply one`, `call bash shell`, `call bash shell`, `result o1`, `result e2 (error)`, `reply two`, `call bash shell`, `result [Tool execution was interrupted] (error)`,
    ]);
    expect(read(journal).flatMap(record => record.kind === `call` ? [record.call] : [])).toEqual([`c1`, `c1~2`, `c3`]);
  });

  it(`end where the person stopped it`, async () => {
    const journal = await journalOf(session([`msg_a`, `user`, [text(`Go`)]], [`msg_b`, `assistant`, [text(`I beg`)], {finish: `stop`, error: {name: `MessageAbortedError`, data: {}}}]));
    expect(read(journal).slice(1)).toMatchObject([{kind: `reply`, text: `I beg`, partial: true}, {kind: `interrupt`, during: `reply`}]);
  });

  it(`are kept by a compaction from the message on that it names`, async () => {
    const journal = await journalOf(session(
      [`msg_a`, `user`, [text(`one`)]], [`msg_b`, `assistant`, [text(`1`)]], [`msg_c`, `user`, [text(`two`)]], [`msg_d`, `assistant`, [text(`2`)]],
      [`msg_e`, `user`, [{type: `compaction`, auto: true, tail_start_id: `msg_c`}]], [`msg_f`, `assistant`, [text(`SUM`)], {summary: true}], [`msg_g`, `user`, [text(`three`)]], [`msg_h`, `assistant`, [text(`3`)]],
    ));
    expect(read(journal).find(record => record.kind === `compaction`)).toMatchObject({summary: `SUM`, trigger: `auto`, keep: [2, 3]});
  });
});

describe(`a session that is rewound`, () => {
  const [a, b, c, d] = [[`msg_a`, `user`, [text(`one`)]], [`msg_b`, `assistant`, [text(`1`)]], [`msg_c`, `user`, [text(`two`)]], [`msg_d`, `assistant`, [text(`2`)]]] as const;
  const x = [`msg_x`, `user`, [text(`other`)]] as const;
  const y = [`msg_y`, `assistant`, [text(`o`)]] as const;
  const of = (...messages: Array<typeof a | typeof b>) => session(...messages.map(([id, role, parts]) => [id, role, [...parts]] as [string, `user` | `assistant`, Array<JsonObject>]));
  const live = (journal: string) => linearize(read(journal)).map(short);

  it(`ends where it was undone, and goes on from there`, async () => {
    const undone = await journalOf(of(a, b, c as never, d as never), of(a, b));
    expect(live(undone)).toEqual([`prompt one`, `reply 1 (final)`]);
    const other = await journalOf(of(a, b, c as never, d as never), of(a, b), of(a, b, x as never, y as never));
    expect(live(other)).toEqual([`prompt one`, `reply 1 (final)`, `prompt other`, `reply o (final)`]);
    expect(other.startsWith(undone)).toBe(true);
  });

  it(`comes back when the undoing is undone, and may be undone further`, async () => {
    expect(live(await journalOf(of(a, b, c as never, d as never), of(a, b), of(a, b, c as never, d as never)))).toEqual([`prompt one`, `reply 1 (final)`, `prompt two`, `reply 2 (final)`]);
    expect(live(await journalOf(of(a, b, c as never, d as never), of(a, b), of(a), of(a, y as never)))).toEqual([`prompt one`, `reply o (final)`]);
    expect(live(await journalOf(of(a, b), of(x as never, y as never)))).toEqual([`prompt other`, `reply o (final)`]);
  });

  it(`is not written twice, and waits for what is still being written`, async () => {
    const once = await journalOf(of(a, b));
    expect(await journalOf(of(a, b), of(a, b))).toBe(once);
    const open = session([`msg_a`, `user`, [text(`one`)]], [`msg_b`, `assistant`, [text(`unfin`)], {time: {created: 1795375161001}}]);
    expect(live(await journalOf(open))).toEqual([`prompt one`]);
    expect(await journalOf(of())).toBe(``);
  });
});

it(`asks to start over where a line refers further back than the state reaches`, async () => {
  const many = session(...Array.from({length: 1_500}, (_, index) => [`msg_${String(index).padStart(5, `0`)}`, index % 2 === 0 ? `user` : `assistant`, [text(`${index}`)]] as [string, `user` | `assistant`, Array<JsonObject>]));
  const journal = await journalOf(many, {...many, messages: many.messages.slice(0, 10)});
  expect(linearize(read(journal))).toHaveLength(10);
  const reader = opencode.source!.openReader({name: `session.jsonl`, stream: `main`});
  expect(() => linesOf(journal).map(line => reader.push(line))).toThrow(/out of reach/);
  expect(JSON.stringify(reader.save()).length).toBeLessThan(200_000);
});

readerBattery(opencode.source!, [{name: `tools.jsonl`, text: tools}, {name: `compacted.jsonl`, text: compacted}, {name: `child.jsonl`, text: child, stream: `sub-x`}]);
