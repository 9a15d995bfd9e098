import path                                   from 'node:path';

import type {AgentAdapter}                    from '../types.ts';

import {detect, present}                      from './detect.ts';
import {fromEvent}                            from './events.ts';
import {hooks}                                from './hooks.ts';
import {judge}                                from './judge.ts';
import {PROVEN}                               from './lines.ts';
import {files, locate, roots}                 from './locate.ts';
import {native, resumeCommand}                from './native.ts';
import {AGENT, fileName, mirrorId, projectFolder} from './places.ts';
import {openReader}                           from './read.ts';
import {exclusively, register}                from './register.ts';
import {rehome}                               from './rehome.ts';
import {prepare, sessionsIn}                  from './settings.ts';
import {PiWriter}                             from './write.ts';

export const pi: AgentAdapter = {
  id: AGENT,
  name: `Pi`,
  proven: PROVEN,
  support: {
    source: `session files, live through an extension`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and results whole, images, compactions, interruptions, title; shell, read, edit, write and search as Pi's own tools`,
    reduced: `an edit of every occurrence stands as an edit of one`,
    dropped: `thinking, plans beside their calls, steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, fromEvent, files, openReader, roots},
  target: {
    mirrorId,
    prepare,
    pathOf: (machine, {id, cwd, header, settings}) => path.join(projectFolder(machine, cwd, sessionsIn(settings)), fileName(id, header.created)),
    openWriter: (target, state) => new PiWriter(target, state),
    judge,
    exclusively,
    register,
    resumeCommand,
  },
  native,
  rehome,
  hooks,
};
