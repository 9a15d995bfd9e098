/**
 * Names of folders in a session. A stored record has `{root}/src/cart.js` where the source machine had
 * `/home/alice/shop/src/cart.js`; a restored one has what the folder is called there. All of it works on lines of JSON
 * text, so that nothing is parsed for it, and only at the borders of a path: `/home/alice/shop2` is another folder.
 */

/** Token → absolute path, as the machine wrote it: `{root: '/home/alice/shop', home: '/home/alice', tmp: '/tmp'}`. */
export type Roots = {[token: string]: string};

type Rewrite = (jsonText: string) => string;
/** One way that a folder's name is written. `mark` tells it apart in a token: `{root}`, `{root:f}`. */
type Spelling = {token: string; mark: string; text: string};

const TOKEN = /^[a-z][a-z0-9]{0,15}$/;
/** A shorter path is part of too many others. */
const SHORTEST = 3;

/** After it: no further part of the same name. A full stop ends a sentence, unless more follows it. */
const RIGHT = `(?![\\w~@+%-]|\\.[\\w-])`;
/** The rest of a path after a folder that was named; for changing separators. */
const REST = `((?:\\\\{1,4}|/)(?:[^\\s"'<>|:*?,;()\\\\]|\\\\{1,4}(?=[^\\s"'<>|:*?,;()\\\\nrt]|[nrt][\\w.-]))*)?`;

/**
 * Puts tokens for the names of folders. What looks like a token already is marked, and comes back as it was. `others`:
 * what the same folders were called at another time.
 */
export function tokenizer(roots: Roots, platform: NodeJS.Platform, others: Array<Roots> = []): Rewrite {
  const spellings = spell(roots, platform, SHORTEST, others);
  const names = Object.keys(roots).filter(name => TOKEN.test(name));
  const literal = literals(names);
  const replace = replacer(spellings, ({token, mark}) => `{${token}${mark === `` ? `` : `:${mark}`}}`);
  return text => replace(literal === null ? text : text.replace(literal, match => `{=${match.slice(1)}`));
}

/** Puts this machine's names in for tokens. Separators after them follow where the systems differ. */
export function detokenizer(roots: Roots, from: NodeJS.Platform, to: NodeJS.Platform): Rewrite {
  const names = Object.keys(roots).filter(name => TOKEN.test(name));
  if (names.length === 0)
    return text => text;

  const same = isWindows(from) === isWindows(to);
  const texts = new Map(spell(roots, to, SHORTEST - 2).map(({token, mark, text}) => [`${token}:${mark}`, text]));
  const pattern = new RegExp(`\\{(=*)(${names.join(`|`)})(?::([a-z0-9]{1,4}))?\\}${same ? `` : REST}`, `g`);
  return text => !text.includes(`{`) ? text : text.replace(pattern, (match: string, equals: string, name: string, mark: string | undefined, rest: unknown) => {
    if (equals !== ``)
      return `{${match.slice(2)}`;
    const folder = texts.get(`${name}:${same ? mark ?? `` : ``}`) ?? texts.get(`${name}:`) ?? match;
    return folder + (typeof rest === `string` ? separators(rest, to) : ``);
  });
}

/** Old names to new ones directly, for an agent's own lines, which have no tokens. `others`: more old names. */
export function mapper(from: Roots, to: Roots, fromPlatform: NodeJS.Platform, toPlatform: NodeJS.Platform, others: Array<Roots> = []): Rewrite {
  const [known = {}, ...more] = [from, ...others].map(roots => Object.fromEntries(Object.entries(roots).filter(([name, folder]) => typeof to[name] === `string` && typeof folder === `string`)));
  const same = isWindows(fromPlatform) === isWindows(toPlatform);
  if (same && [known, ...more].every(roots => Object.entries(roots).every(([name, folder]) => folder === to[name])))
    return text => text;
  const texts = new Map(spell(to, toPlatform, SHORTEST - 2).map(({token, mark, text}) => [`${token}:${mark}`, text]));
  return replacer(spell(known, fromPlatform, SHORTEST, more), ({token, mark}) => texts.get(`${token}:${same ? mark : ``}`) ?? texts.get(`${token}:`)!, same ? undefined : toPlatform);
}

function isWindows(platform: NodeJS.Platform) {
  return platform === `win32`;
}

function separators(rest: string, to: NodeJS.Platform) {
  return isWindows(to) ? rest.replaceAll(`/`, `\\\\`) : rest.replaceAll(/\\+/g, `/`);
}

/** All ways that the folders are written in JSON text, the longest first, so that the innermost folder is found. */
function spell(roots: Roots, platform: NodeJS.Platform, shortest = SHORTEST, others: Array<Roots> = []): Array<Spelling> {
  const spellings: Array<Spelling> = [];
  const seen = new Set<string>();
  const add = (token: string, mark: string, text: string) => {
    if (seen.has(text))
      return;
    seen.add(text);
    spellings.push({token, mark, text});
  };

  for (const [token, given] of [roots, ...others].flatMap(set => Object.entries(set))) {
    if (!TOKEN.test(token) || typeof given !== `string`)
      continue;
    const folder = given.length > 1 ? given.replace(/[/\\]+$/, ``) : given;
    if (folder.length < shortest)
      continue;
    const once = escapeOnce(folder);
    add(token, ``, once);
    if (isWindows(platform) || /^[A-Za-z]:\\/.test(folder)) {
      const forward = folder.replaceAll(`\\`, `/`);
      add(token, `2`, escapeOnce(once));
      add(token, `f`, escapeOnce(forward));
      add(token, `m`, escapeOnce(forward.replace(/^([A-Za-z]):/, (_, drive: string) => `/${drive.toLowerCase()}`)));
      const other = folder.replace(/^[A-Za-z]/, drive => drive === drive.toLowerCase() ? drive.toUpperCase() : drive.toLowerCase());
      add(token, `l`, escapeOnce(other));
      add(token, `l2`, escapeOnce(escapeOnce(other)));
      add(token, `lf`, escapeOnce(other.replaceAll(`\\`, `/`)));
    }
  }
  return spellings.sort((a, b) => b.text.length - a.text.length || (a.text < b.text ? -1 : 1));
}

function escapeOnce(text: string) {
  return JSON.stringify(text).slice(1, -1);
}

/** Before a path: anything that is no part of a file name, or an escape of JSON (`\n/home/…`). */
function startsPath(text: string, at: number) {
  return at === 0 || !/[\w.~-]/.test(text[at - 1]!) || /\\(?:[nrtbf]|u[0-9a-fA-F]{4})$/.test(text.slice(Math.max(0, at - 6), at));
}

/**
 * Goes from one occurrence to the next with `indexOf` and tries the pattern only there. Nearly every line of a
 * transcript names its folder, and a pattern that starts by looking back is tried at every character (30 times slower).
 */
function replacer(spellings: Array<Spelling>, put: (spelling: Spelling) => string, convertTo?: NodeJS.Platform): Rewrite {
  if (spellings.length === 0)
    return text => text;
  const byText = new Map(spellings.map(spelling => [spelling.text, put(spelling)]));
  // Every spelling begins with one of these.
  const hints = spellings.map(({text}) => text).filter((text, _, all) => !all.some(other => other !== text && text.startsWith(other)));
  const pattern = new RegExp(`(${spellings.map(({text}) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, `\\$&`)).join(`|`)})${RIGHT}${convertTo === undefined ? `` : REST}`, `y`);
  return text => {
    const nexts = hints.map(hint => text.indexOf(hint));
    let result = ``;
    let done = 0;
    while (true) {
      let at = -1;
      for (const next of nexts)
        if (next !== -1 && (at === -1 || next < at))
          at = next;
      if (at === -1)
        return done === 0 ? text : result + text.slice(done);
      let from = at + 1;
      pattern.lastIndex = at;
      const match = startsPath(text, at) ? pattern.exec(text) : null;
      if (match !== null) {
        const [whole, folder, rest] = match;
        result += text.slice(done, at) + byText.get(folder!)! + (convertTo !== undefined && rest !== undefined ? separators(rest, convertTo) : ``);
        done = from = at + whole.length;
      }
      for (let n = 0; n < nexts.length; n++)
        if (nexts[n] !== -1 && nexts[n]! < from)
          nexts[n] = text.indexOf(hints[n]!, from);
    }
  };
}

/** What stands in a text like a token of ours, marked or not. */
function literals(names: Array<string>) {
  return names.length === 0 ? null : new RegExp(`\\{=*(?:${names.join(`|`)})(?::[a-z0-9]{1,4})?\\}`, `g`);
}
