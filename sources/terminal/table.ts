import Table from 'cli-table3';

const NONE = {
  'top': ``, 'top-mid': ``, 'top-left': ``, 'top-right': ``, 'bottom': ``, 'bottom-mid': ``, 'bottom-left': ``, 'bottom-right': ``,
  'left': ``, 'left-mid': ``, 'mid': ``, 'mid-mid': ``, 'right': ``, 'right-mid': ``, 'middle': `  `,
};

/** Rows under a head, in columns as wide as they need; no lines. Cells are plain text that was made safe before. */
export function table(rows: Array<Array<string>>, {columns}: {columns: Array<string>}): string {
  const table = new Table({head: columns, chars: NONE, style: {'padding-left': 0, 'padding-right': 0, 'head': [], 'border': [], 'compact': true}});
  table.push(...rows);
  return table.toString().split(`\n`).map(line => line.trimEnd()).join(`\n`);
}
