import type {AgentAdapter}           from '../types.ts';

import {PROVEN, detect, present}     from './detect.ts';
import {fromEvent}                   from './events.ts';
import {hooks}                       from './hooks.ts';
import {AGENT, files, locate, roots} from './locate.ts';
import {native}                      from './native.ts';
import {openReader}                  from './read.ts';

export const claudeCode: AgentAdapter = {
  id: AGENT,
  name: `Claude Code`,
  proven: PROVEN,
  support: {
    source: `transcripts, live through hooks`,
    target: `-`,
    kept: `-`,
    reduced: `-`,
    dropped: `-`,
  },
  detect,
  present,
  source: {locate, fromEvent, files, openReader, roots},
  native,
  hooks,
};
