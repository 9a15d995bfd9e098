/**
 * Lines that Codex writes for merely opening a session, or that change nothing in what was said (0.169.0). Everything
 * else, also what we cannot read, counts as Codex going on: then it is left alone.
 */
const BOOKKEEPING = new Set([`thread_settings_applied`, `thread_name_updated`, `token_count`]);

export function judge(tail: string): `opened` | `continued` {
  const lines = tail.split(`\n`);
  // A long tail may be handed over cut; the beginning of a line says enough.
  const last = lines.pop()!;
  return lines.every(text => text.trim() === `` || isBookkeeping(text)) && (last.trim() === `` || isBookkeeping(last) || BEGINS.test(last))
    ? `opened`
    : `continued`;
}

const BEGINS = new RegExp(`^\\{"timestamp":"[^"]*",(?:"ordinal":\\d+,)?"type":"event_msg","payload":\\{"type":"(?:${[...BOOKKEEPING].join(`|`)})"`);

function isBookkeeping(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }

  const {type, payload} = (value ?? {}) as {type?: unknown; payload?: {type?: unknown} | null};
  return type === `event_msg` && typeof payload?.type === `string` && BOOKKEEPING.has(payload.type);
}
