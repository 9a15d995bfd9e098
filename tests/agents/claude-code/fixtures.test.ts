import {readFileSync}                                   from 'node:fs';
import path                                             from 'node:path';
import {describe, expect, it}                           from 'vitest';

import {linearize, sinceCompaction}                     from '../../../sources/interchange/index.ts';
import type {NeutralRecord, ResultRecord}               from '../../../sources/interchange/index.ts';

import {fileLines, fixtureFile, handwritten, outline, read, text} from './_read.ts';

function readFixture(number: string) {
  return read(fileLines(fixtureFile(number)));
}

/** What the model gets when the session is resumed, as far as it is the session's own. */
function seen(records: Array<NeutralRecord>) {
  return outline(sinceCompaction(linearize(records))).filter(line => !/^(model|plan|title)/.test(line));
}

function results(records: Array<NeutralRecord>) {
  return records.filter((record): record is ResultRecord => record.kind === `result`);
}

describe(`01: tools, parallel calls, failures, image, large output, MCP, sub-agent`, () => {
  const {records, reader} = readFixture(`01`);

  it(`has every prompt, text, call and result in the order of the file`, () => {
    expect(outline(records)).toEqual([
      `prompt: Räum den Warenkorb auf: größe & total, 日本語 👋`,
      `model: claude-opus-5-5`,
      `reasoning: The user wants a cart clean-up. First look around. Überlegen …`,
      `reply: I will look around first. Grüße, 你好 👋`,
      `call Bash as shell`,
      `result (exit 0): README.md`,
      `call Bash as shell`,
      `call Read as read`,
      `call Read as read`,
      `result (error) (exit 3): Exit code 3`,
      `result (error): File does not exist. Note: your current working directory is`,
      `result: 1\t# Shop`,
      `call Write as write`,
      `result: File created successfully at: /home/alice/shop/src/cart.js (`,
      `reply: Now a small fix.`,
      `call Edit as edit`,
      `result: The file /home/alice/shop/src/cart.js has been updated succe`,
      `call Grep as search`,
      `call Glob as search`,
      `result: src/cart.js`,
      `result: src/cart.js:2:export const total = (xs) => xs.reduce((a, b) `,
      `call TaskCreate as other`,
      `result: Task #1 created successfully: Write tests`,
      `plan: Write tests pending`,
      `call TaskUpdate as other`,
      `result: Updated task #1 status`,
      `plan: Write tests completed`,
      `call Read as read`,
      `result: [image]`,
      `call Bash as shell`,
      `result (exit 0): <persisted-output>`,
      `call Agent as agent`,
      `result: [Subagent hand-back] The text below is the final report of a`,
      `call MultiEdit as edit`,
      `result (error): <tool_use_error>Error: No such tool available: MultiEdit</to`,
      `reply (final): All done — das war's. ✅\n\n\`\`\`js\ntotal([{price: 1}])\n\`\`\``,
      `prompt: Und jetzt die Bestände, bitte.`,
      `call mcp__stock__lookup_item as mcp`,
      `result: {"stock":12}`,
      `reply (final): Es sind 12 Stück da.`,
    ]);
  });

  it(`keeps what each tool says beside its text`, () => {
    const byText = (start: string) => results(records).find(record => text(record.content).startsWith(start))!;
    expect(byText(`File created`).patch).toEqual([{
      path: `/home/alice/shop/src/cart.js`, change: `add`, content: `// Größe\nexport const total = (xs) => xs.reduce((a, b) => a + b, 0);\n`,
    }]);
    expect(byText(`The file`).patch).toEqual([{
      path: `/home/alice/shop/src/cart.js`, change: `update`,
      diff: `@@ -1,2 +1,2 @@\n // Größe\n-export const total = (xs) => xs.reduce((a, b) => a + b, 0);\n+export const total = (xs) => xs.reduce((a, b) => a + b.price, 0);\n`,
    }]);
    expect(byText(`<persisted-output>`).full).toMatchObject({path: expect.stringMatching(/\/tool-results\/b0dgnbrhm\.txt$/)});
    expect(byText(`[Subagent`).stream).toBe(`sub-a82ee276af4c04708`);
    expect(results(records).flatMap(record => record.content).find(part => part.type === `image`)).toMatchObject({mediaType: `image/png`, data: expect.stringMatching(/^iVBOR/)});
    expect(records.find(record => record.kind === `call` && record.tool === `mcp`)).toMatchObject({args: {server: `stock`, tool: `lookup_item`, arguments: {sku: `A-1ü`}}, input: {sku: `A-1ü`}});
    expect(records.find(record => record.kind === `call` && record.name === `Agent`)).toMatchObject({args: {prompt: `SUBAGENT-ALPHA find all cart code`, description: `Find the cart`, role: `general-purpose`}});
    expect(records.find(record => record.kind === `call` && record.name === `Edit`)).toMatchObject({args: {edits: [{old: `a + b`, new: `a + b.price`}]}});
  });

  it(`knows who it is, and that the turn has ended`, () => {
    expect(reader.facts()).toMatchObject({
      nativeId: `02379d98-d9e4-440b-9f94-2e86aeee1dcc`, version: `2.1.330`, cwd: `/home/alice/shop`, branch: `main`, model: `claude-opus-5-5`,
      created: `2026-11-22T19:54:10.992Z`, repairs: [], idle: true, counts: {prompt: 2, reply: 4, call: 15, result: 15, plan: 2},
    });
    expect(records[0]).toMatchObject({seq: 0, cwd: `/home/alice/shop`, head: {branch: `main`}, id: expect.stringMatching(/^8727e2/)});
    expect(records.filter(record => record.cwd !== undefined)).toHaveLength(1);
  });

  it(`leaves the log of model requests alone, and says so`, () => {
    expect(reader.facts().ignored).toMatchObject({[`api-request-blob`]: 4, [`api-request`]: 14, [`queue-operation`]: 4});
    expect(records.filter(record => record.kind === `note`).every(record => !record.visible && record.text === undefined && record.bytes! > 0)).toBe(true);
  });

  it(`reads the sub-agent's own file the same way`, () => {
    const file = path.join(fixtureFile(`01`).replace(/\.jsonl$/, ``), `subagents/agent-a82ee276af4c04708.jsonl`);
    const sub = read(fileLines(file), {stream: `sub-a82ee276af4c04708`});
    expect(outline(sub.records)[0]).toBe(`prompt: SUBAGENT-ALPHA find all cart code`);
    expect(outline(sub.records).at(-1)).toBe(`reply (final): Found src/cart.js only (sub-agent report, größe).`);
    expect(sub.reader.facts()).toMatchObject({repairs: [], idle: true});
    // The same lines in a main file are those of an old version's sub-agent.
    expect(read(fileLines(file)).records).toEqual([]);
  });
});

describe(`02: questions, background sub-agent, plan mode, edited prompt, title, compaction, shell mode`, () => {
  const {records, reader} = readFixture(`02`);

  it(`has the whole tree`, () => {
    expect(outline(records)).toEqual([
      `prompt: Plane die Prüfung: größe & total 你好`,
      `model: claude-opus-5-5`,
      `reply: Let me ask.`,
      `call AskUserQuestion as ask`,
      `result: Your questions have been answered: "Which library should we `,
      `call TaskCreate as other`,
      `result (error): <tool_use_error>Error: No such tool available: TaskCreate. T`,
      `call TaskUpdate as other`,
      `result (error): <tool_use_error>Error: No such tool available: TaskUpdate. T`,
      `call Agent as agent`,
      `result: Async agent launched successfully. (This tool result is inte`,
      `call Bash as shell`,
      `call Bash as shell`,
      `result (exit 0): three`,
      `result (exit 0): two`,
      `visible note: task-notification`,
      `call EnterPlanMode as other`,
      `result: Entered plan mode. You should now focus on exploring the cod`,
      `call ExitPlanMode as plan`,
      `result: User has approved exiting plan mode. You can now proceed.`,
      `plan: # Plan\n1. do it`,
      `reply (final): First turn done ✅`,
      `prompt: Zweite Frage, bitte langsam`,
      `reply: Second turn, slow …`,
      `call Bash as shell`,
      `result (error): <tool_use_error>Blocked: standalone sleep 30. To wait for a `,
      `reply (final): Third turn after the interrupt.`,
      `branch from 35: edited prompt`,
      `prompt: Zweite Frage, bitte langsam BEARBEITET`,
      `reply (final): Answer to the edited prompt.`,
      `title (custom): Warenkorb Prüfung`,
      `visible note: local-command`,
      `visible note: local-command`,
      `compaction, keeps 43 45 46`,
      `visible note: local-command`,
      `visible note: local-command`,
      `visible note: local-command`,
      `prompt: weiter nach der Kompaktierung`,
      `reply (final): After compaction I go on.`,
      `visible note: shell-mode`,
      `visible note: shell-mode`,
      `reply (final): fake: script used up`,
    ]);
    expect(records[35]).toMatchObject({kind: `reply`, text: `First turn done ✅`});
  });

  it(`sends what Claude Code sends: the summary, what was kept, and what came after`, () => {
    expect(seen(records)).toEqual([
      `compaction, keeps 43 45 46`,
      `reply (final): Answer to the edited prompt.`,
      `visible note: local-command`,
      `visible note: local-command`,
      `visible note: local-command`,
      `visible note: local-command`,
      `visible note: local-command`,
      `prompt: weiter nach der Kompaktierung`,
      `reply (final): After compaction I go on.`,
      `visible note: shell-mode`,
      `visible note: shell-mode`,
      `reply (final): fake: script used up`,
    ]);
    expect(records.find(record => record.kind === `compaction`)).toMatchObject({trigger: `manual`, tokensBefore: 5979, summary: expect.stringMatching(/^This session is being continued [^]*kept verbatim\./)});
  });

  it(`leaves the abandoned prompt out of the live history, and keeps it`, () => {
    const live = outline(linearize(records));
    expect(live).not.toContain(`prompt: Zweite Frage, bitte langsam`);
    expect(live).toContain(`prompt: Zweite Frage, bitte langsam BEARBEITET`);
    expect(live).toContain(`prompt: Plane die Prüfung: größe & total 你好`);
  });

  it(`gives a notification as the model sees it`, () => {
    const note = records.find(record => record.kind === `note` && record.what === `task-notification`);
    expect(note).toMatchObject({visible: true, text: expect.stringMatching(/^\[SYSTEM NOTIFICATION - NOT USER INPUT\][^]*Found src\/cart\.js \(sub-agent report\)\.[^]*<\/task-notification>$/)});
  });

  it(`knows the title`, () => {
    expect(reader.facts()).toMatchObject({title: `Warenkorb Prüfung`, repairs: [], idle: true});
  });
});

describe(`03: interrupted, denied, compacted`, () => {
  const {records, reader} = readFixture(`03`);

  it(`tells a call that was stopped from one that was refused`, () => {
    expect(outline(records).slice(6, 25)).toEqual([
      `prompt: lange Antwort`,
      `reasoning: long thought that is cut`,
      `reply (partial): I will be cut off here in the middle of a long answer that`,
      `interrupt during reply`,
      `prompt: hängendes Werkzeug`,
      `reply: Now a tool that hangs.`,
      `call Bash as shell`,
      `call Bash as shell`,
      `result (error) (interrupted): The user doesn't want to proceed with this tool use. The too`,
      `result (error) (denied): The user doesn't want to proceed with this tool use. The too`,
      `interrupt during tool`,
      `prompt: jetzt löschen`,
      `reply: Now a denied one.`,
      `call Bash as shell`,
      `result (error) (denied): The user doesn't want to proceed with this tool use. The too`,
      `interrupt during tool`,
      `prompt: dann nicht`,
      `reply (final): Fine, then not.`,
      `prompt: Aufgaben anlegen`,
    ]);
  });

  it(`makes no plan of plan tools that failed`, () => {
    expect(records.filter(record => record.kind === `plan`)).toEqual([]);
  });

  it(`sends what Claude Code sends, though it names a kept line that is in no file`, () => {
    expect(seen(records)).toEqual([
      `compaction, keeps 42`,
      `reply (final): Tasks done.`,
      `visible note: local-command`,
      `visible note: local-command`,
      `visible note: local-command`,
      `prompt: nach compact`,
      `reply (final): After compact.`,
    ]);
    expect(reader.facts().repairs).toEqual([]);
  });
});

it(`04: several prompts and a compaction between`, () => {
  const {records} = readFixture(`04`);
  expect(outline(records).slice(0, 8)).toEqual([
    `prompt: erste Frage ü`, `model: claude-opus-5-5`, `reasoning: t`, `reply: one`, `call Bash as shell`, `result (exit 0): /home/alice/perf`,
    `reply (final): first answer`, `compaction, keeps 17`,
  ]);
  expect(seen(records)).toEqual([
    `compaction, keeps 17`, `reply (final): first answer`, `visible note: local-command`, `visible note: local-command`, `visible note: local-command`,
    `prompt: zweite Frage`, `reply (final): second answer`,
  ]);
  // Outside a repository the transcript says HEAD.
  expect(records.some(record => record.head !== undefined)).toBe(false);
});

it(`05: prompts typed while the model works`, () => {
  expect(outline(readFixture(`05`).records)).toEqual([
    `prompt: Start bitte`, `model: claude-opus-5-5`, `reply: Working …`, `call Bash as shell`, `result (exit 0): (Bash completed with no output)`,
    `prompt (mid-turn): Zwischenruf während der Arbeit ü`, `reply (final): I saw the queued message.`,
    `prompt: Zweiter Zwischenruf beim Antworten`, `reply (final): Third.`,
  ]);
});

it(`06: interrupted at the end`, () => {
  const {records, reader} = readFixture(`06`);
  expect(outline(records)).toEqual([
    `prompt: unterbrich mich ü`, `model: claude-opus-5-5`, `reply: Start`, `call Bash as shell`, `result (exit 0): eins`,
    `reply (partial): partial text that will be cut off some`, `interrupt during reply`,
  ]);
  expect(reader.facts().idle).toBe(true);
});

it(`reads sessions with no more than the least that Claude Code accepts`, () => {
  const one = read(fileLines(handwritten(`1`)));
  expect(outline(one.records)).toEqual([
    `prompt: Räum den Warenkorb auf: größe & total 你好`, `reply: I look first.`, `call Bash as shell`, `call Bash as shell`,
    `result (exit 0): README.md`, `result (error) (exit 1): Exit code 1`, `call mcp__codex__apply_patch as mcp`, `result: Success. Updated src/cart.js`,
    `reply (final): Done ✅ – größe is fixed.`, `title (generated): Warenkorb aufräumen (from codex)`,
  ]);
  const two = read(fileLines(handwritten(`2`)));
  expect(outline(two.records)).toEqual([`prompt: List the files`, `call Bash as shell`, `result: README.md`, `reply: One file.`]);
  expect([...one.reader.facts().repairs, ...two.reader.facts().repairs]).toEqual([]);
});

it(`is idle exactly when nothing is expected`, () => {
  const reader = read([]).reader;
  const states: Array<string> = [];
  for (const line of fileLines(fixtureFile(`06`)))
    for (const record of reader.push(line))
      if (record.kind !== `note` && record.kind !== `model`)
        states.push(`${record.kind} ${reader.facts().idle}`);
  expect(states).toEqual([`prompt false`, `reply false`, `call false`, `result false`, `reply false`, `interrupt true`]);
});

it(`keeps fixtures free of foreign paths`, () => {
  expect(readFileSync(fixtureFile(`01`), `utf8`)).not.toMatch(/\/(work|tmp|root)\//);
});
