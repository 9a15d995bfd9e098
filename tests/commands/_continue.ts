import * as fs         from 'node:fs/promises';
import path            from 'node:path';

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

/** Pi goes on with the one session of its store, in the form of the lines that stand there (1.5.2). */
export async function goOnInPi(person: Person, prompt: string, answer: string, time = `2026-11-20T12:00:00.000Z`) {
  const store = path.join(person.home, `.pi/agent/sessions`);
  const [name] = (await fs.readdir(store, {recursive: true})).filter(one => one.endsWith(`.jsonl`));
  const file = path.join(store, name!);
  const lines = (await fs.readFile(file, `utf8`)).trimEnd().split(`\n`).map(line => JSON.parse(line));
  const like = (role: string) => lines.findLast(line => line.message?.role === role);
  const user = {...like(`user`), id: `aaaa0001`, parentId: lines.findLast(line => line.id !== undefined).id, timestamp: time};
  user.message = {...user.message, content: [{type: `text`, text: prompt}], timestamp: Date.parse(time)};
  const assistant = {...like(`assistant`), id: `aaaa0002`, parentId: `aaaa0001`, timestamp: time};
  assistant.message = {...assistant.message, content: [{type: `text`, text: answer}], stopReason: `stop`, timestamp: Date.parse(time)};
  await fs.appendFile(file, [user, assistant].map(line => `${JSON.stringify(line)}\n`).join(``));
  return file;
}
