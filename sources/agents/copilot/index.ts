import type {AgentAdapter}                  from '../types.ts';

import {detect, present}                    from './detect.ts';
import {fromEvent}                          from './events.ts';
import {hooks}                              from './hooks.ts';
import {refresh}                            from './journal.ts';
import {judge}                              from './judge.ts';
import {PROVEN}                             from './lines.ts';
import {files, locate, name, ownership, roots} from './locate.ts';
import {exclusively}                        from './lock.ts';
import {AGENT, eventsOf, mirrorId}          from './places.ts';
import {openReader}                         from './read.ts';
import {register}                           from './register.ts';
import {rehome}                             from './rehome.ts';
import {prepare}                            from './settings.ts';
import {CopilotWriter}                      from './write.ts';

export const copilot: AgentAdapter = {
  id: AGENT,
  name: `Copilot CLI`,
  proven: PROVEN,
  support: {
    source: `sessions, live through hooks`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs of any size, parallel calls, images, compactions, interruptions, title; shell as \`bash\`, files as \`view\`, \`edit\`, \`create\``,
    reduced: `thinking is shown, not sent; images of outputs follow them as a message`,
    dropped: `steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, refresh, ownership, fromEvent, name, files, openReader, roots},
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
  rehome,
  hooks,
};
