/**
 * Records that 0.24.4 writes when a session is merely opened, closed or asked about, or beside a turn. Everything else,
 * also what we cannot read, counts as Qwen Code going on; `rewind` and `chat_compression` change what its model gets.
 */
const BOOKKEEPING = new Set([
  `custom_title`, `ui_telemetry`, `attribution_snapshot`, `file_history_snapshot`, `session_model`, `session_source`, `parent_session`,
]);

export function judge(tail: string): `opened` | `continued` {
  const lines = tail.split(`\n`);
  // A long tail may be handed over cut; the beginning of a line says enough.
  const last = lines.pop()!;
  return lines.every(line => line.trim() === `` || isBookkeeping(line)) && (last.trim() === `` || isBookkeeping(last) || BEGINS.test(last))
    ? `opened`
    : `continued`;
}

/** Qwen Code writes the fields in this order; `cwd` may hold anything but a quote that ends it. */
const BEGINS = new RegExp(`^\\{"uuid":"[^"]*","parentUuid":"[^"]*","sessionId":"[^"]*","timestamp":"[^"]*","type":"system","provenance":"system","cwd":"(?:[^"\\\\]|\\\\.)*","version":"[^"]*",(?:"gitBranch":"(?:[^"\\\\]|\\\\.)*",)?"subtype":"(?:${[...BOOKKEEPING].join(`|`)})"`);

function isBookkeeping(line: string) {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return false;
  }

  const {type, subtype} = (value ?? {}) as {type?: unknown; subtype?: unknown};
  return type === `system` && typeof subtype === `string` && BOOKKEEPING.has(subtype);
}
