import os             from 'node:os';
import process        from 'node:process';

import type {Machine} from '../agents/types.ts';

/** The machine as the program's entry points hand it down; nothing else looks at the environment. */
export function machineOf(env: NodeJS.ProcessEnv): Machine {
  return {
    env: {...env},
    home: env.HOME || env.USERPROFILE || os.homedir(),
    platform: process.platform,
    tmp: os.tmpdir(),
  };
}
