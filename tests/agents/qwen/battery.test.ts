import {expect}                            from 'vitest';

import {qwen}                              from '../../../sources/agents/qwen/index.ts';
import {readerBattery, writerBattery}      from '../_battery.ts';

import {fixture, historyOf, parse, target} from './_session.ts';

readerBattery(qwen.source!, [`01`, `02`, `03`].map(fixture));

writerBattery({
  target: qwen.target!,
  writing: target,
  check(text, {records}) {
    const lines = parse(text);
    for (const line of lines) {
      expect(line).toMatchObject({sessionId: target.id, cwd: target.cwd, version: `0.24.4`});
      expect(new Date(line.timestamp).toISOString()).toBe(line.timestamp);
    }
    if (lines.length === 0)
      return;

    // Every line is on the chain: nothing is cut off, and the end is the end.
    const chained = historyOf(lines);
    const ids = new Set(lines.map(({uuid}) => uuid));
    let uuid: string | null = lines.at(-1)!.uuid;
    for (; uuid !== null; uuid = lines.find(line => line.uuid === uuid)!.parentUuid)
      ids.delete(uuid);
    expect([...ids]).toEqual([]);

    // Results follow their calls before the model speaks again; none is doubled or lost.
    const waiting = new Set<string>();
    for (const {role, parts} of chained) {
      if (role === `model` && !records.some(({kind}) => kind === `compaction`))
        expect([...waiting]).toEqual([]);
      for (const part of parts) {
        if (part.functionCall)
          waiting.add(part.functionCall.id);
        if (part.functionResponse)
          expect(waiting.delete(part.functionResponse.id)).toBe(true);
      }
    }
    expect([...waiting]).toEqual([]);
  },
});
