import {readFileSync, readdirSync}            from 'node:fs';
import path                                   from 'node:path';

import fc                                     from 'fast-check';
import {describe, expect, it}                 from 'vitest';

import {claudeCode}                           from '../../../sources/agents/claude-code/index.ts';
import {codex}                                from '../../../sources/agents/codex/index.ts';
import {apiName}                              from '../../../sources/agents/codex/names.ts';
import {linearize}                            from '../../../sources/interchange/index.ts';
import type {CallRecord, NeutralRecord, ResultRecord} from '../../../sources/interchange/index.ts';
import {sessionArbitrary}                     from '../../interchange/arbitrary.ts';
import {expectSound, linesOf, readLines}      from '../_battery.ts';
import {essenceOf, lost}                      from '../_essence.ts';
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

/** What does not come back must be named in the report; calls and results are told apart by their ids. */
function check(records: Array<NeutralRecord>, from?: string) {
  const {read, report} = back(records, from);
  const named = (kind: string) => report.items.filter(item => item.kind === kind).reduce((sum, {count}) => sum + (count ?? 1), 0);
  const full = lost(records, read);
  for (const kind of [`prompt`, `reply`] as const)
    expect(full[kind].count - named(kind), `${kind}s lost without a word, first: ${full[kind].first}`).toBeLessThanOrEqual(0);

  for (const kind of [`call`, `result`] as const) {
    const missing = records.filter((record): record is CallRecord | ResultRecord => record.kind === kind).filter(record =>
      !read.some(other => other.kind === kind && other.call === apiName(record.call) && essenceOf(other) === essenceOf(record)));
    expect(missing.slice(named(kind)).map(essenceOf), `${kind}s lost without a word`).toEqual([]);
  }
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
    fc.assert(fc.property(sessionArbitrary({open: false}), records => check(records)), {numRuns: 150});
  });
});
