import type {AgentAdapter}               from '../types.ts';

import {detect, present}                 from './detect.ts';
import {fromEvent}                       from './events.ts';
import {hooks}                           from './hooks.ts';
import {judge}                           from './judge.ts';
import {files, locate, name, roots}      from './locate.ts';
import {AGENT, PROVEN, mirrorId, storeOf, wirePath} from './places.ts';
import {openReader}                      from './read.ts';
import {register, withdraw}              from './register.ts';
import {rehome}                          from './rehome.ts';
import {prepare}                         from './settings.ts';
import {KimiWriter}                      from './write.ts';

export const kimi: AgentAdapter = {
  id: AGENT,
  name: `Kimi Code`,
  proven: PROVEN,
  support: {
    source: `event logs, live through hooks`,
    target: `live mirror, restore`,
    kept: `prompts, answers, calls and outputs, images, to-do lists, compactions, interruptions, title; shell as \`Bash\`, edits as \`Edit\``,
    reduced: `outputs above 50,000 characters are cut in the middle`,
    dropped: `thinking, plans in words, steps of sub-agents (their report is kept)`,
  },
  detect,
  present,
  source: {locate, fromEvent, name, files, openReader, roots},
  target: {
    mirrorId,
    prepare,
    pathOf: (machine, {id, cwd}) => wirePath(storeOf(machine), cwd, id),
    openWriter: (target, state) => new KimiWriter(target, state),
    judge,
    // Kimi Code 2.1.0 has no lock, and reads a session only when it opens it.
    exclusively: (_machine, _id, write) => write(),
    register,
    withdraw,
    resumeCommand: id => `kimi -S ${id}`,
  },
  rehome,
  hooks,
};
