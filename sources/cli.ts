#!/usr/bin/env node
import {version} from './version.ts';

// Answered before anything is loaded, not even Node's own `process` as a module: shells and editors ask for it at each start.
if (process.argv.length === 3 && (process.argv[2] === `--version` || process.argv[2] === `-v`)) {
  process.stdout.write(`${version}\n`);
} else {
  // Who reads only the first lines (`| head`) must not end what is being written to a store.
  for (const stream of [process.stdout, process.stderr])
    stream.on(`error`, (error: NodeJS.ErrnoException) => {
      if (error.code !== `EPIPE`)
        throw error;
    });

  // An event loop that ends early counts as a failure; only a command that came to its end says otherwise.
  process.exitCode = 70;
  const {run} = await import(`./main.ts`);
  process.exitCode = await run(process.argv.slice(2));
}
