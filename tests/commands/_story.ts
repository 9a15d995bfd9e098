import * as fs          from 'node:fs/promises';
import path             from 'node:path';

import {SESSION, makeWorld} from './_runCli.ts';
import type {Person}    from './_runCli.ts';

const BEGIN = Date.UTC(2026, 10, 20, 9);

/** A session of Claude Code that is told call by call, and what is committed meanwhile. One clock for both. */
export class Story {
  private last: string | null = null;
  /** Whose transcript is written: the session's, or a sub-agent's. */
  private agent: string | null = null;
  private count = 0;
  private now = BEGIN;

  constructor(readonly person: Person, readonly session = SESSION) {}

  async prompt(text: string) {
    await this.line(`user`, {role: `user`, content: text});
  }

  async says(text: string) {
    await this.line(`assistant`, this.answer([{type: `text`, text}], `end_turn`));
  }

  /** Edits a file on disk as well. */
  async edits(file: string, from: string, to: string, {failed = false} = {}) {
    const target = path.join(this.person.repo, file);
    if (!failed)
      await fs.writeFile(target, (await fs.readFile(target, `utf8`)).replace(from, to));
    await this.call(`Edit`, {file_path: target, old_string: from, new_string: to}, failed ? `String to replace not found` : `The file ${target} has been updated.`, failed);
  }

  async writes(file: string, content: string) {
    const target = path.join(this.person.repo, file);
    await fs.mkdir(path.dirname(target), {recursive: true});
    await fs.writeFile(target, content);
    await this.call(`Write`, {file_path: target, content}, `File created successfully at: ${target}`);
  }

  /** The agent commits everything; resolves the commit. */
  async commits(subject: string, ...more: Array<string>) {
    const commit = await this.byHand(subject, ...more);
    await this.call(`Bash`, {command: `git add -A && git commit -m "${subject}"`}, `[main ${commit.slice(0, 7)}] ${subject}\n 1 file changed`);
    return commit;
  }

  /** The person commits everything. */
  async byHand(subject: string, ...more: Array<string>) {
    this.clock();
    await this.person.git(`add`, `-A`);
    await this.person.git(`commit`, `-q`, `-m`, subject, ...more);
    return await this.head();
  }

  async head() {
    return (await this.person.git(`rev-parse`, `HEAD`)).trim();
  }

  /** A sub-agent works, with a transcript of its own; then its report comes. */
  async delegates(agent: string, prompt: string, work: () => Promise<void>) {
    const id = `toolu_task_${agent}`;
    await this.line(`assistant`, this.answer([{type: `tool_use`, id, name: `Task`, input: {description: prompt, prompt, subagent_type: `general-purpose`}}], `tool_use`));
    const {last} = this;
    [this.agent, this.last] = [agent, null];
    await this.prompt(prompt);
    await work();
    [this.agent, this.last] = [null, last];
    await this.line(`user`, {role: `user`, content: [{type: `tool_result`, tool_use_id: id, content: [{type: `text`, text: `It is done.`}]}]}, {toolUseResult: {status: `completed`, prompt, agentId: agent, content: [{type: `text`, text: `It is done.`}]}});
  }

  /** Sets the time of what git does next. */
  clock(seconds = 10) {
    this.now += seconds * 1000;
    Object.assign(this.person.env, {GIT_AUTHOR_DATE: new Date(this.now).toISOString(), GIT_COMMITTER_DATE: new Date(this.now).toISOString()});
  }

  async call(name: string, input: object, output: string, failed = false) {
    const id = `toolu_${this.session.slice(-4)}_${this.count}`;
    await this.line(`assistant`, this.answer([{type: `tool_use`, id, name, input}], `tool_use`));
    await this.line(`user`, {role: `user`, content: [{type: `tool_result`, tool_use_id: id, content: output, ...failed ? {is_error: true} : {}}]}, {toolUseResult: output});
  }

  private answer(content: Array<object>, stop_reason: string) {
    return {id: `msg_${this.session.slice(-4)}_${this.count}`, type: `message`, role: `assistant`, model: `claude-sonnet-4-5`, content, stop_reason, stop_sequence: null, usage: {input_tokens: 1, output_tokens: 1}};
  }

  private async line(type: string, message: object, more: object = {}) {
    this.now += 1000;
    const uuid = `${this.session.slice(0, 24)}${String(this.count++).padStart(12, `0`)}`;
    const line = {parentUuid: this.last, isSidechain: this.agent !== null, ...this.agent === null ? {} : {agentId: this.agent}, type, message, ...more, uuid, timestamp: new Date(this.now).toISOString(), userType: `external`, entrypoint: `cli`, cwd: this.person.repo, sessionId: this.session, version: `2.1.330`, gitBranch: `main`};
    this.last = uuid;
    const main = this.person.transcript(this.session);
    const file = this.agent === null ? main : path.join(main.replace(/\.jsonl$/, ``), `subagents`, `agent-${this.agent}.jsonl`);
    await fs.mkdir(path.dirname(file), {recursive: true});
    await fs.appendFile(file, `${JSON.stringify(line)}\n`);
  }
}

/** alice's clone takes part; a session adds shipping costs and a discount, and commits each. */
export async function makeStory() {
  const made = await makeWorld();
  const {alice} = made;
  const story = new Story(alice);
  await fs.writeFile(path.join(alice.repo, `cart.js`), `export const cart = [];\n`);
  story.clock(-1000);
  await alice.ok(`init`);
  const start = await story.byHand(`Begin the cart`);
  story.clock(1000);
  await story.prompt(`Add shipping costs`);
  await story.writes(`src/shipping costs.js`, `export const shippingCosts = 4;\n\nexport const freeFrom = 50;\n`);
  const shipping = await story.commits(`Add shipping costs`);
  await story.says(`Done.`);
  await story.prompt(`Now a discount of ten percent`);
  await story.edits(`cart.js`, `export const cart = [];`, `export const cart = [];\nexport const discountPercent = 10;`);
  const discount = await story.commits(`Add a discount`);
  await story.says(`Done.`);
  await alice.ok(`sync`);
  return {...made, story, start, shipping, discount};
}
