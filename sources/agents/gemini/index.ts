import type {AgentAdapter}           from '../types.ts';

import {PROVEN, detect, present}     from './detect.ts';
import {fromEvent}                   from './events.ts';
import {hooks}                       from './hooks.ts';
import {AGENT, files, locate, roots} from './locate.ts';
import {openReader}                  from './read.ts';
import {rehome}                      from './rehome.ts';
import {makeTarget}                  from './target.ts';

export const gemini: AgentAdapter = {
  id: AGENT,
  name: `Gemini CLI`,
  proven: PROVEN,
  support: {
    source: `transcripts, live through hooks of the person's settings`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs, images, compactions, interruptions, title; shell, files, search, fetch and plan as Gemini's own tools`,
    reduced: `thinking is shown, not sent; outputs above 100,000 bytes are cut in the middle; Gemini itself takes old outputs out once they add up to some 80,000 tokens`,
    dropped: `steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, fromEvent, files, openReader, roots},
  target: makeTarget(),
  rehome,
  hooks,
};
