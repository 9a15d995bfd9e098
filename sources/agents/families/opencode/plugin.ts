import path                     from 'node:path';

import {SettingsError}          from '../../types.ts';
import type {HookAdapter}       from '../../types.ts';

import {configFolder}           from './places.ts';
import type {Variant}           from './variant.ts';

/** What makes the file ours, in whichever version. */
const MARK = `// session-sync: `;

/**
 * A plugin for all projects of the person: one in a project costs each first start there an installation of a package,
 * which takes over a minute where the registry cannot be reached, each time. Into the person's own folder the agent
 * installs it anyway, with or without a plugin (1.18.33).
 *
 * Sub-agents have sessions of their own, which are read with the one that asked for them. Nothing is waited for but, when
 * the agent ends, that what was said has been handed over.
 */
function pluginText({id, name}: Variant): string {
  return `${MARK}written by \`session-sync init\`, removed by \`session-sync uninit\`; ${name} loads it in every project
// Tells session-sync that a session has changed. Does nothing in projects that do not take part.
import {spawn} from 'node:child_process';

const STEP_MS = 10000;

export const SessionSync = async ({directory, worktree}) => {
  const children = new Set();
  const running = new Set();
  const steps = new Map();

  const tell = (event, session) => {
    if (typeof session !== 'string' || children.has(session))
      return;
    try {
      const child = spawn('session-sync-hook', ['${id}', directory || worktree], {detached: true, stdio: ['pipe', 'ignore', 'ignore']});
      const done = new Promise(resolve => {
        child.on('error', resolve);
        child.on('exit', resolve);
      });
      running.add(done);
      done.then(() => running.delete(done));
      child.stdin.on('error', () => {});
      child.stdin.end(JSON.stringify({event, session, directory, pid: process.pid}));
      child.unref();
    } catch {
    }
  };

  // A long turn is kept in between, but not with every step.
  const step = session => {
    const now = Date.now();
    if (now - (steps.get(session) ?? 0) < STEP_MS)
      return;
    steps.set(session, now);
    tell('step', session);
  };

  return {
    event: async ({event}) => {
      try {
        const {type, properties} = event;
        if (type === 'session.created' || type === 'session.updated') {
          if (properties.info?.parentID)
            children.add(properties.info.id);
        } else if (type === 'session.idle' || type === 'session.error' || type === 'session.compacted') {
          tell(type, properties.sessionID);
        } else if (type === 'message.updated' && properties.info?.role === 'assistant' && properties.info.time?.completed) {
          step(properties.info.sessionID);
        }
      } catch {
      }
    },
    dispose: async () => {
      await Promise.race([Promise.all(running), new Promise(resolve => setTimeout(resolve, 1000))]);
    },
  };
};
`;
}

export function hooksFor(variant: Variant): HookAdapter {
  const text = pluginText(variant);
  const isOurs = (there: string) => there.startsWith(MARK);
  return {
    scope: `user`,
    settingsPath: machine => path.join(configFolder(machine, variant), `plugin`, `session-sync.js`),
    install(there) {
      if (there !== null && there.trim() !== `` && !isOurs(there))
        throw new SettingsError(`It is another plugin of that name`);
      return {text, summary: there === text ? [] : [there === null || there.trim() === `` ? `add a plugin that tells of sessions` : `update the plugin that tells of sessions`]};
    },
    remove: there => isOurs(there) ? {text: null, summary: [`remove the plugin`]} : null,
    installed: there => there === text ? `yes` : there !== null && isOurs(there) ? `partly` : `no`,
  };
}
