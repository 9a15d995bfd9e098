import {mkdir, writeFile}      from 'node:fs/promises';
import path                    from 'node:path';

import type {Json, JsonObject} from '../../sources/interchange/index.ts';

import {LOGO, slugOf}          from './_journey.ts';
import type {Machine}          from './_world.ts';

/** Writes a transcript of Claude Code 2.1.330 line by line. */
class Transcript {
  private readonly lines: Array<JsonObject> = [];
  private last: string | null = null;
  private serial = 0;

  constructor(readonly session: string, private readonly cwd: string) {}

  prompt(content: Json) {
    this.add({type: `user`, promptSource: `typed`, origin: {kind: `human`}, message: {role: `user`, content}});
  }

  answer(message: string, ...blocks: Array<JsonObject>) {
    const stop = blocks.some(block => block.type === `tool_use`) ? `tool_use` : `end_turn`;
    for (const block of blocks)
      this.add({type: `assistant`, message: {id: message, type: `message`, role: `assistant`, model: `claude-opus-4-6`, content: [block], stop_reason: stop, usage: {input_tokens: 1, output_tokens: 1}}});
  }

  result(id: string, content: Json, error = false) {
    this.add({type: `user`, message: {role: `user`, content: [{type: `tool_result`, tool_use_id: id, content, ...error ? {is_error: true} : {}}]}});
  }

  text() {
    return this.lines.map(line => `${JSON.stringify(line)}\n`).join(``);
  }

  private add(line: JsonObject) {
    const uuid = `5e551000-0000-4000-9000-${String(++this.serial).padStart(12, `0`)}`;
    const timestamp = new Date(Date.UTC(2026, 10, 20, 10, 0, 0) + this.serial * 1000).toISOString();
    this.lines.push({parentUuid: this.last, isSidechain: false, userType: `external`, cwd: this.cwd, sessionId: this.session, version: `2.1.330`, gitBranch: `main`, uuid, timestamp, ...line});
    this.last = uuid;
  }
}

const text = (value: string) => ({type: `text`, text: value});
const use = (id: string, name: string, input: JsonObject) => ({type: `tool_use`, id, name, input});

/** Everything that has a trap in one agent or another, in one session. */
export function nastySession(cwd: string): Transcript {
  const session = new Transcript(`5e551000-0000-4000-8000-0000000000d1`, cwd);
  session.prompt(`Fix the cart, please.`);
  session.answer(`m1`, {type: `thinking`, thinking: `The cart is broken.`, signature: `c2lnbmF0dXJl`}, text(`I look at it first.`),
    use(`t1`, `Bash`, {command: `ls -la 'src' && echo "übung" | grep -c ü`, description: `List`}),
    use(`t2`, `Read`, {file_path: `${cwd}/src/cart.js`}),
    use(`t3`, `Grep`, {pattern: `total\\(`, path: `${cwd}/src`, output_mode: `content`}));
  // Parallel calls whose results come in another order.
  session.result(`t2`, `1\texport const cart = [];\n2\t// 日本語のコメント 🎉`);
  session.result(`t1`, `total 4\n-rw-r--r-- 1 alice alice 12 cart.js\n1`);
  session.result(`t3`, `src/cart.js:3:total()`);
  session.answer(`m2`, text(`Ich ändere das jetzt – größer, schöner.`),
    use(`t4`, `Edit`, {file_path: `${cwd}/src/cart.js`, old_string: `export const cart = [];`, new_string: `export const cart = new Map();\n// größer`, replace_all: false}));
  session.result(`t4`, `The file ${cwd}/src/cart.js has been updated.`);
  session.answer(`m3`, use(`t5`, `Write`, {file_path: `${cwd}/docs/日本語.md`, content: `# 見出し\n\nGrüße 👩‍👩‍👧‍👦\n`}), use(`t6`, `Bash`, {command: `npm test`}));
  session.result(`t5`, `File created successfully at: ${cwd}/docs/日本語.md`);
  session.result(`t6`, `Exit code 1\n2 tests failed\n  ✗ total() of an empty cart`, true);
  session.answer(`m4`, text(`Two tests fail.`), use(`t7`, `mcp__tracker__create_issue`, {title: `total() of an empty cart`, labels: [`bug`, `später`]}), use(`t8`, `SomeToolNobodyKnows`, {depth: {of: [`things`, {x: 1}]}, note: `"quoted" \\ and \n new line`}));
  session.result(`t7`, [{type: `text`, text: `Created issue 17`}]);
  session.result(`t8`, `done, somehow`);
  session.answer(`m5`, use(`t9`, `TodoWrite`, {todos: [{content: `Mend total()`, status: `in_progress`, activeForm: `Mending total()`}, {content: `Write a test`, status: `pending`, activeForm: `Writing`}]}));
  session.result(`t9`, `Todos have been modified successfully.`);
  session.answer(`m6`, text(`Done. 完了しました。🎉`));

  for (const [index, prompt] of [
    `/home/alice/x is broken, why?`, `?what is this for`, `!echo is what I type in a shell`, `@src/cart.js what does it do`, `# a heading, and no memory`,
    `<session_context>is a tag that I ask about</session_context>`, `ü 日本語 👩‍👩‍👧‍👦 in one prompt`, `  indented\n\twith a tab\n\nand an empty line`, `--help`, `{"type":"user"}`,
  ].entries()) {
    session.prompt(prompt);
    session.answer(`p${index}`, text(`Answer ${index} to that.`));
  }

  session.prompt([text(`What is in this picture?`), {type: `image`, source: {type: `base64`, media_type: `image/png`, data: LOGO.toString(`base64`)}}]);
  session.answer(`m7`, text(`A square of one colour.`));
  session.prompt(`Show me the log.`);
  session.answer(`m8`, use(`t10`, `Bash`, {command: `cat build.log`}));
  session.result(`t10`, Array.from({length: 20_000}, (_, line) => `line ${String(line).padStart(6, `0`)} of a log that is much too long for anybody`).join(`\n`));
  session.answer(`m9`, use(`t11`, `Bash`, {command: `true`}));
  session.result(`t11`, ``);
  session.answer(`m10`, text(`It says nothing.`));
  return session;
}

/** Many short turns. */
export function longSession(cwd: string, turns: number, id = `5e551000-0000-4000-8000-0000000000d2`): Transcript {
  const session = new Transcript(id, cwd);
  for (let turn = 0; turn < turns; turn++) {
    session.prompt(`Prompt ${turn}: what is next?`);
    session.answer(`m${turn}a`, use(`t${turn}`, `Bash`, {command: `echo step ${turn}`}));
    session.result(`t${turn}`, `step ${turn}`);
    session.answer(`m${turn}b`, text(`Step ${turn} is done.`));
  }
  return session;
}

export async function placeTranscript(machine: Machine, transcript: Transcript): Promise<string> {
  const folder = path.join(machine.claudeHome, `projects`, slugOf(machine.project));
  await mkdir(folder, {recursive: true});
  await writeFile(path.join(folder, `${transcript.session}.jsonl`), transcript.text(), {mode: 0o600});
  return transcript.session;
}
