import type {AgentAdapter}                  from '../types.ts';

import {detect, present}                    from './detect.ts';
import {judge}                              from './judge.ts';
import {PROVEN}                             from './lines.ts';
import {exclusively}                        from './lock.ts';
import {AGENT, eventsOf, mirrorId} from './places.ts';
import {register}                           from './register.ts';
import {prepare}                            from './settings.ts';
import {CopilotWriter}                      from './write.ts';

export const copilot: AgentAdapter = {
  id: AGENT,
  name: `Copilot CLI`,
  proven: PROVEN,
  support: {source: `-`, target: `-`, kept: `-`, reduced: `-`, dropped: `-`},
  detect,
  present,
  target: {
    mirrorId,
    prepare,
    pathOf: (machine, {id}) => eventsOf(machine, id),
    openWriter: (target, state) => new CopilotWriter(target, state),
    judge,
    exclusively,
    register,
    resumeCommand: id => `copilot --resume=${id}`,
  },
};
