/**
 * Lines that Kimi Code 2.1.0 writes for merely opening a session, without a word said. Everything else, also what we
 * cannot read, counts as Kimi Code going on.
 */
const BOOKKEEPING = [`runtime.set_binding`, `profile.bind`, `permission.set_mode`, `plugin.session_start`];

/** A line may be cut, and is long (a system prompt): its beginning says enough. */
const BEGINS = new RegExp(`^\\{"type":"(?:${BOOKKEEPING.map(type => type.replaceAll(`.`, `\\.`)).join(`|`)})"[,}]`);

export function judge(tail: string): `opened` | `continued` {
  return tail.split(`\n`).every(line => line.trim() === `` || BEGINS.test(line)) ? `opened` : `continued`;
}
