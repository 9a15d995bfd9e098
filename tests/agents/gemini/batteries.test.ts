import {describe, expect, it}              from 'vitest';

import {gemini}                            from '../../../sources/agents/gemini/index.ts';
import {linearize}                         from '../../../sources/interchange/index.ts';
import fc                                  from '../../_properties.ts';
import {sessionArbitrary}                  from '../../interchange/arbitrary.ts';
import {linesOf, readLines, readerBattery, writerBattery} from '../_battery.ts';

import {contentsOf, fixture, open, parse, target} from './_session.ts';

readerBattery(gemini.source!, [
  {name: `01-tools`, text: fixture(`01-tools/chats/session-2026-11-22T19-20-91f8d1c6`)},
  {name: `02-after-resume`, text: fixture(`02-after-resume/chats/session-2026-11-22T19-20-91f8d1c6`)},
  {name: `03-errors-subagent`, text: fixture(`03-errors-subagent/chats/session-2026-11-22T20-04-ed8de02f`)},
  {name: `04-cancelled`, text: fixture(`04-cancelled/chats/session-2026-11-22T19-36-1d013cb0`)},
  {name: `sub-agent`, stream: `sub-399d2e7d`, text: fixture(`03-errors-subagent/chats/ed8de02f-c462-47d0-acbf-c9440a33ece4/399d2e7d-dd45-4dae-a41a-e73db9d285ff`)},
]);

writerBattery({
  target: gemini.target!,
  writing: target,
  check(text) {
    const lines = parse(text);
    expect(lines[0]).toMatchObject({sessionId: target.id, kind: `main`, memoryScratchpad: {version: 1}});
    expect(lines[0]).not.toHaveProperty(`lastUpdated`);
    for (const line of lines.slice(1))
      expect(typeof line.id === `string` || Object.keys(line).length === 1 && typeof line.$set === `object`).toBe(true);
    expectValid(contentsOf(lines));
  },
});

/** What the API demands, and what Gemini leaves out when it is not so. */
function expectValid(contents: ReturnType<typeof contentsOf>) {
  for (const [index, {role, parts}] of contents.entries()) {
    for (const part of parts)
      if (part.text !== undefined)
        expect(part.text).not.toBe(``);
    const calls = parts.filter(part => part.functionCall !== undefined);
    const results = parts.filter(part => part.functionResponse !== undefined);
    if (role === `user`) {
      expect(calls).toEqual([]);
      const before = index === 0 ? [] : contents[index - 1]!.parts.filter(part => part.functionCall !== undefined);
      expect(results.map(part => part.functionResponse.id).sort()).toEqual(before.map(part => part.functionCall.id).sort());
    } else {
      expect(results).toEqual([]);
      if (calls.length > 0) {
        expect(contents[index + 1], `calls have results after them`).toBeDefined();
        expect(calls[0]!.thoughtSignature).toBe(`skip_thought_signature_validator`);
      }
    }
  }
}

describe(`any session, written and read again`, () => {
  it(`has the same calls, and a result for each`, {timeout: 60_000}, () => {
    fc.assert(fc.property(sessionArbitrary({open: true}), records => {
      const writer = open();
      const text = writer.begin() + records.map(record => writer.push(record)).join(``) + writer.end();
      const again = linearize(readLines(gemini.source!, linesOf(text), {name: `x`}).records);
      const pairs = again.flatMap(record => record.kind === `call` || record.kind === `result` ? [`${record.kind} ${record.call}`] : []);
      expect(new Set(pairs).size).toBe(pairs.length);
      expect(pairs.filter(pair => pair.startsWith(`call`)).length).toBe(pairs.filter(pair => pair.startsWith(`result`)).length);
    }), {numRuns: 60});
  });
});
