// The work that nobody can avoid: every line parsed and written again. `node _base.mjs FROM TO`.
import {createReadStream, createWriteStream} from 'node:fs';
import {once}                                from 'node:events';
import process                               from 'node:process';
import {createInterface}                     from 'node:readline';

const [, , from, to] = process.argv;
const out = createWriteStream(to);
for await (const line of createInterface({input: createReadStream(from), crlfDelay: Infinity}))
  if (!out.write(`${JSON.stringify(JSON.parse(line))}\n`))
    await once(out, `drain`);
out.end();
await once(out, `finish`);
