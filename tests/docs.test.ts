import {existsSync, readFileSync, readdirSync, writeFileSync} from 'node:fs';
import path                                     from 'node:path';

import {describe, expect, it}                   from 'vitest';

import {agents}                                 from '../sources/agents/index.ts';
import {makeCli}                                from '../sources/main.ts';
import {machineOf}                              from '../sources/system/machine.ts';

const root = path.dirname(import.meta.dirname);
const readme = path.join(root, `README.md`);
const context = {cwd: root, machine: machineOf({}), now: () => new Date(0)};
const [BEGIN, END] = [`<!-- agents: made by \`npm run docs\` -->`, `<!-- end of agents -->`];

/** What each agent says of itself, as the README's table. */
function table(): string {
  const rows = agents.map(({id, name, proven, support}) => [
    existsSync(path.join(root, `docs`, `agents`, `${id}.md`)) ? `[${name}](docs/agents/${id}.md)` : name,
    support.source, support.target, support.kept, support.reduced, support.dropped, proven,
  ]);
  const line = (cells: Array<string>) => `| ${cells.map(cell => cell.replaceAll(`|`, `\\|`)).join(` | `)} |`;
  return [
    line([`agent`, `as source`, `as target`, `kept`, `reduced`, `dropped`, `proven with`]),
    line(Array.from({length: 7}, () => `---`)),
    ...rows.map(line),
  ].join(`\n`);
}

/** Every command line that the documentation shows, without its comment, as a shell would take it apart. */
function commandLines(): Array<{line: string; args: Array<string>}> {
  const pages = [`README.md`, ...[`docs`, `docs/agents`].flatMap(folder => readdirSync(path.join(root, folder)).filter(name => name.endsWith(`.md`)).map(name => `${folder}/${name}`))];
  const found = pages.flatMap(page => {
    const text = readFileSync(path.join(root, page), `utf8`);
    return [...text.matchAll(/`session-sync ([^`]+)`/g), ...text.matchAll(/^(?:\$ )?session-sync ([^#\n]+)/gm)].map(([, line]) => line!.trim());
  });
  // But for an address, a placeholder for any verb, and what only our own hooks start.
  const lines = [...new Set(found)].filter(line => !/^<|^--|^auto$/.test(line));
  return lines.map(line => ({line, args: line.replaceAll(/<[^>]*>|…/g, `x`).replaceAll(`'`, ``).split(/\s+/)}));
}

describe(`the documentation`, () => {
  it(`has a table of agents that the adapters have made`, () => {
    const text = readFileSync(readme, `utf8`);
    const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
    expect(begin, `README.md has the marks ${BEGIN} and ${END}`).toBeGreaterThan(-1);
    expect(end).toBeGreaterThan(begin);
    const wanted = `${text.slice(0, begin)}${BEGIN}\n${table()}\n${text.slice(end)}`;
    if (process.env.SESSION_SYNC_WRITE_DOCS)
      writeFileSync(readme, wanted);
    else
      expect(text, `npm run docs writes it`).toBe(wanted);
  });

  it.each(commandLines())(`shows a command line that there is: session-sync $line`, async ({args}) => {
    const cli = await makeCli(args[0]);
    expect(() => cli.process(args, context)).not.toThrow();
  });

  it(`has examples in every help that are command lines`, async () => {
    const cli = await makeCli(undefined);
    const examples = cli.definitions().flatMap(({examples = []}) => examples.map(([, line]) => line));
    expect(examples.length).toBeGreaterThan(30);
    for (const line of examples)
      expect(() => cli.process(line.split(/\s+/).slice(1), context), line).not.toThrow();
  });

  it.each(agents.map(({id, proven}) => ({id, proven})))(`has a page of $id that names the proven version`, ({id, proven}) => {
    expect(readFileSync(path.join(root, `docs`, `agents`, `${id}.md`), `utf8`)).toContain(proven);
  });
});
