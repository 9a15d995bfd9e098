import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const pi: AgentAdapter = {
  id: `pi`,
  name: `Pi`,
  proven: `1.5.2`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `pi`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `pi`) !== undefined,
};
