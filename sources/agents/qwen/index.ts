import type {AgentAdapter}                 from '../types.ts';

import {PROVEN, detect, present}           from './detect.ts';
import {exclusively}                       from './exclusive.ts';
import {judge}                             from './judge.ts';
import {AGENT}                             from './locate.ts';
import {resumeCommand}             from './native.ts';
import {chatPath}                          from './places.ts';
import {mirrorId, prepare, register}       from './target.ts';
import {QwenWriter}                        from './write.ts';

export const qwen: AgentAdapter = {
  id: AGENT,
  name: `Qwen Code`,
  proven: PROVEN,
  support: {
    source: `-`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs, images, compactions, interruptions, title; shell, read, edit, write, search, fetch and plans as its own tools`,
    reduced: `outputs above 100,000 bytes are cut in the middle`,
    dropped: `thinking; steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
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
};
