import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const cline: AgentAdapter = {
  id: `cline`,
  name: `Cline`,
  proven: `3.0.65`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `cline`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `cline`) !== undefined,
};
