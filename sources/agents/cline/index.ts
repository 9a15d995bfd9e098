import {journalPath}                from '../../system/journal.ts';
import type {AgentAdapter}          from '../types.ts';

import {detect, present}            from './detect.ts';
import {fromEvent}                  from './events.ts';
import {hooks}                      from './hooks.ts';
import {refresh}                    from './journal.ts';
import {files, locate, roots}       from './locate.ts';
import {ownership, repeated}        from './ours.ts';
import {AGENT, PROVEN, mirrorId} from './places.ts';
import {openReader}                 from './read.ts';
import {register}                   from './register.ts';
import {rehome}                     from './rehome.ts';
import {prepare}                    from './settings.ts';
import {ClineWriter}                from './write.ts';

export const cline: AgentAdapter = {
  id: AGENT,
  name: `Cline`,
  proven: PROVEN,
  support: {
    source: `its documents, after each answer through a hook`,
    target: `mirror at the end of turns, restore`,
    kept: `prompts, answers, calls and outputs, images, interruptions, title; shell as \`run_commands\`, edits as \`editor\``,
    reduced: `of a compacted session only the summary and what follows; outputs above 100,000 characters are cut in the middle`,
    dropped: `thinking, plans, steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, refresh, ownership, repeated, fromEvent, files, openReader, roots},
  target: {
    mirrorId,
    prepare,
    pathOf: (machine, {id}) => journalPath(machine, AGENT, `out`, id),
    openWriter: (target, state) => new ClineWriter(target, state),
    // The file is ours alone: whatever follows our bytes is not Cline's.
    judge: () => `continued`,
    exclusively: (_machine, _id, write) => write(),
    register,
    resumeCommand: id => `cline -i --id ${id}`,
  },
  rehome,
  hooks,
};
