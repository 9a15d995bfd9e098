import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const qwen: AgentAdapter = {
  id: `qwen`,
  name: `Qwen Code`,
  proven: `0.24.4`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `qwen`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `qwen`) !== undefined,
};
