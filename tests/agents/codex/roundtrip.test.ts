import {readFileSync, readdirSync}            from 'node:fs';
import path                                   from 'node:path';

import {describe, expect, it}                 from 'vitest';

import {claudeCode}                           from '../../../sources/agents/claude-code/index.ts';
import {codex}                                from '../../../sources/agents/codex/index.ts';
import {apiName}                              from '../../../sources/agents/families/names.ts';
import {linearize, sinceCompaction}           from '../../../sources/interchange/index.ts';
import type {Json, NeutralRecord}             from '../../../sources/interchange/index.ts';
import fc                                     from '../../_properties.ts';
import {sessionArbitrary}                     from '../../interchange/arbitrary.ts';
import {expectSound, linesOf, readLines}      from '../_battery.ts';
import {ESSENTIAL, lost}                      from '../_essence.ts';
import {fixtureFile, fixtureNumbers}          from '../claude-code/_read.ts';

import {FIXTURES, fixtures}                   from './_read.ts';
import {open, target}                         from './_session.ts';

/** A rollout of ours, read again. */
function back(records: Array<NeutralRecord>, from = `claude-code`) {
  const writer = open(undefined, {header: {...target.header, agent: {...target.header.agent, id: from}}});
  const text = writer.begin() + records.map(record => writer.push(record)).join(``) + writer.end();
  const {records: read, reader} = readLines(codex.source!, linesOf(text), {name: `transcript.jsonl`});
  expectSound(read);
  return {text, read: linearize(read), reader, report: writer.report()};
}

/** What does not come back must be named in the report. */
function check(records: Array<NeutralRecord>, from?: string) {
  const {read, report} = back(records, from);
  const named = (kind: string) => report.items.filter(item => item.kind === kind).reduce((sum, {count}) => sum + (count ?? 1), 0);
  const full = lost(records, read);
  const seen = lost(sinceCompaction(records), read);
  for (const kind of ESSENTIAL)
    expect(Math.min(full[kind].count, seen[kind].count) - named(kind), `${kind}s lost without a word, first: ${full[kind].first}`).toBeLessThanOrEqual(0);

  const calls = new Map(read.flatMap(record => record.kind === `call` ? [[record.call, record.tool]] : []));
  const others = records.flatMap(record => record.kind === `call` && record.tool !== `ask` && calls.get(apiName(record.call)) !== record.tool ? [`${record.tool} ${record.name}`] : []);
  expect(others.length - named(`call`), `calls of another kind: ${others.join(`, `)}`).toBeLessThanOrEqual(0);
}

describe(`a session that was written for Codex and is read again`, () => {
  it.each(fixtureNumbers)(`loses nothing of Claude Code's %s that the report does not name`, number => {
    check(linearize(readLines(claudeCode.source!, linesOf(readFileSync(fixtureFile(number), `utf8`)), {name: number}).records));
  });

  it.each(fixtures)(`loses nothing of Codex's own %s that the report does not name`, name => {
    const [file] = readdirSync(path.join(FIXTURES, name)).filter(entry => entry.endsWith(`.jsonl`));
    check(linearize(readLines(codex.source!, linesOf(readFileSync(path.join(FIXTURES, name, file!), `utf8`)), {name}).records), `codex`);
  });

  it(`loses nothing of any session that the report does not name`, {timeout: 120_000}, () => {
    fc.assert(fc.property(sessionArbitrary({open: false}), generated => {
      // What a reader takes for the arguments of a kind always stands in the native ones.
      check(generated.map(record => record.kind === `call` && record.args !== undefined ? {...record, input: record.args as Json} : record) as Array<NeutralRecord>);
    }), {numRuns: 150});
  });
});
