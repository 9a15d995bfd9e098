import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const amp: AgentAdapter = {
  id: `amp`,
  name: `Amp`,
  proven: `0.0.1790142911`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `amp`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `amp`) !== undefined,
};
