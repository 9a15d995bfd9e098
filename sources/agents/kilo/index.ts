import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const kilo: AgentAdapter = {
  id: `kilo`,
  name: `Kilo CLI`,
  proven: `7.7.7`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `kilo`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `kilo`) !== undefined,
};
