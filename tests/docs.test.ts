import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import path                                     from 'node:path';

import {describe, expect, it}                   from 'vitest';

import {agents}                                 from '../sources/agents/index.ts';

const root = path.dirname(import.meta.dirname);
const readme = path.join(root, `README.md`);
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

  it.each(agents.map(({id, proven}) => ({id, proven})))(`has a page of $id that names the proven version`, ({id, proven}) => {
    expect(readFileSync(path.join(root, `docs`, `agents`, `${id}.md`), `utf8`)).toContain(proven);
  });
});
