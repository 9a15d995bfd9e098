import path               from 'node:path';

import type {HookAdapter} from '../types.ts';

import {storeOf}          from './places.ts';

const MARK = `session-sync-hook`;
const COMMAND = `command -v session-sync-hook >/dev/null 2>&1 && session-sync-hook cline >/dev/null 2>&1; exit 0`;
const LINES = [`# session-sync: keep this session`, COMMAND];

/**
 * Cline 3.0.65 runs `~/.cline/hooks/TaskComplete.sh` in the workspace when the agent has answered, with the event on
 * stdin. A script of the person's own cannot share stdin with ours, so one that is there is left alone.
 */
export const hooks: HookAdapter = {
  scope: `user`,
  settingsPath: machine => path.join(path.dirname(storeOf(machine)), `hooks`, `TaskComplete.sh`),
  install(text) {
    const wanted = `#!/bin/sh\n${LINES.join(`\n`)}\n`;
    if (text === wanted)
      return {text, summary: []};
    if (text !== null && text.trim() !== `` && !isOurs(text))
      return {text, summary: []};
    return {text: wanted, summary: [text === null || text.trim() === `` ? `add a hook for TaskComplete` : `update the hook for TaskComplete`]};
  },
  remove: text => isOurs(text) ? {text: null, summary: [`remove the hook for TaskComplete`]} : null,
  installed: text => text === null || !text.includes(MARK) ? `no` : text.includes(COMMAND) ? `yes` : `partly`,
};

/** Nothing but comments and our command. */
function isOurs(text: string) {
  return text.includes(MARK) && text.split(`\n`).every(line => line.trim() === `` || line.startsWith(`#`) || line.includes(MARK));
}
