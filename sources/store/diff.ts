import {noMarks, markContent, markLines} from './marks.ts';
import type {LineMarks}                  from './marks.ts';

/** What a commit changes, as `git diff-tree --stdin -p --full-index` prints it. */
export type CommitDiff = {commit: string; files: Array<string>; marks: LineMarks};

/** Lines of one commit that are looked at. */
const MOST_LINES = 50_000;

const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const HUNK   = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/;

/** The commits in the output of `diff-tree --stdin`, without detection of renames. */
export function parseDiffs(output: string): Array<CommitDiff> {
  const diffs: Array<CommitDiff> = [];
  let path = ``;
  let content = ``;
  // Lines that the hunk has still to come: what looks like a header among them is content.
  let [before, after] = [0, 0];
  let [added, removed]: [Array<string>, Array<string>] = [[], []];
  const flush = () => {
    const last = diffs.at(-1);
    if (last !== undefined && path !== ``)
      markLines(last.marks, path, {added, removed}, MOST_LINES);
    [added, removed] = [[], []];
  };

  for (const line of output.split(`\n`)) {
    if (before > 0 || after > 0) {
      const sign = line[0];
      if (sign === `+`)
        added.push(line.slice(1));
      else if (sign === `-`)
        removed.push(line.slice(1));
      if (sign !== `+` && sign !== `\\`)
        before -= 1;
      if (sign !== `-` && sign !== `\\`)
        after -= 1;
      continue;
    }
    const hunk = HUNK.exec(line);
    if (hunk !== null) {
      [before, after] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
    } else if (line.startsWith(`diff --git `)) {
      flush();
      path = pathOf(line.slice(`diff --git `.length)) ?? ``;
      if (path !== ``)
        diffs.at(-1)?.files.push(path);
    } else if (line.startsWith(`index `)) {
      content = line.split(/\.\.| /)[2] ?? ``;
    } else if (path !== `` && (line.startsWith(`new mode `) || line.startsWith(`Binary files `))) {
      const last = diffs.at(-1);
      if (last !== undefined)
        markContent(last.marks, path, line.startsWith(`new mode `) ? line : content);
    } else if (COMMIT.test(line)) {
      flush();
      path = ``;
      diffs.push({commit: line, files: [], marks: noMarks()});
    }
  }
  flush();
  return diffs;
}

/** The path in `a/<path> b/<path>`, where both are the same since nothing is taken for a rename. */
function pathOf(names: string): string | null {
  const [name, prefix] = [names.slice(0, (names.length - 1) / 2), names.slice((names.length + 1) / 2)];
  if (name.startsWith(`"`))
    return prefix.startsWith(`"b/`) && name.slice(3) === prefix.slice(3) ? unquote(name).slice(2) : null;
  return prefix.startsWith(`b/`) && name.slice(2) === prefix.slice(2) ? name.slice(2) : null;
}

const ESCAPES: {[char: string]: string} = {a: `\x07`, b: `\b`, f: `\f`, n: `\n`, r: `\r`, t: `\t`, v: `\v`};

/** A name as git writes it where it has quotes, backslashes or control characters. */
export function unquote(name: string): string {
  if (!name.startsWith(`"`))
    return name;
  const bytes: Array<Buffer> = [];
  for (const [, plain, octal, char] of name.slice(1, -1).matchAll(/([^\\]+)|\\(?:([0-7]{3})|(.))/gs))
    bytes.push(octal !== undefined ? Buffer.from([parseInt(octal, 8) & 0xff]) : Buffer.from(plain ?? ESCAPES[char!] ?? char!));
  return Buffer.concat(bytes).toString();
}
