import path             from 'node:path';

import {hookSettings}   from '../families/hookSettings.ts';
import type {Handlers}  from '../families/hookSettings.ts';
import type {HookAdapter} from '../types.ts';

/**
 * The whole of what stands in a settings file. It may be committed: where the program is missing it does nothing, and
 * it never exits with 2, which changes the session. No `exec`: where that fails, dash gives up before `exit 0`.
 */
export const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook claude-code "$CLAUDE_PROJECT_DIR" >/dev/null 2>&1; exit 0`;

/**
 * Events, and whether the agent has to wait. A `-p` run ends asynchronous hooks with SIGTERM when it is done, so the two
 * that come last are waited for (2-4 ms). No Stop comes after an interruption: the next prompt, the idle notification or
 * the session's end catch that. After a compaction SessionStart fires again. Events that only newest versions know
 * (PostCompact, StopFailure) are left out: an older one could refuse the whole file.
 */
const EVENTS: {[event: string]: `async` | `sync`} = {
  SessionStart: `async`,
  UserPromptSubmit: `async`,
  PostToolUse: `async`,
  PostToolUseFailure: `async`,
  Notification: `async`,
  PreCompact: `async`,
  SubagentStop: `async`,
  Stop: `sync`,
  SessionEnd: `sync`,
};

const handlers: Handlers = Object.fromEntries(Object.entries(EVENTS).map(([event, mode]) => [
  event, {type: `command`, command: COMMAND, timeout: 5, ...mode === `async` ? {async: true} : {}},
]));

export const hooks: HookAdapter = {
  scope: `project`,
  settingsPath: (_, project, {local}) => path.join(project, `.claude`, local ? `settings.local.json` : `settings.json`),
  ...hookSettings(handlers),
};
