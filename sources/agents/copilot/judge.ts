/**
 * Lines that Copilot writes for merely opening or leaving a session, or that change nothing in what was said (1.0.102;
 * opening it in the terminal and leaving writes none). Everything else, also what we cannot read, counts as Copilot going
 * on: then it is left alone.
 */
const BOOKKEEPING = new Set([
  `session.resume`, `session.shutdown`, `session.model_change`, `session.mode_changed`, `session.info`, `session.warning`,
  `session.usage_record`, `session.usage_info`, `session.usage_checkpoint`, `session.permissions_changed`, `session.title_changed`,
  `session.mcp_servers_loaded`, `session.skills_loaded`, `session.tools_updated`, `hook.start`, `hook.end`,
]);

export function judge(tail: string): `opened` | `continued` {
  const lines = tail.split(`\n`);
  // A long tail may be handed over cut; the beginning of a line says enough.
  const last = lines.pop()!;
  return lines.every(text => text.trim() === `` || isBookkeeping(text)) && (last.trim() === `` || isBookkeeping(last) || BEGINS.test(last))
    ? `opened`
    : `continued`;
}

const BEGINS = new RegExp(`^\\{"type":"(?:${[...BOOKKEEPING].map(type => type.replace(`.`, `\\.`)).join(`|`)})","data":`);

export function isBookkeeping(text: string) {
  try {
    const value = JSON.parse(text) as {type?: unknown} | null;
    return typeof value?.type === `string` && BOOKKEEPING.has(value.type);
  } catch {
    return false;
  }
}
