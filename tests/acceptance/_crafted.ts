import {mkdir, writeFile}      from 'node:fs/promises';
import path                    from 'node:path';

import type {AgentAdapter}     from '../../sources/agents/types.ts';
import type {NeutralRecord, SessionHeader} from '../../sources/interchange/index.ts';

import {LOGO}                  from './_journey.ts';
import type {Machine}          from './_world.ts';

const SESSION = `6c2f64c5-6a4b-4f0c-9c5a-0d1f4f0e7a11`;

/** A session with all that goes wrong easily; no agent has written it. */
export function craftedSession(project: string): Array<NeutralRecord> {
  const text = (value: string) => [{type: `text`, text: value}];
  const call = (id: string, command: string) => ({kind: `call`, call: id, name: `Bash`, tool: `shell`, args: {command}, input: {command}, message: `m-${id[0]}`});
  const records: Array<object> = [
    ...[`/help is no command here`, `? what`, `! ls`, `@README.md only named`, `# a heading`, `Größe, 日本語, 👋🏽 \u202e`].flatMap((prompt, index) => [
      {kind: `prompt`, content: text(prompt)},
      {kind: `reply`, text: `Answer ${index} — größe 日本語`, message: `a-${index}`, final: true},
    ]),
    {kind: `prompt`, content: [...text(`What is in this picture?`), {type: `image`, mediaType: `image/png`, data: LOGO.toString(`base64`)}]},
    {kind: `reasoning`, text: `A logo, I think.`, message: `m-p`},
    {kind: `reply`, text: `I look at it from several sides.`, message: `m-p`},
    {...call(`p1`, `echo one`), message: `m-p`},
    {...call(`p2`, `exit 3`), message: `m-p`},
    {kind: `call`, call: `p3`, name: `mystery.tool`, tool: `other`, input: {depth: {of: [`an`, `odd`, `value`]}}, message: `m-p`},
    {kind: `result`, call: `p2`, content: text(`it failed`), error: true, exitCode: 3},
    {kind: `result`, call: `p1`, content: text(`one`), exitCode: 0},
    {kind: `result`, call: `p3`, content: text(`mysterious`)},
    {...call(`q1`, `seq 1 200000`)},
    {kind: `result`, call: `q1`, content: text(Array.from({length: 160_000}, (_, index) => `${index}`).join(`\n`))},
    {kind: `call`, call: `r1`, name: `Edit`, tool: `edit`, args: {path: `${project}/a.js`, edits: [{old: `let a`, new: `let b`}]}, input: {}, message: `m-r`},
    {kind: `result`, call: `r1`, content: text(`done`)},
    {kind: `call`, call: `s1`, name: `Write`, tool: `write`, args: {path: `${project}/b.js`, content: `// größe\n`}, input: {}, message: `m-s`},
    {kind: `prompt`, content: text(`Hurry up, please.`), midTurn: true},
    {kind: `result`, call: `s1`, content: text(`written`)},
    {kind: `reply`, text: `I begin to`, message: `m-t`, partial: true},
    {kind: `interrupt`, during: `reply`, text: `[Request interrupted by user]`},
    {kind: `prompt`, content: text(`Go on.`)},
    {kind: `reply`, text: `On I go.`, message: `m-u`, final: true},
  ];
  return placed(records);
}

/** The same with a compaction that keeps its last turn, and a turn after it. */
export function compactedSession(project: string): Array<NeutralRecord> {
  const before = craftedSession(project);
  const kept = before.slice(-2).map(({seq}) => seq);
  return placed([
    ...before,
    {kind: `compaction`, summary: `SUMMARY of all that was before.\nIt was a lot.`, keep: kept},
    {kind: `prompt`, content: [{type: `text`, text: `And after it?`}]},
    {kind: `reply`, text: `It goes on.`, message: `m-v`, final: true},
  ]);
}

function placed(records: Array<object>): Array<NeutralRecord> {
  return records.map((record, seq) => ({...record, seq, time: new Date(1_795_168_800_000 + seq * 1000).toISOString()})) as Array<NeutralRecord>;
}

/** Writes a session into an agent's store as a mirror is written; resolves to its id there. */
export async function writeInto(adapter: AgentAdapter, machine: Machine, records: Array<NeutralRecord>, {title, generation = 0}: {title?: string; generation?: number} = {}): Promise<string> {
  const target = adapter.target!;
  const here = {env: machine.env, home: machine.home, platform: process.platform, tmp: machine.env.TMPDIR!};
  const id = target.mirrorId(SESSION, generation);
  const settings = await target.prepare(here);
  const header: SessionHeader = {
    format: `session-sync/1`, session: SESSION, agent: {id: `claude-code`, nativeId: SESSION}, created: records[0]!.time!, roots: {}, counts: {},
  };
  const writing = {header, id, cwd: machine.project, settings};
  const file = await target.pathOf(here, writing);
  const writer = target.openWriter(writing);
  const text = writer.begin() + records.map(record => writer.push(record)).join(``);
  await target.exclusively(here, id, async () => {
    await mkdir(path.dirname(file), {recursive: true, mode: 0o700});
    await writeFile(file, text, {mode: 0o600});
  });
  const {listed, note} = await target.register(here, {id, path: file, cwd: machine.project, settings, updated: writer.updated()!, ...title === undefined ? {} : {title}});
  if (!listed)
    throw new Error(`${adapter.name} does not list the session: ${note}`);
  return id;
}
