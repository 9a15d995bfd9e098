import type {AgentAdapter}           from '../types.ts';

import {PROVEN, detect, present}     from './detect.ts';
import {fromEvent}                   from './events.ts';
import {hooks}                       from './hooks.ts';
import {AGENT, files, locate, roots} from './locate.ts';
import {native}                      from './native.ts';
import {openReader}                  from './read.ts';
import {rehome}                      from './rehome.ts';
import {target}                      from './target.ts';

export const claudeCode: AgentAdapter = {
  id: AGENT,
  name: `Claude Code`,
  proven: PROVEN,
  support: {
    source: `transcripts, live through hooks`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs of any size, images, compactions with what they keep, interruptions, mid-turn prompts, title; calls as its own tools`,
    reduced: `several edits in one call stand as one call each`,
    dropped: `thinking of other providers; steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, fromEvent, files, openReader, roots},
  target,
  native,
  rehome,
  hooks,
};
