import {stringify} from '../families/text.ts';

import {titleOf}   from './lines.ts';

/** What stands in a session's `workspace.yaml`, as far as it matters here. */
export type Workspace = {cwd?: string; name?: string; userNamed: boolean};

const MOST = 64 << 10;

/** First line of a file that is ours: Copilot writes it anew, without comments, when it opens the session. */
const MARK = `# written by session-sync`;

export function workspaceText({id, cwd, name, created, updated}: {id: string; cwd: string; name: string | undefined; created: string; updated: string}): string {
  return [
    MARK,
    `id: ${id}`,
    `cwd: ${quoted(cwd)}`,
    `client_name: session-sync`,
    ...name === undefined ? [] : [`name: ${quoted(name)}`],
    `user_named: false`,
    `summary_count: 0`,
    `fork_count: 0`,
    `created_at: ${created}`,
    `updated_at: ${updated}`,
    ``,
  ].join(`\n`);
}

export function isOurs(text: string) {
  return text.startsWith(`${MARK}\n`);
}

/** The text of a file that Copilot has written anew, with another name; null where the person named it, or where it has it. */
export function renamed(text: string, name: string): string | null {
  const {name: before, userNamed} = readWorkspace(text);
  if (userNamed || before === undefined || before === name || !/^client_name: session-sync$/m.test(text))
    return null;
  return text.replace(/^name: .*$/m, () => `name: ${quoted(name)}`);
}

/** The text for another folder; null where it names none in a way that is understood. */
export function inFolder(text: string, to: string): string | null {
  const {cwd} = readWorkspace(text);
  if (cwd === undefined || cwd === to)
    return cwd === undefined ? null : text;
  return text.replaceAll(/^(cwd|git_root): (.*?)(\r?)$/gm, (line, key: string, value: string, end: string) => scalar(value) === cwd ? `${key}: ${quoted(to)}${end}` : line);
}

/** Reads the plain lines of a file that Copilot wrote; what stands over several lines is left out. */
export function readWorkspace(text: string): Workspace {
  const fields: {[key: string]: string} = {};
  for (const line of text.slice(0, MOST).split(`\n`)) {
    const match = /^([a-z_]+): (.*?)\r?$/.exec(line);
    const value = match === null ? undefined : scalar(match[2]!);
    if (value !== undefined)
      fields[match![1]!] = value;
  }
  const {cwd, name} = fields;
  return {
    ...cwd !== undefined && cwd !== `` ? {cwd} : {},
    ...name !== undefined && titleOf(name) !== `` ? {name: titleOf(name)} : {},
    userNamed: fields.user_named === `true`,
  };
}

function scalar(text: string): string | undefined {
  if (text.startsWith(`"`)) {
    try {
      const value: unknown = JSON.parse(text);
      return typeof value === `string` ? value : undefined;
    } catch {
      return undefined;
    }
  }
  if (text.startsWith(`'`))
    return text.length > 1 && text.endsWith(`'`) ? text.slice(1, -1).replaceAll(`''`, `'`) : undefined;
  return /^[|>&*!]/.test(text) ? undefined : text.trim();
}

/** A string of JSON is one of YAML, but for characters that YAML does not take as they are. */
function quoted(text: string) {
  return stringify(text).replace(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, `0`)}`);
}
