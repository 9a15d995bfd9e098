import {expect}                      from 'vitest';

import {kimi}                        from '../../../sources/agents/kimi/index.ts';
import {readerBattery, writerBattery} from '../_battery.ts';

import {fixture}                     from './_read.ts';

readerBattery(kimi.source!, [fixture(`01-tools`), fixture(`01-tools`, `agent-0`), fixture(`02-undo-compact`), fixture(`03-interrupted`)]);

writerBattery({
  target: kimi.target!,
  writing: {
    header: {format: `session-sync/1`, session: `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`, agent: {id: `claude-code`, nativeId: `x`}, created: `2026-11-20T10:00:00.000Z`, roots: {}, counts: {}},
    id: `session_6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`, cwd: `/home/alice/shop`, settings: {},
  },
  check(text) {
    const lines = text.trimEnd().split(`\n`).map(line => JSON.parse(line));
    expect(lines[0]).toMatchObject({type: `metadata`, protocol_version: `1.5`});
    const open = new Set<string>();
    let step: string | null = null;
    for (const {type, event, time} of lines.slice(1)) {
      expect(Number.isInteger(time)).toBe(true);
      if (type !== `context.append_loop_event`)
        continue;
      switch (event.type) {
        case `step.begin`:
          expect(step).toBeNull();
          step = event.uuid;
          break;
        case `step.end`:
          expect(event.uuid).toBe(step);
          step = null;
          break;
        case `content.part`:
        case `tool.call`:
          expect(event.stepUuid).toBe(step);
          if (event.type === `tool.call`) {
            expect(event.toolCallId).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
            expect(event.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
            open.add(event.toolCallId);
          }
          break;
        case `tool.result`:
          expect(open.delete(event.toolCallId)).toBe(true);
          break;
      }
    }
    expect(open.size).toBe(0);
    expect(step).toBeNull();
  },
});
