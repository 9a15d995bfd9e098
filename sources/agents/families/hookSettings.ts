import {isDeepStrictEqual}                                                from 'node:util';

import {findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode} from 'jsonc-parser';
import type {JSONPath, Node, ParseError}                                  from 'jsonc-parser';

import {SettingsError}                                                    from '../types.ts';
import type {HookAdapter}                                                 from '../types.ts';

import {insertLast, removeChild}                                          from './settingsText.ts';

/** What makes a handler one of ours, in whichever shape an older version wrote it. */
const MARK = `session-sync-hook`;

/** Handlers by event, as the agent's settings have them: `{"hooks": {"<event>": [{"hooks": [<handler>]}]}}`. */
export type Handlers = {[event: string]: {type: `command`; command: string; [option: string]: unknown}};

type Entry = {event: string; group: number; hook: number; alone: boolean; value: unknown; matcher: unknown};

/** Edits a JSON file, with comments or without, that has hooks as Claude Code has them, and agents that followed it. */
export function hookSettings(handlers: Handlers): Pick<HookAdapter, `install` | `remove` | `installed`> {
  return {
    install(text) {
      const before = text === null || text.trim() === `` ? `{}\n` : text;
      const wrong = entriesIn(before).filter((entry, _, all) => !isCurrent(entry, all, handlers));
      const summary: Array<string> = [];

      let after = take(before, wrong);
      const there = new Set(entriesIn(after).map(entry => entry.event));
      for (const event of Object.keys(handlers)) {
        if (there.has(event))
          continue;
        after = add(after, event, {hooks: [handlers[event]]});
        summary.push(wrong.some(entry => entry.event === event) ? `update the hook for ${event}` : `add a hook for ${event}`);
      }
      for (const event of new Set(wrong.map(entry => entry.event)))
        if (!Object.hasOwn(handlers, event))
          summary.push(`remove the old hook for ${event}`);

      checkOthers(before, after);
      return {text: after, summary};
    },

    remove(text) {
      if (text.trim() === ``)
        return null;
      const entries = entriesIn(text);
      if (entries.length === 0)
        return null;

      const after = take(text, entries);
      checkOthers(text, after);
      return {text: after, summary: [...new Set(entries.map(entry => entry.event))].map(event => `remove the hook for ${event}`)};
    },

    installed(text) {
      if (text === null || text.trim() === ``)
        return `no`;
      const entries = entriesIn(text);
      if (entries.length === 0)
        return `no`;
      const current = entries.every(entry => isCurrent(entry, entries, handlers)) && Object.keys(handlers).every(event => entries.some(entry => entry.event === event));
      return current ? `yes` : `partly`;
    },
  };
}

function isCurrent(entry: Entry, all: Array<Entry>, handlers: Handlers) {
  return Object.hasOwn(handlers, entry.event)
    && isDeepStrictEqual(entry.value, handlers[entry.event])
    && (entry.matcher === undefined || entry.matcher === `` || entry.matcher === `*`)
    && all.filter(other => other.event === entry.event).length === 1;
}

/** Our handlers in a settings file, in order. Throws `SettingsError` where the file cannot be understood. */
function entriesIn(text: string): Array<Entry> {
  const root = readTree(text);
  const entries: Array<Entry> = [];
  const hooksNode = findNodeAtLocation(root, [`hooks`]);
  if (hooksNode === undefined)
    return entries;

  expect(text, hooksNode, `object`, `hooks`);
  for (const property of hooksNode.children ?? []) {
    const [key, groups] = property.children!;
    const event = key!.value as string;
    expect(text, groups!, `array`, `hooks.${event}`);
    for (const [group, groupNode] of (groups!.children ?? []).entries()) {
      expect(text, groupNode, `object`, `hooks.${event}[${group}]`);
      const list = findNodeAtLocation(groupNode, [`hooks`]);
      if (list === undefined)
        continue;
      expect(text, list, `array`, `hooks.${event}[${group}].hooks`);
      for (const [hook, node] of (list.children ?? []).entries()) {
        expect(text, node, `object`, `hooks.${event}[${group}].hooks[${hook}]`);
        // A copy: the parser's objects have no prototype, so that none of them would equal one of ours.
        const value = {...getNodeValue(node)};
        if (typeof value.command === `string` && value.command.includes(MARK))
          entries.push({event, group, hook, alone: list.children!.length === 1, value, matcher: valueAt(groupNode, `matcher`)});
      }
    }
  }
  return entries;
}

/** Takes entries out, and what is left empty by that. */
function take(text: string, entries: Array<Entry>): string {
  let after = text;
  // From the last to the first, so that the places of those before stay right.
  for (const {event, group, hook} of [...entries].reverse()) {
    after = drop(after, [`hooks`, event, group, `hooks`, hook]);
    for (const at of [[`hooks`, event, group], [`hooks`, event], [`hooks`]] as Array<JSONPath>) {
      const node = findNodeAtLocation(readTree(after), at.length === 3 ? [...at, `hooks`] : at);
      if (node === undefined || (node.children?.length ?? 0) > 0)
        break;
      after = drop(after, at);
    }
  }
  return after;
}

function add(text: string, event: string, group: unknown): string {
  const root = readTree(text);
  const groups = findNodeAtLocation(root, [`hooks`, event]);
  if (groups !== undefined)
    return insertLast(text, groups, group);
  const events = findNodeAtLocation(root, [`hooks`]);
  return events !== undefined ? insertLast(text, events, [group], event) : insertLast(text, root, {[event]: [group]}, `hooks`);
}

function drop(text: string, at: JSONPath): string {
  const node = findNodeAtLocation(readTree(text), at)!;
  // The value of a key goes with its key.
  const child = typeof at.at(-1) === `string` ? node.parent! : node;
  return removeChild(text, child.parent!, child.parent!.children!.indexOf(child));
}

function readTree(text: string): Node {
  const errors: Array<ParseError> = [];
  const root = parseTree(text.replace(/^\uFEFF/, ` `), errors, {allowTrailingComma: true});
  const [error] = errors;
  if (error !== undefined)
    throw new SettingsError(`The settings are no valid JSON: ${printParseErrorCode(error.error)} at ${position(text, error.offset)}`);
  if (root === undefined)
    throw new SettingsError(`The settings are empty`);

  expect(text, root, `object`, `the settings`);
  checkKeys(text, root, [`hooks`]);
  const hooksNode = findNodeAtLocation(root, [`hooks`]);
  if (hooksNode?.type === `object`)
    checkKeys(text, hooksNode);
  return root;
}

/** Of a key that stands twice an agent takes the last, an editor of ours the first. */
function checkKeys(text: string, node: Node, only?: Array<string>) {
  const seen = new Set<string>();
  for (const property of node.children ?? []) {
    const key = property.children![0]!;
    if (only !== undefined && !only.includes(key.value))
      continue;
    if (seen.has(key.value))
      throw new SettingsError(`The settings have "${key.value}" twice, again at ${position(text, key.offset)}`);
    seen.add(key.value);
  }
}

function expect(text: string, node: Node, type: `object` | `array`, what: string) {
  if (node.type !== type)
    throw new SettingsError(`${what} should be an ${type}, but is ${node.type} at ${position(text, node.offset)}`);
}

function position(text: string, offset: number) {
  const lines = text.slice(0, offset).split(`\n`);
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

function valueAt(node: Node, key: string): unknown {
  const inner = findNodeAtLocation(node, [key]);
  return inner === undefined ? undefined : getNodeValue(inner);
}

/** Nothing but our own entries may differ, whatever the editor of the text made of odd formatting. */
function checkOthers(before: string, after: string) {
  if (!isDeepStrictEqual(withoutOurs(before), withoutOurs(after)))
    throw new SettingsError(`The settings could not be edited without changing other entries`);
}

function withoutOurs(text: string): unknown {
  const value = getNodeValue(readTree(text));
  // A copy: the parser's objects have no prototype, and what is made of them below has one.
  if (value.hooks === undefined)
    return {...value};

  const kept: {[event: string]: unknown} = {};
  for (const [event, groups] of Object.entries(value.hooks as {[event: string]: Array<{hooks?: Array<{command?: unknown}>}>})) {
    const others = groups.flatMap(group => {
      const handlers = group.hooks?.filter(handler => typeof handler.command !== `string` || !handler.command.includes(MARK));
      return handlers?.length === 0 ? [] : [{...group, ...handlers === undefined ? {} : {hooks: handlers}}];
    });
    if (others.length > 0)
      kept[event] = others;
  }
  const {hooks: _, ...rest} = value;
  return Object.keys(kept).length > 0 ? {...rest, hooks: kept} : rest;
}
