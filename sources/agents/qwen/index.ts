import type {AgentAdapter}                 from '../types.ts';

import {PROVEN, detect, present}           from './detect.ts';
import {fromEvent}                         from './events.ts';
import {exclusively}                       from './exclusive.ts';
import {hooks}                             from './hooks.ts';
import {judge}                             from './judge.ts';
import {AGENT, files, locate, roots}       from './locate.ts';
import {native, resumeCommand}             from './native.ts';
import {chatPath}                          from './places.ts';
import {openReader}                        from './read.ts';
import {rehome}                            from './rehome.ts';
import {mirrorId, prepare, register}       from './target.ts';
import {QwenWriter}                        from './write.ts';

export const qwen: AgentAdapter = {
  id: AGENT,
  name: `Qwen Code`,
  proven: PROVEN,
  support: {
    source: `transcripts, live through hooks`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs, images, compactions, interruptions, title; shell, read, edit, write, search, fetch and plans as its own tools`,
    reduced: `outputs above 100,000 bytes are cut in the middle`,
    dropped: `thinking; steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, fromEvent, files, openReader, roots},
  target: {
    mirrorId,
    prepare,
    pathOf: (machine, {id, cwd}) => chatPath(machine, cwd, id),
    openWriter: (target, state) => new QwenWriter(target, state),
    judge,
    exclusively,
    register,
    resumeCommand,
  },
  native,
  rehome,
  hooks,
};
