import {describe, expect, it}                 from 'vitest';

import {copilot}                              from '../../../sources/agents/copilot/index.ts';
import {writerBattery}                        from '../_battery.ts';

import {parse, target}                        from './_session.ts';

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

describe(`todo`, () => it(`is there`, () => {}));
