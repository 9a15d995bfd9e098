/** What Gemini adds for the title of an earlier session, at a start of another one (0.61.0). */
const TITLE = new Set([`summary`, `memoryScratchpad`]);

/**
 * Only the line of the title writer changes nothing. Each resume writes `{"$set":{"sessionId"}}` at once: Gemini then has
 * the history in memory, and may drop from the file whatever comes after it, so that the session is its own from there.
 */
export function judge(tail: string): `opened` | `continued` {
  return tail.split(`\n`).every(text => text.trim() === `` || isTitle(text)) ? `opened` : `continued`;
}

function isTitle(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }

  const set = (value as {$set?: unknown} | null)?.$set;
  if (set === null || typeof set !== `object` || Array.isArray(set) || Object.keys(value as object).length !== 1)
    return false;
  const keys = Object.keys(set as object);
  return keys.length > 0 && keys.every(key => TITLE.has(key));
}
