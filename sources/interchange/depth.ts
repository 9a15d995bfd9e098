/** Deeper JSON than this is not worked with: what walks through it would run out of stack at some thousand levels. */
const DEEPEST = 1000;

/**
 * Is this JSON text nested deeper than a program can safely walk through? `JSON.parse` takes any depth, `JSON.stringify`
 * and everything that calls itself do not. Cheap for what agents write: most lines have few brackets at all.
 */
export function isTooDeep(text: string): boolean {
  return text.length > 2 * DEEPEST && hasMany(text) && measure(text);
}

function hasMany(text: string) {
  let count = 0;
  for (const bracket of [`{`, `[`])
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1))
      if (++count > DEEPEST)
        return true;
  return false;
}

function measure(text: string) {
  let depth = 0;
  let inside = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (inside) {
      if (char === 0x5C)
        at++;
      else if (char === 0x22)
        inside = false;
    } else if (char === 0x22) {
      inside = true;
    } else if (char === 0x5B || char === 0x7B) {
      if (++depth > DEEPEST)
        return true;
    } else if (char === 0x5D || char === 0x7D) {
      depth--;
    }
  }
  return false;
}
