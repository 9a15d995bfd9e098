import {readFileSync, readdirSync, statSync}   from 'node:fs';
import path                                    from 'node:path';

import {describe, expect, it}                  from 'vitest';

import {agents}                                from '../../sources/agents/index.ts';
import type {AgentAdapter, RecordWriter}       from '../../sources/agents/index.ts';
import {linearize, sinceCompaction}            from '../../sources/interchange/index.ts';
import type {Json, NeutralRecord}              from '../../sources/interchange/index.ts';
import fc                                      from '../_properties.ts';
import {sessionArbitrary}                      from '../interchange/arbitrary.ts';

import {expectSound, linesOf, readLines}       from './_battery.ts';
import {ESSENTIAL, lost}                       from './_essence.ts';

const FIXTURES = path.join(import.meta.dirname, `..`, `fixtures`);

/** Agents whose lines are not those of their store: what comes back from them is shown with the real programs. */
const FOREIGN = new Set([`opencode`, `kilo`, `cline`, `amp`]);
const files = agents.filter(agent => agent.target !== undefined && agent.source !== undefined && !FOREIGN.has(agent.id));

/** Settings that the writer of an agent finds on a machine where nothing special is configured. */
const SETTINGS: {[agent: string]: Json} = {codex: {provider: `openai`}};

type Row = {agent: AgentAdapter; name: string; records: Array<NeutralRecord>};

/** The recorded sessions of each agent, read. */
const rows: Array<Row> = agents.filter(agent => agent.source !== undefined).flatMap(agent => sessionsOf(agent.id).map(({name, file}) => ({
  agent, name, records: linearize(readLines(agent.source!, linesOf(readFileSync(file, `utf8`)), {name: path.basename(file)}).records),
})).filter(({records}) => records.some(record => record.kind === `prompt`)));

/** Main transcripts below `tests/fixtures/<agent>/`: of each folder, the largest. */
function sessionsOf(agent: string): Array<{name: string; file: string}> {
  const folder = path.join(FIXTURES, agent);
  try {
    return readdirSync(folder).sort().flatMap(name => {
      const here = path.join(folder, name);
      if (!statSync(here).isDirectory())
        return [];
      const candidates = readdirSync(here, {recursive: true, encoding: `utf8`}).filter(file => file.endsWith(`.jsonl`)).map(file => path.join(here, file));
      const [file] = candidates.sort((a, b) => a.split(path.sep).length - b.split(path.sep).length || statSync(b).size - statSync(a).size);
      return file === undefined ? [] : [{name: `${agent} ${name}`, file}];
    });
  } catch {
    return [];
  }
}

function write(target: AgentAdapter, records: Array<NeutralRecord>, from: string): {text: string; writer: RecordWriter} {
  const session = `5e551000-0000-4000-8000-0000000000aa`;
  const writer = target.target!.openWriter({
    header: {format: `session-sync/1`, session, agent: {id: from, nativeId: session}, created: `2026-11-20T10:00:00.000Z`, roots: {}, counts: {}},
    id: target.target!.mirrorId(session, 0), cwd: `/home/alice/shop`, settings: SETTINGS[target.id] ?? null,
  });
  return {text: writer.begin() + records.map(record => writer.push(record)).join(``) + writer.end(), writer};
}

/** A report is exact: whatever the target's own reader does not find again is among what was reduced or dropped. */
function check(target: AgentAdapter, records: Array<NeutralRecord>, from: string) {
  const {text, writer} = write(target, records, from);
  const {records: back} = readLines(target.source!, linesOf(text), {name: `mirror.jsonl`});
  expectSound(back);

  const {kept, reduced, dropped, items} = writer.report();
  expect(kept + reduced + dropped).toBe(records.length);
  const named = (kind: string, outcome?: string) => items.filter(item => item.kind === kind && (outcome === undefined || item.outcome === outcome)).reduce((sum, item) => sum + (item.count ?? 1), 0);

  const history = linearize(back);
  const full = lost(records, history);
  // What stands before a compaction is gone for the model, but not for the person: it may be left out of the file.
  const seen = lost(sinceCompaction(records), history);
  for (const kind of ESSENTIAL) {
    const excess = Math.min(full[kind].count, seen[kind].count) - named(kind);
    expect(excess, `${kind}s that ${target.id} lost without saying so, first: ${full[kind].first}`).toBeLessThanOrEqual(0);
  }
}

describe.each(rows.map(row => ({...row, title: row.name})))(`$title`, ({agent, records}) => {
  it.each(files.filter(target => target !== agent).map(target => ({id: target.id, target})))(`→ $id → neutral: nothing is lost that the report does not name`, ({target}) => {
    check(target, records, agent.id);
  });

  // What goes through a program of the agent is shown with the real one.
  if (files.includes(agent))
    it(`comes back from its own format`, () => check(agent, records, agent.id));
});

describe.each(files.map(target => ({id: target.id, target})))(`any session → $id → neutral`, ({target}) => {
  it(`loses nothing that the report does not name`, {timeout: 120_000}, () => {
    fc.assert(fc.property(sessionArbitrary({open: false}), generated => {
      // What a reader takes for the arguments of a kind always stands in the native ones.
      const records = generated.map(record => record.kind === `call` && record.args !== undefined ? {...record, input: record.args as Json} : record) as Array<NeutralRecord>;
      check(target, records, `somebody`);
    }), {numRuns: 60});
  });
});
