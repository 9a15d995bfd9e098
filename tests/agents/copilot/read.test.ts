import {expect, it}              from 'vitest';

import {copilot}                 from '../../../sources/agents/copilot/index.ts';
import {NeedsFullRead}           from '../../../sources/agents/types.ts';
import {linearize}               from '../../../sources/interchange/index.ts';
import {linesOf, readerBattery}  from '../_battery.ts';

import {brief, event, fixture, lines, read} from './_read.ts';

readerBattery(copilot.source!, [`02-subagent-error`, `03-terminal`].map(name => ({name: `events.jsonl of ${name}`, text: fixture(name)})));


it(`reads calls with their arguments, changes and exit codes`, () => {
  const {records, reader} = read(fixture(`01-tools`));
  expect(records.map(brief)).toEqual([
    `prompt: Find the bug in total.js and fix it`,
    `model: fake-model`,
    `reasoning: I should look at the file first.`,
    `reply: Let me read the file.`,
    `call view as read`,
    `result: export const total = (xs) => xs.reduce((a, b) => a + b, 1);`,
    `reply: There is a bug. Fixing and checking.`,
    `call edit as edit`,
    `call bash as shell`,
    `result: File /home/alice/shop/total.js updated with changes.`,
    `result (exit 0): total.js | 2 +-`,
    `reply: Write a note.`,
    `call create as write`,
    `call bash as shell`,
    `call view as read`,
    `call grep as search`,
    `result (error): Path does not exist`,
    `result: Created file /home/alice/shop/NOTE.md with 6 characters`,
    `result: /home/alice/shop/total.js`,
    `result (exit 3): `,
    `reply (final): Fixed: the initial value is now 0.`,
  ]);
  expect(records[0]).toEqual({
    seq: 0, kind: `prompt`, content: [{type: `text`, text: `Find the bug in total.js and fix it`}],
    id: `49ef649d-ba89-4b79-98d0-e03692d5ca90`, time: `2026-11-22T20:05:04.464Z`, cwd: `/home/alice/shop`, head: {branch: `main`, commit: `c1805c62f31dac78d50c3de813144988ffc92b33`},
  });
  expect(records[7]).toMatchObject({
    call: `call_fake_1318_2`, name: `edit`, message: `chatcmpl-fake-2`, model: `fake-model`, tool: `edit`,
    args: {path: `/home/alice/shop/total.js`, edits: [{old: `a + b, 1`, new: `a + b, 0`}]},
    input: {path: `/home/alice/shop/total.js`, old_str: `a + b, 1`, new_str: `a + b, 0`},
  });
  expect(records[9]).toMatchObject({patch: [{path: `/home/alice/shop/total.js`, change: `update`, diff: `@@ -1,2 +1,2 @@\n-export const total = (xs) => xs.reduce((a, b) => a + b, 1);\n+export const total = (xs) => xs.reduce((a, b) => a + b, 0);\n`}]});
  expect(records[17]).toMatchObject({patch: [{path: `/home/alice/shop/NOTE.md`, change: `add`, content: `fixed\n`}]});
  expect(reader.facts()).toMatchObject({nativeId: `51a9f71d-55ef-42a9-8810-485157d76f71`, version: `1.0.102`, cwd: `/home/alice/shop`, branch: `main`, model: `fake-model`, repairs: [], idle: true});
});

it(`keeps sub-agents out of the conversation, and errors silent`, () => {
  const {records, reader} = read(fixture(`02-subagent-error`));
  expect(records.map(brief)).toEqual([
    `prompt: Count files with a subagent`, `model: fake-model`, `reply: Delegating.`, `call task as agent`, `result (sub-a31a8af5): There are 2 files.`,
    `reply (final): The subagent counted 2 files.`, `prompt: And again`, `reasoning: easy one`, `reply (final): Second turn answer.`, `prompt: Provoke`, `note error`,
  ]);
  expect(records[4]).toMatchObject({stream: `sub-a31a8af5-2cf0-41c7-9696-67b6c4e7d89f`});
  expect(reader.facts().ignored).toMatchObject({'sub-agent': 11});
});

it(`reads what a person does in the terminal: shell mode, steering, background, interruption, compaction`, () => {
  expect(read(fixture(`03-terminal`)).records.map(brief)).toEqual([
    `model: fake-model`, `prompt: Hello one`, `reply (final): First answer.`, `visible note shell-mode: <user_shell_command_output>`,
    `prompt: Second: run`, `reply: Running`, `call bash as shell`, `result (exit 0): hi`, `reply (final): After interrupt.`,
    `prompt: Third: after`, `reply: Slow`, `call bash as shell`, `result: <command with shellId: 1 moved to background by the user. Yo`,
    `prompt (mid-turn): Fourth: slow`, `reply (final): steered.`, `visible note notification/shell_completed: <system_notification>`,
    `call read_bash as other`, `result: hi2`, `reply (final): x1`, `prompt: Steer me`, `reply (final): x2`,
    `prompt: Fifth: interrupt me`, `reply: Run it`, `call bash as shell`, `call bash as shell`, `result (exit 0): quick`,
    `result (error) (healed): The execution of this tool, or a previous tool was interrupt`, `interrupt during tool`,
    `prompt: Sixth: after`, `reply (final): After real interrupt.`,
    `compaction manual, keeps 1 4 9 13 19 21 28: y2`,
    `prompt: Seventh: after compactNinth after rewind`, `reply (final): y5`,
  ]);
});

it(`takes an image from the event that stands before it, and the file of a large output`, () => {
  const {records} = read(fixture(`04-image-large-output`));
  const results = records.filter(record => record.kind === `result`);
  expect(results.find(({content}) => content.some(({type}) => type === `image`))!.content[1]).toMatchObject({type: `image`, mediaType: `image/png`, data: expect.stringMatching(/^iVBOR/)});
  expect(results.find(({full}) => full !== undefined)).toMatchObject({full: {path: `/tmp/copilot-tool-output-1.txt`}, exitCode: 0});
});

it(`keeps what was said while a compaction was made, and leaves out one that failed`, () => {
  const {records} = read(lines(
    event(`user.message`, {content: `one`}), event(`assistant.message`, {messageId: `m`, content: `two`}),
    event(`session.compaction_start`, {}), event(`user.message`, {content: `three`}), event(`assistant.message`, {messageId: `n`, content: `four`}),
    event(`session.compaction_complete`, {success: true, summaryContent: `S`, trigger: `threshold`, preCompactionTokens: 5}),
    event(`session.compaction_complete`, {success: false, error: `no`}),
  ));
  expect(records[4]).toMatchObject({kind: `compaction`, summary: `S`, trigger: `auto`, keep: [0, 2, 3], tokensBefore: 5});
  expect(records).toHaveLength(5);
});

it(`says what Copilot told its model in the person's place`, () => {
  const {records} = read(lines(
    event(`user.message`, {content: `typed`, transformedContent: `<current_datetime>x</current_datetime>\n\ntyped`}),
    event(`user.message`, {content: `a skill`, source: `skill-pdf`}),
    event(`user.message`, {content: `go on`, isAutopilotContinuation: true}),
    event(`user.message`, {content: `see`, attachments: [{type: `blob`, mimeType: `image/png`, data: `AAAA`}, {type: `file`, path: `/home/alice/shop/a.js`, displayName: `a.js`}]}),
    event(`skill.context_delivered`, {content: `how to`, source: `skill-pdf`}),
    event(`system.message`, {role: `system`, content: `own prompt`}),
  ));
  expect(records.map(brief)).toEqual([`prompt: typed`, `visible note skill-pdf: a skill`, `visible note autopilot: go on`, `prompt: see\n[image]\n[other]`, `visible note skill: how to`]);
});

it(`begins anew where the history was cleared`, () => {
  const {records} = read(lines(event(`user.message`, {content: `one`}), event(`session.context_cleared`, {messagesCleared: 1}), event(`user.message`, {content: `two`})));
  expect(records.map(brief)).toEqual([`prompt: one`, `branch from -1: cleared`, `prompt: two`]);
  expect(linearize(records).map(({seq}) => seq)).toEqual([2]);
});

it(`asks for a full read where it goes back further than it remembers`, () => {
  const first = event(`user.message`, {content: `first`});
  const many = Array.from({length: 5_000}, (_, index) => event(`assistant.message`, {messageId: `m`, content: String(index)}));
  const rewound = JSON.stringify({type: `session-sync.rewound`, data: {upTo: (JSON.parse(first) as {id: string}).id}});
  const reader = copilot.source!.openReader({name: `events.jsonl`, stream: `main`});
  expect(() => linesOf(lines(first, ...many, rewound)).forEach(line => reader.push(line))).toThrow(NeedsFullRead);
  expect(JSON.stringify(reader.save()).length).toBeLessThan(200_000);
  expect(read(lines(first, ...many, rewound)).records.at(-1)).toMatchObject({kind: `branch`, parent: -1, reason: `rewound`});
});

it(`repairs broken lines, lost results and unknown places`, () => {
  const {records, reader} = read(lines(
    `{"type":"user.me`, ``, event(`tool.execution_complete`, {toolCallId: `x`, success: true, result: {content: `lost`}}),
    event(`assistant.message`, {messageId: `m`, content: ``, toolRequests: [{toolCallId: `c`, name: `bash`, arguments: {command: `a`}}, {toolCallId: `c`, name: ``, arguments: `text`}]}),
    JSON.stringify({type: `session-sync.rewound`, data: {upTo: `nowhere`}}),
    event(`some.future_event`, {}),
  ));
  expect(records.map(brief)).toEqual([`call bash as shell`, `call unknown as other`]);
  expect(reader.facts().repairs.map(({code}) => code)).toEqual([`bad-line`, `result-without-call`, `duplicate-call`, `unknown-rewind`]);
  expect(reader.facts()).toMatchObject({ignored: {'some.future_event': 1}, idle: false});
});
