import path               from 'node:path';

import {hookSettings}     from '../families/hookSettings.ts';
import type {Handlers}    from '../families/hookSettings.ts';
import type {HookAdapter} from '../types.ts';

import {userSettings}     from './settings.ts';

/** The whole of what stands in a settings file; does nothing where the program is missing, never fails, never prints. */
export const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook qwen "$QWEN_PROJECT_DIR" >/dev/null 2>&1; exit 0`;

/**
 * Events, and whether Qwen Code has to wait: a run without a terminal does not wait for asynchronous ones at its end.
 * Stop is where the transcript is complete; SessionEnd comes in a terminal only (0.24.4).
 */
const EVENTS: {[event: string]: `async` | `sync`} = {
  SessionStart: `async`,
  UserPromptSubmit: `async`,
  PostToolUse: `async`,
  PostToolUseFailure: `async`,
  Stop: `sync`,
  SessionEnd: `sync`,
};

const handlers: Handlers = Object.fromEntries(Object.entries(EVENTS).map(([event, mode]) => [
  event, {type: `command`, name: `session-sync`, command: COMMAND, timeout: 5, ...mode === `async` ? {async: true} : {}},
]));

/** 0.24.4 writes this into every settings file that lacks it, also into one that is committed. */
const EMPTY = `{\n  "$version": 4\n}\n`;

const editor = hookSettings(handlers);

export const hooks: HookAdapter = {
  scope: `project`,
  // Qwen Code has no file for one person in one project; the hook does nothing in projects that take no part.
  settingsPath: (machine, project, {local}) => local ? userSettings(machine) : path.join(project, `.qwen`, `settings.json`),
  install: text => editor.install(text === null || text.trim() === `` ? EMPTY : text),
  remove: text => {
    const change = editor.remove(text);
    return change?.text === EMPTY ? {...change, text: null} : change;
  },
  installed: text => editor.installed(text),
};
