import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const kimi: AgentAdapter = {
  id: `kimi`,
  name: `Kimi Code`,
  proven: `2.1.0`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `kimi`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `kimi`) !== undefined,
};
