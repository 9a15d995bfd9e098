import {lstat, realpath}         from 'node:fs/promises';
import path                      from 'node:path';

import {stableJson}              from '../../../interchange/index.ts';
import {findProgram}             from '../../../system/programs.ts';
import type {Machine, RehomeAdapter, RehomeStep} from '../../types.ts';

import {overview}                from './overview.ts';
import type {Overview, Row}      from './overview.ts';
import {isSessionId}             from './places.ts';
import {lastLine, query, quoted, run} from './program.ts';
import type {Variant}            from './variant.ts';

/** Where a session, or one of a sub-agent in it, is filed. Without a project: that of the folder. */
type Filed = {id: string; directory: string; path: string; project?: string};

/** A part of it may be a session that is deeper than sane ones are. */
const DEEPEST = 20;

/**
 * The database names a session's folder, its place in the project's, and the project (1.18.33, 7.7.7). All rows of a session
 * change in one statement that the program itself carries out, if they still are what they were: its own `import` could do
 * that only for a folder that is there, a session at a time, and would change when it was last used.
 */
export function rehomeFor(variant: Variant): RehomeAdapter {
  return {
    programs: [variant.program],

    async plan(machine, {path: journal, nativeId}, to) {
      const all = await overview(machine, variant);
      if (all?.rows[nativeId] === undefined)
        throw new Error(`${variant.program} cannot be asked for it`);
      const directory = await realpath(to).catch(() => to);
      const top = await topOf(directory);
      const rows = familyOf(all, nativeId);
      const before = rows.map(({id, directory, path: inside, project}): Filed => ({id, directory, path: inside, project}));
      const after = rows.map(({id}): Filed => ({id, directory, path: path.relative(top, directory)}));
      return {path: journal, steps: before.every(one => one.directory === directory) ? [] : [{do: `tell`, path: journal, before: stableJson(before), after: stableJson(after)}]};
    },

    telling: {
      async known(machine, _nativeId, {before, after}) {
        const all = await overview(machine, variant);
        const stands = (text: string) => filedIn(text).every(({id, directory, path: inside}) => all?.rows[id]?.directory === directory && all.rows[id].path === inside);
        return stands(after) ? `after` : stands(before) ? `before` : null;
      },

      async tell(machine, _nativeId, step) {
        await tell(machine, variant, step);
      },
    },
  };
}

async function tell(machine: Machine, variant: Variant, {before, after}: Pick<RehomeStep & {do: `tell`}, `before` | `after`>) {
  const binary = await findProgram(machine, variant.program);
  if (binary === undefined)
    throw new Error(`${variant.program} is not on PATH: only it can write its database`);

  const [old, wanted] = [filedIn(before), filedIn(after)];
  const {directory, project} = wanted[0]!;
  const top = project === undefined ? await topOf(directory) : undefined;
  // It learns which project a folder is of when it is started there.
  if (top !== undefined) {
    const {code, errors} = await run(machine, variant, binary, [`session`, `list`, `-n`, `1`], {cwd: directory});
    if (code !== 0)
      throw new Error(`${variant.program} session list exited with ${code}: ${lastLine(errors)}`);
  }
  const each = (column: string, value: (one: Filed) => string) => `${column} = case id ${wanted.map(one => `when ${quoted(one.id)} then ${value(one)}`).join(` `)} end`;
  const ofFolder = top === undefined ? `project_id` : `coalesce((select p.id from project p where p.worktree = ${quoted(top)} or instr(p.sandboxes, ${quoted(JSON.stringify(top))}) > 0 order by p.time_updated desc limit 1), project_id)`;
  await query(machine, variant, binary, [
    `update session set`, [
      each(`directory`, one => quoted(one.directory)),
      each(`path`, one => quoted(one.path)),
      each(`project_id`, one => one.project === undefined ? ofFolder : quoted(one.project)),
    ].join(`, `),
    `where id in (${wanted.map(({id}) => quoted(id)).join(`, `)})`,
    `and (select count(*) from session s where ${old.map(one => `s.id = ${quoted(one.id)} and s.directory = ${quoted(one.directory)}`).join(` or `)}) = ${old.length}`,
  ].join(` `));
  const all = await overview(machine, variant);
  if (!wanted.every(({id, directory}) => all?.rows[id]?.directory === directory))
    throw new Error(`${variant.name} did not take it`);
}

/** The session, and those of its sub-agents that are filed where it is. */
function familyOf({rows}: Overview, id: string): Array<Row> {
  const family = [rows[id]!];
  for (let depth = 0, last = family; depth < DEEPEST && last.length > 0; depth++) {
    last = Object.values(rows).filter(row => row.directory === rows[id]!.directory && !family.includes(row) && last.some(parent => parent.id === row.parent));
    family.push(...last);
  }
  return family;
}

function filedIn(text: string): Array<Filed> {
  return (JSON.parse(text) as Array<Filed>).filter(({id}) => isSessionId(id));
}

/** The top of the working tree that a folder is in. */
async function topOf(folder: string): Promise<string> {
  for (let top = folder; ; top = path.dirname(top)) {
    if (await lstat(path.join(top, `.git`)).then(() => true, () => false))
      return top;
    if (path.dirname(top) === top)
      return folder;
  }
}
