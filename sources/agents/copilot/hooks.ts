import path                from 'node:path';

import {SettingsError}     from '../types.ts';
import type {HookAdapter}  from '../types.ts';

import {storeOf}           from './places.ts';

const MARK = `session-sync-hook`;

/** Where the program is missing, or the project has not been set up, it does nothing. Copilot waits for it (2-4 ms). */
export const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook copilot "$COPILOT_PROJECT_DIR" >/dev/null 2>&1; exit 0`;

/** All ran with 1.0.102, from a file of the person's own without a question. */
const EVENTS = [`sessionStart`, `userPromptSubmitted`, `postToolUse`, `agentStop`, `sessionEnd`];

const TEXT = `${JSON.stringify({
  version: 1,
  hooks: Object.fromEntries(EVENTS.map(event => [event, [{type: `command`, bash: COMMAND, timeoutSec: 5}]])),
}, null, 2)}\n`;

/** A file of our own in the person's folder of hooks. */
export const hooks: HookAdapter = {
  scope: `user`,
  settingsPath: machine => path.join(storeOf(machine), `hooks`, `session-sync.json`),

  install(text) {
    if (text === TEXT)
      return {text, summary: []};
    if (text !== null && text.trim() !== `` && !text.includes(MARK))
      throw new SettingsError(`There is a file of this name that is none of ours`);
    const verb = text?.includes(MARK) ? `update the hook` : `add a hook`;
    return {text: TEXT, summary: EVENTS.map(event => `${verb} for ${event}`)};
  },

  remove(text) {
    return text.includes(MARK) ? {text: null, summary: EVENTS.map(event => `remove the hook for ${event}`)} : null;
  },

  installed(text) {
    return text === TEXT ? `yes` : text?.includes(MARK) ? `partly` : `no`;
  },
};
