import * as fs         from 'node:fs/promises';

import {grow}          from './_runCli.ts';
import type {Person}   from './_runCli.ts';

/** Codex goes on with a session of its store, in the form of the files that it writes itself (0.169.0). */
export async function goOnInCodex(person: Person, id: string | undefined, prompt: string, answer: string, time = `2026-11-20T12:00:00.000Z`) {
  const file = (await person.rollouts()).find(name => name.includes(id ?? ``))!;
  const lines = [
    {timestamp: time, type: `event_msg`, payload: {type: `task_started`, turn_id: `t1`}},
    {timestamp: time, type: `response_item`, payload: {type: `message`, role: `user`, content: [{type: `input_text`, text: prompt}]}},
    {timestamp: time, type: `event_msg`, payload: {type: `user_message`, message: prompt}},
    {timestamp: time, type: `response_item`, payload: {type: `message`, role: `assistant`, content: [{type: `output_text`, text: answer}], phase: `final_answer`}},
    {timestamp: time, type: `event_msg`, payload: {type: `agent_message`, message: answer, phase: `final_answer`}},
    {timestamp: time, type: `event_msg`, payload: {type: `task_complete`, turn_id: `t1`, last_agent_message: answer}},
  ];
  await fs.appendFile(file, lines.map(line => `${JSON.stringify(line)}\n`).join(``));
  return file;
}

/** Claude Code goes on with a session of its store. */
export async function goOnInClaude(person: Person, id: string, prompt: string) {
  await grow(person, prompt, id);
}
