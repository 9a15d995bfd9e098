import type {AgentAdapter}                  from '../types.ts';

import {detect, present}                    from './detect.ts';
import {fromEvent}                          from './hookEvents.ts';
import {hooks}                              from './hooks.ts';
import {judge}                              from './judge.ts';
import {PROVEN}                             from './lines.ts';
import {mirrorId, rolloutPath, storeOf}     from './locate.ts';
import {exclusively}                        from './lock.ts';
import {name}                               from './names.ts';
import {openReader}                         from './read.ts';
import {register}                           from './register.ts';
import {rehome}                             from './rehome.ts';
import {refresh}                            from './segments.ts';
import {files, locate, roots}               from './sessions.ts';
import {prepare}                            from './settings.ts';
import {CodexWriter}                        from './write.ts';

export const codex: AgentAdapter = {
  id: `codex`,
  name: `Codex`,
  proven: PROVEN,
  support: {
    source: `sessions, live through hooks (Codex asks once)`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs, images, plans, compactions, interruptions, title; shell as \`exec_command\`, edits as \`apply_patch\``,
    reduced: `thinking is shown, not sent; outputs above 48,000 bytes are cut in the middle`,
    dropped: `steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, refresh, fromEvent, name, files, openReader, roots},
  hooks,
  rehome,
  target: {
    mirrorId,
    prepare,
    pathOf: (machine, {id, header}) => rolloutPath(storeOf(machine), id, header.created),
    openWriter: (target, state) => new CodexWriter(target, state),
    judge,
    exclusively,
    register,
    resumeCommand: id => `codex resume ${id}`,
  },
};
