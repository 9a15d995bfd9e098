import path                      from 'node:path';
import {isDeepStrictEqual}       from 'node:util';

import {parse, stringify}        from 'smol-toml';

import {SettingsError}           from '../types.ts';
import type {HookAdapter}        from '../types.ts';

import {storeOf}                 from './places.ts';

/** What makes a hook one of ours, in whichever shape an older version wrote it. */
const MARK = `session-sync-hook`;

/** Kimi Code 2.1.0 runs it with `sh`, in the session's working folder. It must not print: what it says goes to the model. */
export const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook kimi >/dev/null 2>&1; exit 0`;

const EVENTS = [`SessionStart`, `UserPromptSubmit`, `PostToolUse`, `PostToolUseFailure`, `Stop`, `StopFailure`, `Interrupt`, `PostCompact`, `SessionEnd`];

type Hook = {event?: unknown; command?: unknown; [key: string]: unknown};
type Config = {[key: string]: unknown};

/** `[[hooks]]` in the person's `config.toml`. The file is edited as text: comments and order stay. */
export const hooks: HookAdapter = {
  scope: `user`,
  settingsPath: machine => path.join(storeOf(machine), `config.toml`),

  install(text) {
    const before = text ?? ``;
    const there = oursIn(read(before));
    if (isCurrent(there))
      return {text: before, summary: []};
    const rest = withoutOurs(before);
    const eol = before.includes(`\r\n`) ? `\r\n` : `\n`;
    const blocks = EVENTS.map(event => stringify({hooks: [hookFor(event)]}).trim().replaceAll(`\n`, eol));
    const start = rest.trim() === `` ? `` : `${rest.trimEnd()}${eol}${eol}`;
    const after = `${start}${blocks.join(`${eol}${eol}`)}${eol}`;
    check(before, after, true);
    return {text: after, summary: EVENTS.map(event => `${there.some(hook => hook.event === event) ? `update the` : `add a`} hook for ${event}`)};
  },

  remove(text) {
    const ours = oursIn(read(text));
    if (ours.length === 0)
      return null;
    const after = withoutOurs(text);
    check(text, after, false);
    return {text: after.trim() === `` ? null : after, summary: [...new Set(ours.map(({event}) => `remove the hook for ${String(event)}`))]};
  },

  installed(text) {
    const ours = text === null ? [] : oursIn(read(text));
    return ours.length === 0 ? `no` : isCurrent(ours) ? `yes` : `partly`;
  },
};

function hookFor(event: string) {
  return {event, command: COMMAND, timeout: 5};
}

function isCurrent(ours: Array<Hook>) {
  return ours.length === EVENTS.length && EVENTS.every(event => ours.some(hook => isDeepStrictEqual({...hook}, hookFor(event))));
}

function read(text: string): Config {
  let config: Config;
  try {
    config = parse(text.replace(/^\ufeff/, ``)) as Config;
  } catch (error) {
    throw new SettingsError(`The settings are no valid TOML: ${(error as Error).message.split(`\n`)[0]}`);
  }
  if (config.hooks !== undefined && !Array.isArray(config.hooks))
    throw new SettingsError(`hooks should be an array of tables`);
  return config;
}

function oursIn(config: Config): Array<Hook> {
  return (config.hooks as Array<Hook> | undefined ?? []).filter(isOurs);
}

function isOurs(hook: Hook) {
  return typeof hook?.command === `string` && hook.command.includes(MARK);
}

/** Takes the tables of ours out, each from its header to the next one. */
function withoutOurs(text: string): string {
  const pieces = text.split(/^(?=[ \t]*\[)/m);
  const kept = pieces.map(piece => {
    if (!/^[ \t]*\[\[[ \t]*hooks[ \t]*\]\]/.test(piece) || !piece.includes(MARK))
      return piece;
    // A comment after it belongs to what follows.
    return /\n(?:[ \t]*\r?\n)*((?:[ \t]*#[^\n]*\n(?:[ \t]*\r?\n)*)+)$/.exec(piece)?.[1] ?? ``;
  });
  return kept.join(``);
}

/** Nothing but our own hooks may differ, however the file is laid out. */
function check(before: string, after: string, installed: boolean) {
  const [a, b] = [read(before), read(after)];
  if (!isDeepStrictEqual(rest(a), rest(b)) || (installed ? !isCurrent(oursIn(b)) : oursIn(b).length > 0))
    throw new SettingsError(`The settings could not be edited without changing other entries`);
}

function rest({hooks, ...config}: Config): unknown {
  const others = (hooks as Array<Hook> | undefined ?? []).filter(hook => !isOurs(hook));
  return structuredClone(others.length > 0 ? {...config, hooks: others} : config);
}
