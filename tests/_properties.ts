import fc      from 'fast-check';
import process from 'node:process';

/**
 * fast-check for all tests. In CI what it generates depends on nothing but the test, so that one commit has one verdict;
 * elsewhere each run looks at other cases. `SESSION_SYNC_SEED=<number>` repeats what a run has found.
 */
const given = process.env.SESSION_SYNC_SEED ?? (/^(?:1|true)$/i.test(process.env.CI ?? ``) ? `20261122` : undefined);
if (given !== undefined)
  fc.configureGlobal({seed: Number(given)});

export default fc;
