import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const opencode: AgentAdapter = {
  id: `opencode`,
  name: `OpenCode`,
  proven: `1.18.33`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `opencode`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `opencode`) !== undefined,
};
