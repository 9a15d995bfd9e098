import {describe, expect, it}                               from 'vitest';

import {decodeComponent, encodeComponent, isSafeFileName, parseSessionRef, parseStream, sessionRef, streamPath, trackingRef} from '../../sources/store/layout.ts';

import fc                                                   from '../_properties.ts';
import {SESSION, WRITER}                                    from './_repo.ts';

describe(`names`, () => {
  it(`encodes a file name into one component and back`, () => {
    expect(encodeComponent(`subagents/agent-1.jsonl`)).toBe(`subagents%2Fagent-1.jsonl`);
    expect(encodeComponent(`.git`)).toBe(`%2Egit`);
    expect(encodeComponent(`git~1`)).toBe(`git%7E1`);
    fc.assert(fc.property(fc.string({unit: `grapheme`, minLength: 1, maxLength: 60}), name => {
      const component = encodeComponent(name);
      expect(component).toMatch(/^[0-9A-Za-z_%-][0-9A-Za-z._%-]*$/);
      expect(decodeComponent(component)).toBe(name);
    }), {seed: 1, numRuns: 300});
  });

  it(`takes no second spelling of a name`, () => {
    for (const component of [`%61`, `%2e`, `.git`, `a%2fb`, `%`, `%zz`, `%C3`, ``, `a b`, `a/b`])
      expect(decodeComponent(component)).toBeNull();
  });

  it(`knows which file names are safe anywhere`, () => {
    for (const name of [`a.jsonl`, `subagents/agent-1.jsonl`, `tool-results/å b.txt`])
      expect(isSafeFileName(name)).toBe(true);
    for (const name of [``, `/a`, `a/`, `a//b`, `..`, `a/../b`, `./a`, `a\\b`, `C:a`, `a\u0000`, `a\nb`, `a\u202eb`, ` a`, `a/b `, `x`.repeat(513), `\ud800`, 7])
      expect(isSafeFileName(name)).toBe(false);
  });

  it(`takes apart streams and refs, and nothing that only looks like one`, () => {
    expect(parseStream(`rec/sub-a1`)).toEqual({kind: `rec`, stream: `sub-a1`});
    expect(parseStream(`native/codex/a/b.jsonl`)).toEqual({kind: `native`, agent: `codex`, file: `a/b.jsonl`});
    expect(streamPath(`native/codex/a/b.jsonl`, WRITER)).toBe(`native/${WRITER}/codex/a%2Fb.jsonl`);

    const ref = sessionRef(SESSION, WRITER);
    expect(parseSessionRef(ref)).toEqual({session: SESSION, writer: WRITER, ref});
    expect(parseSessionRef(trackingRef(`team/upstream`, ref))).toEqual({session: SESSION, writer: WRITER, ref: trackingRef(`team/upstream`, ref), remote: `team/upstream`});
    for (const bad of [
      `refs/session-sync/s/xx/${SESSION}/${WRITER}`, `refs/session-sync/s/5e/${SESSION}`, `refs/session-sync/s/5e/${SESSION}/${WRITER}/x`,
      `refs/session-sync/s/5e/${SESSION.toUpperCase()}/${WRITER}`, `refs/heads/s/5e/${SESSION}/${WRITER}`, `refs/session-sync/s/5e/${SESSION}/w`,
    ])
      expect(parseSessionRef(bad)).toBeNull();
  });
});
