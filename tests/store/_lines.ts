import type {CommitMeta} from '../../sources/store/types.ts';

export const SESSION = `5e551000-0000-4000-8000-000000000001`;
export const WRITER  = `0123456789abcdef`;

/** Id of the nth session of a test. */
export const session = (index: number) => `${index.toString(16).padStart(2, `0`)}551000-0000-4000-8000-${index.toString(16).padStart(12, `0`)}`;

export function meta(id: string, records: number, more: Partial<CommitMeta[`header`]> = {}): CommitMeta {
  return {
    header: {
      format: `session-sync/1`, session: id, agent: {id: `claude-code`, version: `2.1.330`, nativeId: id}, title: `Fix the cart`,
      created: `2026-10-01T10:00:00.000Z`, updated: `2026-10-01T10:00:${String(records % 60).padStart(2, `0`)}.000Z`, roots: {root: `/home/alice/shop`}, counts: {prompt: records}, ...more,
    },
    streams: {'rec/main': {records}, [`native/claude-code/${id}.jsonl`]: {source: records * 10}},
    git: {branch: `main`, commit: `1`.repeat(40), dirty: true},
    author: {name: `Alice`, email: `alice@example.org`},
    time: `2026-10-01T10:00:${String(records % 60).padStart(2, `0`)}.000Z`,
  };
}

/** Records `from` to `to` as JSON lines, of about `size` bytes each. */
export function lines(from: number, to: number, size = 200) {
  let text = ``;
  for (let seq = from; seq < to; seq++)
    text += `${JSON.stringify({seq, kind: `reply`, text: `${seq} `.repeat(Math.ceil(size / 5)).slice(0, size)})}\n`;

  return Buffer.from(text);
}
