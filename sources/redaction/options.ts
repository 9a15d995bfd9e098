export class RedactionOptionError extends Error {
  constructor(readonly code: `BAD_PATTERN` | `UNSAFE_PATTERN` | `BAD_RULE_ID`, message: string) {
    super(message);
    this.name = `RedactionOptionError`;
  }
}

/** A rule from a settings file. `pattern` is the source of a regular expression, or `/source/flags`. */
export function compileExtra({id, pattern}: {id: string; pattern: string}): {id: string; pattern: RegExp} {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(id))
    throw new RedactionOptionError(`BAD_RULE_ID`, `The name of a redaction rule has lower case letters, digits and dashes: ${JSON.stringify(id)}`);
  const compiled = compile(pattern, `g`);
  if (compiled.test(``))
    throw new RedactionOptionError(`BAD_PATTERN`, `The redaction rule ${id} would match nothing at all, everywhere`);
  compiled.lastIndex = 0;
  return {id, pattern: compiled};
}

export function compileAllow(allow: Array<string>): (secret: string) => boolean {
  const exact = new Set<string>();
  const patterns: Array<RegExp> = [];
  for (const entry of allow) {
    const literal = /^\/(.+)\/([a-z]*)$/s.test(entry);
    if (literal)
      patterns.push(compile(entry, ``));
    else
      exact.add(entry);
  }
  return secret => exact.has(secret) || patterns.some(pattern => {
    const match = pattern.exec(secret);
    return match !== null && match[0].length === secret.length;
  });
}

function compile(pattern: string, flag: string): RegExp {
  const literal = /^\/(.+)\/([a-z]*)$/s.exec(pattern);
  const source = literal === null ? pattern : literal[1]!;
  const flags = [...new Set((literal === null ? `` : literal[2]!).replace(/[gy]/g, ``) + flag)].join(``);
  // The settings file is committed: a hostile one must not stop the worker.
  if (hasNestedRepetition(source))
    throw new RedactionOptionError(`UNSAFE_PATTERN`, `A repetition inside of a repetition can take forever: ${pattern}`);
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new RedactionOptionError(`BAD_PATTERN`, `Not a regular expression: ${pattern} (${(error as Error).message})`);
  }
}

/** `(a+)+`: an unbounded repetition of a group that holds one. Says yes rather too often than too seldom. */
function hasNestedRepetition(source: string): boolean {
  const repeats: Array<boolean> = [false];
  let inClass = false;
  for (let at = 0; at < source.length; at++) {
    const char = source[at]!;
    if (char === `\\`) {
      at++;
    } else if (inClass) {
      inClass = char !== `]`;
    } else if (char === `[`) {
      inClass = true;
    } else if (char === `(`) {
      repeats.push(false);
    } else if (char === `)`) {
      const inner = repeats.length > 1 ? repeats.pop()! : repeats[0]!;
      const repeated = isUnbounded(source, at + 1);
      if (inner && repeated)
        return true;
      if (inner || repeated)
        repeats[repeats.length - 1] = true;
    } else if (isUnbounded(source, at) && source[at] !== `{` || /^\{\d+,\}/.test(source.slice(at, at + 16))) {
      repeats[repeats.length - 1] = true;
    }
  }
  return false;
}

function isUnbounded(source: string, at: number): boolean {
  return source[at] === `*` || source[at] === `+` || /^\{\d+,\}/.test(source.slice(at, at + 16));
}
