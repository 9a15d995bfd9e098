/**
 * Private keys in PEM armour. Written by hand rather than as a pattern because keys come cut off by a limit of a tool,
 * with line numbers (`Read` of Claude Code), as lines of a diff, or with `\n` inside of strings inside of strings.
 */
const HEAD = /-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
const TAIL = /-----END (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----/y;
/** A PEM file of the longest RSA key in use (16,384 bits) has 12,700 characters. */
const LONGEST = 24_000;

/** Start and end of each block, its armour lines included. */
export function privateKeys(text: string): Array<[number, number]> {
  const found: Array<[number, number]> = [];
  if (!text.includes(`PRIVATE KEY`))
    return found;
  HEAD.lastIndex = 0;
  for (let match = HEAD.exec(text); match !== null; match = HEAD.exec(text)) {
    const body = match.index + match[0].length;
    const dashes = text.indexOf(`-----`, body);
    TAIL.lastIndex = dashes;
    const closed = dashes !== -1 && dashes - body <= LONGEST && TAIL.test(text);
    const end = closed ? TAIL.lastIndex : lastKeyLine(text, body);
    // `...`, `<your key>` and the like are no keys.
    if (keyLines(text.slice(body, end)).join(``).length >= 32)
      found.push([match.index, end]);
    HEAD.lastIndex = Math.max(body, end);
  }
  return found;
}

/** Where the last of the lines ends that follow `from` and hold nothing but base64. */
function lastKeyLine(text: string, from: number): number {
  const line = /((?:\\{1,8}[nrt]|[\s|>→:+-])*)(\d{1,6}(?=[\s|→:]|\\{1,8}t))?((?:\\{1,8}t|[\s|>→:+-])*)([A-Za-z0-9+/]*={0,2})/y;
  let end = from;
  while (end - from <= LONGEST) {
    line.lastIndex = end;
    const match = line.exec(text);
    if (match === null || match[4]!.length < 16)
      break;
    end = line.lastIndex;
  }
  return end;
}

/** Does `text` end with the first armour line, so that what comes next is a key? As in arrays of lines. */
export function opensKey(text: string): boolean {
  return /-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----\s*$/.test(text);
}

/** Start and end of the base64 in a line that stands alone. */
export function keyLine(text: string): [number, number] | null {
  const match = /^([\s|>→:+-]{0,16}(?:\d{1,6}[\s→:|])?[\s+-]{0,8})([A-Za-z0-9+/]{4,}={0,2})\s*$/.exec(text);
  return match === null ? null : [match[1]!.length, match[1]!.length + match[2]!.length];
}

/** Lines of a private key: secret on their own, wherever else they stand. */
export function keyLines(block: string): Array<string> {
  return block.split(/(?:\\{1,8}[nrt]|[\s|>→:])+/).map(line => line.replace(/^[+-]/, ``)).filter(line => /^[A-Za-z0-9+/]{16,}={0,2}$/.test(line));
}
