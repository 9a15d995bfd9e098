import {findProgram}       from '../../system/programs.ts';
import type {AgentAdapter} from '../types.ts';

export const gemini: AgentAdapter = {
  id: `gemini`,
  name: `Gemini CLI`,
  proven: `0.61.0`,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect: async machine => ({found: await findProgram(machine, `gemini`) !== undefined, store: machine.home, notes: []}),
  present: async machine => await findProgram(machine, `gemini`) !== undefined,
};
