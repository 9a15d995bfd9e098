#!/usr/bin/env node
import path            from 'node:path';
import process         from 'node:process';

import {machineOf}     from '../system/machine.ts';

import {runWorker}     from './follower.ts';

// Started by the hook, detached from everything: nobody reads what it prints and nobody waits for it.
const [commonDir] = process.argv.slice(2);
if (commonDir !== undefined && path.isAbsolute(commonDir)) {
  const lingerMs = Number(process.env.SESSION_SYNC_LINGER_MS ?? 30_000);
  runWorker(commonDir, machineOf(process.env), {lingerMs: Number.isFinite(lingerMs) ? lingerMs : 30_000})
    .then(() => process.exit(0), () => process.exit(1));
}
