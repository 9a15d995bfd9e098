import path               from 'node:path';

import {hookSettings}     from '../families/hookSettings.ts';
import type {Handlers}    from '../families/hookSettings.ts';
import type {HookAdapter} from '../types.ts';

import {storeOf}          from './locate.ts';

/**
 * The whole of what stands in the file. Codex trusts a hook by the hash of what it is: another text would be asked for
 * again. It runs in the session's working folder (0.169.0), by which the script finds the repository.
 */
export const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook codex >/dev/null 2>&1; exit 0`;

/**
 * Codex waits for each of them (some milliseconds) and gives SessionEnd and Interrupt three seconds at most. At Stop the
 * last answer is in the rollout, and what ends the turn is not; at SessionEnd all is.
 */
const EVENTS = [`SessionStart`, `UserPromptSubmit`, `PostToolUse`, `PostCompact`, `Stop`, `Interrupt`, `SessionEnd`];

const handlers: Handlers = Object.fromEntries(EVENTS.map(event => [event, {type: `command`, command: COMMAND, timeout: 3}]));

const editor = hookSettings(handlers);
const EMPTY = /^\{\s*\}\s*$/;

export const hooks: HookAdapter = {
  scope: `user`,
  confirm: `Codex runs new hooks only after you have looked at them: open \`codex\` once and choose to trust them. Until then, \`session-sync sync\` reads its sessions.`,
  settingsPath: machine => path.join(storeOf(machine), `hooks.json`),
  install: text => editor.install(text),
  remove: text => {
    const change = editor.remove(text);
    return change !== null && EMPTY.test(change.text ?? ``) ? {...change, text: null} : change;
  },
  installed: text => editor.installed(text),
};
