import path               from 'node:path';

import {SettingsError}    from '../types.ts';
import type {HookAdapter} from '../types.ts';

import {agentFolder}      from './places.ts';

const MARK = `// session-sync:`;

/**
 * The extension, plain JavaScript: Pi loads it in every project, and what it starts does nothing in those that have not
 * been set up. Nothing waits for that program, and it outlives Pi. `agent_settled` and what stands after it are unknown
 * to versions before 1.0, which then never send them.
 */
const EXTENSION = `${MARK} tells session-sync-hook what happens in Pi, so that it keeps your sessions in git.
// Written by \`session-sync init\`, which writes it again; \`session-sync uninit --everywhere\` takes it away.
import {spawn} from 'node:child_process';

const EVENTS = ['session_start', 'turn_end', 'agent_end', 'agent_settled', 'session_compact', 'session_tree', 'session_shutdown'];

export default function (pi) {
  for (const event of EVENTS)
    pi.on(event, (_, ctx) => tell(event, ctx));
}

function tell(event, ctx) {
  try {
    const file = ctx.sessionManager.getSessionFile();
    if (!file)
      return;
    const payload = {event, session: ctx.sessionManager.getSessionId(), file, cwd: ctx.cwd, pid: process.pid};
    const child = spawn('session-sync-hook', ['pi', ctx.cwd], {detached: true, stdio: ['pipe', 'ignore', 'ignore']});
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(payload));
    child.unref();
  } catch {
    // Not worth a word to somebody who works.
  }
}
`;

export const hooks: HookAdapter = {
  scope: `user`,
  settingsPath: machine => path.join(agentFolder(machine), `extensions`, `session-sync.js`),

  install(text) {
    if (text !== null && text.trim() !== `` && !isOurs(text))
      throw new SettingsError(`The extension session-sync.js is not ours`);
    if (text === EXTENSION)
      return {text, summary: []};
    return {text: EXTENSION, summary: [text === null ? `add an extension that tells session-sync of each turn` : `update the extension that tells session-sync of each turn`]};
  },

  remove(text) {
    return isOurs(text) ? {text: null, summary: [`remove the extension that tells session-sync of each turn`]} : null;
  },

  installed(text) {
    return text === EXTENSION ? `yes` : text !== null && isOurs(text) ? `partly` : `no`;
  },
};

function isOurs(text: string) {
  return text.startsWith(MARK);
}
