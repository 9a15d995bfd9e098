import path               from 'node:path';

import {hookSettings}     from '../families/hookSettings.ts';
import type {Handlers}    from '../families/hookSettings.ts';
import type {HookAdapter} from '../types.ts';

import {storeOf}          from './places.ts';

/** Gemini puts the quoted folder in for the variable itself, so that it stands here without quotes (0.61.0). */
export const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook gemini $GEMINI_PROJECT_DIR >/dev/null 2>&1; exit 0`;

/**
 * Gemini waits for every hook. SessionStart names the wrong file when it resumes; the events around each request to the
 * model come once a piece of the answer and carry the whole history. When a tool has run its result is not in the file
 * yet, but what came before it is (0.61.0).
 */
const EVENTS = [`BeforeAgent`, `AfterTool`, `AfterAgent`, `SessionEnd`];

/** `timeout` is in milliseconds. */
const handlers: Handlers = Object.fromEntries(EVENTS.map(event => [event, {type: `command`, name: `session-sync`, command: COMMAND, timeout: 5_000}]));

export const hooks: HookAdapter = {
  // A project's own hooks run only in folders that the person has declared trusted.
  scope: `user`,
  settingsPath: machine => path.join(storeOf(machine), `settings.json`),
  ...hookSettings(handlers),
};
