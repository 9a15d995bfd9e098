import {expect, it}                           from 'vitest';

import {copilot}                              from '../../../sources/agents/copilot/index.ts';
import type {Json, Unplaced}                  from '../../../sources/interchange/index.ts';
import {writerBattery}                        from '../_battery.ts';

import {call, open, parse, prompt, reply, result, shell, target, write} from './_session.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

writerBattery({
  target: copilot.target!,
  writing: target,
  check: text => {
    const events = parse(text);
    expect(events[0]!.type).toBe(`session.start`);
    expect(events[0]!.data).toMatchObject({sessionId: target.id, version: 1, producer: `session-sync`, copilotVersion: `1.0.102`, startTime: target.header.created});
    const calls = new Set<string>();
    for (const [index, event] of events.entries()) {
      expect(event.id).toMatch(UUID);
      expect(event.parentId).toBe(index === 0 ? null : events[index - 1]!.id);
      expect(event.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      if (event.type === `assistant.message`) {
        expect(event.data.messageId).toMatch(UUID);
        expect(typeof event.data.content).toBe(`string`);
        for (const request of event.data.toolRequests ?? []) {
          expect(request.toolCallId).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          expect(request.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          expect(typeof request.arguments).toBe(`object`);
          calls.add(request.toolCallId);
        }
      }
      if (event.type === `user.message`)
        expect(typeof event.data.content).toBe(`string`);
      if (event.type === `tool.execution_complete`) {
        expect(calls.has(event.data.toolCallId), `a result follows its call`).toBe(true);
        expect(typeof (event.data.success ? event.data.result.content : event.data.error.message)).toBe(`string`);
      }
    }
    expect(new Set(events.map(({id}) => id)).size).toBe(events.length);
  },
});

it(`begins with all that Copilot requires, and puts each kind in its place`, () => {
  const first = open().begin();
  expect(parse(first)).toEqual([{
    type: `session.start`,
    data: {sessionId: target.id, version: 1, producer: `session-sync`, copilotVersion: `1.0.102`, startTime: `2026-11-20T10:00:00.000Z`, context: {cwd: `/home/alice/shop`, branch: `main`}},
    id: expect.stringMatching(UUID), timestamp: `2026-11-20T10:00:00.000Z`, parentId: null,
  }]);

  const {briefs, report, writer, events} = write(
    prompt(`/help`),
    {kind: `reasoning`, text: `hm`, message: `m1`},
    reply(`I look`, {message: `m1`, model: `gpt-x`}),
    shell(`a`, `ls`, {message: `m1`}),
    {kind: `call`, call: `b|1`, name: `no such/tool`, tool: `other`, input: [1], message: `m1`} as Unplaced,
    result(`a`, `out\n`, {exitCode: 3, error: true}),
    result(`b|1`, `bad`, {error: true}),
    reply(`Done`, {message: `m2`, final: true}),
    {kind: `interrupt`, during: `reply`},
    {kind: `note`, what: `hook`, visible: true, text: `says`},
    {kind: `note`, what: `reminder`, bytes: 7},
    {kind: `title`, title: `A\n\u001b[31mtitle`, origin: `generated`},
    {kind: `model`, model: `x`},
    prompt(`  `),
  );
  const mapped = expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  expect(briefs).toEqual([
    [`user.message`, {content: `/help`}],
    [`assistant.message`, {content: `I look`, model: `gpt-x`, apiCallId: `m1`, reasoningText: `hm`}],
    [`assistant.message`, {content: ``, apiCallId: `m1`, toolRequests: [
      {toolCallId: `a`, name: `bash`, arguments: {command: `ls`, description: `Look`}, type: `function`},
      {toolCallId: mapped, name: mapped, arguments: {input: [1]}, type: `function`},
    ]}],
    [`tool.execution_complete`, {toolCallId: `a`, success: true, shellExecution: {exitCode: 3}, result: {content: `out\n<command completed with exit code 3>`}}],
    [`tool.execution_complete`, {toolCallId: mapped, success: false, error: {message: `bad`, code: `failure`}}],
    [`assistant.message`, {content: `Done`, apiCallId: `m2`}],
    [`abort`, {reason: `user_initiated`}],
    [`system.notification`, {content: `says`, kind: {type: `unclassified`}}],
  ]);
  expect(events[4]!.data.toolCallId).toBe(events[2]!.data.toolRequests[1].toolCallId);
  expect(report).toMatchObject({kept: 10, reduced: 1, dropped: 3});
  expect(writer.title()).toBe(`A title`);
});

it.each<[string, Unplaced, object]>([
  [`view`, call(`read`, `Read`, {path: `a`}), {path: `a`}],
  [`view`, call(`read`, `Read`, {path: `a`, offset: 10, limit: 5}), {path: `a`, view_range: [10, 14]}],
  [`view`, call(`read`, `Read`, {path: `a`, offset: 10}), {path: `a`, view_range: [10, -1]}],
  [`edit`, call(`edit`, `Edit`, {path: `a`, edits: [{old: `x`, new: `y`}]}), {path: `a`, old_str: `x`, new_str: `y`}],
  [`create`, call(`edit`, `Edit`, {path: `a`, edits: [{old: ``, new: `y`}]}), {path: `a`, file_text: `y`}],
  [`Edit`, call(`edit`, `Edit`, {path: `a`, edits: [{old: `x`, new: `y`, all: true}]}), {native: true}],
  [`MultiEdit`, call(`edit`, `MultiEdit`, {path: `a`, edits: [{old: `x`, new: `y`}, {old: `z`, new: `y`}]}), {native: true}],
  [`create`, call(`write`, `Write`, {path: `a`, content: `c`}), {path: `a`, file_text: `c`}],
  [`grep`, call(`search`, `Grep`, {pattern: `p`, path: `src`, glob: `*.js`, mode: `content`}), {pattern: `p`, paths: `src`, glob: `*.js`, output_mode: `content`}],
  [`glob`, call(`search`, `Glob`, {pattern: `*.js`, glob: `*.js`, mode: `files`}), {pattern: `*.js`}],
  [`web_fetch`, call(`fetch`, `WebFetch`, {url: `https://example.org`}), {url: `https://example.org`}],
  [`web_search`, call(`fetch`, `WebSearch`, {query: `q`}), {query: `q`}],
  [`task`, call(`agent`, `Agent`, {prompt: `p`, description: `d`, role: `explore`}), {description: `d`, prompt: `p`, agent_type: `explore`, name: `d`, mode: `sync`}],
  [`TodoWrite`, call(`plan`, `TodoWrite`, {items: []}), {native: true}],
  [`cal-add`, call(`mcp`, `mcp__cal__add`, {server: `cal`, tool: `add`, arguments: {day: 1}}), {day: 1}],
])(`writes %s`, (name, record, input) => {
  const request = write(record).events[0]!.data.toolRequests[0];
  expect([request.name, request.arguments]).toEqual([name, input]);
  if (name === `cal-add`)
    expect(request).toMatchObject({mcpServerName: `cal`, mcpToolName: `add`});
});

it(`sends images of prompts with them, and those of results behind them`, () => {
  const image = {type: `image` as const, mediaType: `image/png`, data: `AAAA`};
  const {briefs, report} = write(
    {kind: `prompt`, content: [image]},
    shell(`a`, `x`),
    {kind: `result`, call: `a`, content: [{type: `text`, text: `t`}, image, {type: `image`, mediaType: `image/svg+xml`, data: `AAAA`}]},
  );
  expect(briefs.filter(([type]) => type === `user.message`)).toEqual([
    [`user.message`, {content: ``, attachments: [{type: `blob`, mimeType: `image/png`, displayName: `image`, data: `AAAA`}]}],
    [`user.message`, {content: ``, attachments: [{type: `blob`, mimeType: `image/png`, displayName: `image in the result of Bash`, data: `AAAA`}]}],
  ]);
  expect(report.items.map(({reason}) => reason)).toEqual([`image of a kind that Copilot does not take, named only; its images follow it as a message`]);
});

it(`says again what a compaction keeps, calls and results together`, () => {
  const {briefs, report} = write(
    prompt(`one`), shell(`a`, `x`, {message: `m`}), shell(`b`, `y`, {message: `m`}), result(`a`, `A`), result(`b`, `B`), reply(`two`),
    {kind: `compaction`, summary: `S`, trigger: `auto`, keep: [1, 2, 3, 4, 5]}, prompt(`three`),
  );
  const at = briefs.findIndex(([type]) => type === `session.compaction_complete`);
  expect(briefs[at]).toEqual([`session.compaction_complete`, {success: true, summaryContent: `S`, trigger: `threshold`}]);
  expect(briefs.slice(at + 1)).toEqual(briefs.slice(1, at).concat([[`user.message`, {content: `three`}]]));
  expect(report.kept).toBe(8);

  const lost = write(prompt(`one`), {kind: `compaction`, summary: `S`, keep: [0, 99]}, prompt(`two`));
  expect(lost.report.items).toEqual([{seq: 1, kind: `compaction`, outcome: `reduced`, reason: `some of the messages it keeps lie too far back and are left to the summary`, count: 1}]);
});

it(`does not lose a line to nesting that Copilot's parser gives up at`, () => {
  let input: Json = `end`;
  for (let depth = 0; depth < 300; depth++)
    input = {a: input};
  const {events, report} = write({kind: `call`, call: `a`, name: `deep`, tool: `other`, input} as Unplaced);
  expect(events[0]!.data.toolRequests[0].arguments).toEqual({input: JSON.stringify(input)});
  expect(report.reduced).toBe(1);
});
