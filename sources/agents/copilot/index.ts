import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const copilot: AgentAdapter = {
  id: `copilot`,
  name: `Copilot CLI`,
  proven: `1.0.102`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `copilot`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `copilot`) !== undefined,
};
