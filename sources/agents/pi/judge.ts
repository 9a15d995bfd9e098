/**
 * Entries that Pi writes when a person merely opens a session, chooses a model, gives it a name or sets a mark (1.5.2).
 * Everything else, also what we cannot read, counts as Pi going on: then it is left alone.
 */
const BOOKKEEPING = [`model_change`, `thinking_level_change`, `session_info`, `label`, `custom`, `usage`];

const BEGINS = new RegExp(`^\\{"type":"(?:${BOOKKEEPING.join(`|`)})"[,}]`);

export function judge(tail: string): `opened` | `continued` {
  const lines = tail.split(`\n`);
  // A long tail may be handed over cut; the beginning of a line says enough.
  const last = lines.pop()!;
  return lines.every(text => text.trim() === `` || isBookkeeping(text)) && (last.trim() === `` || isBookkeeping(last) || BEGINS.test(last))
    ? `opened`
    : `continued`;
}

function isBookkeeping(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }

  const {type} = (value ?? {}) as {type?: unknown};
  return typeof type === `string` && BOOKKEEPING.includes(type);
}
