import {expect}                        from 'vitest';

import {pi}                            from '../../../sources/agents/pi/index.ts';
import {readerBattery, writerBattery}  from '../_battery.ts';

import {contextOf, fixtures, parse, target} from './_session.ts';

readerBattery(pi.source!, fixtures);

writerBattery({
  target: pi.target!,
  writing: target,
  check(text) {
    const lines = parse(text);
    expect(lines[0]).toMatchObject({type: `session`, version: 3, id: target.id});
    expect(new Set(lines.map(line => line.id)).size).toBe(lines.length);

    let last: string | null = null;
    let before: string | null = null;
    for (const line of lines.slice(1)) {
      // Where an answer turned out to go on, it stands instead of its first try.
      if (line.parentId === before && line.parentId !== last)
        expect(line.message.role).toBe(`assistant`);
      else
        expect(line.parentId).toBe(last);
      before = line.parentId;
      expect(Date.parse(line.timestamp)).not.toBeNaN();
      last = line.id;
      if (line.type !== `message`)
        continue;
      const {role, content, usage, stopReason, timestamp} = line.message;
      expect(Array.isArray(content)).toBe(true);
      expect(Number.isInteger(timestamp)).toBe(true);
      expect([`user`, `assistant`, `toolResult`]).toContain(role);
      if (role === `assistant`) {
        expect(usage.cost.total).toBe(0);
        expect([`stop`, `toolUse`]).toContain(stopReason);
      }
    }

    // What the model gets: every answer's calls have their results right after it, and no result stands alone.
    let open = new Set<string>();
    for (const {type, message} of contextOf(text)) {
      if (type === `message` && message.role === `toolResult`) {
        expect(open.delete(message.toolCallId)).toBe(true);
        expect(message.toolName).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        continue;
      }
      expect([...open]).toEqual([]);
      const calls = type === `message` && message.role === `assistant` ? message.content.filter((block: {type: string}) => block.type === `toolCall`) : [];
      open = new Set(calls.map(({id}: {id: string}) => id));
      for (const {id, name, arguments: input} of calls) {
        expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        expect(input !== null && typeof input === `object` && !Array.isArray(input)).toBe(true);
      }
    }
    expect([...open]).toEqual([]);
  },
});
