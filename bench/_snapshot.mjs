// The cost of looking for uncommitted files in a repository of so many files, beside git's own look.
import {mkdirSync, writeFileSync} from 'node:fs';
import {join}                     from 'node:path';
import {pathToFileURL}            from 'node:url';
import {build}                    from 'esbuild';

/** Medians in milliseconds: `git status`, and snapshots of tracked and of all files. `must` runs a program or throws. */
export async function snapshotTimes({scratch, root, env, files, changed, rounds, must}) {
  const project = join(scratch, `large`);
  mkdirSync(project);
  must(`git`, [`init`, `-q`, `-b`, `main`], {env, cwd: project});
  const entries = Array.from({length: files}, (_, index) => `M 100644 inline d${index % 100}/e${Math.floor(index / 100) % 100}/f${index}.ts\ndata <<E\nexport const value${index} = ${index};\nE\n`);
  must(`git`, [`fast-import`, `--quiet`], {env, cwd: project, input: `commit refs/heads/main\ncommitter Alice <alice@example.org> 1 +0000\ndata 1\nx\n${entries.join(`\n`)}\n`});
  must(`git`, [`reset`, `-q`, `--hard`], {env, cwd: project});
  for (let index = 0; index < changed; index++)
    writeFileSync(join(project, `d${index % 100}/e${Math.floor(index / 100) % 100}/f${index}.ts`), `export const value = 'changed ${index}';\n`.repeat(100));
  for (let index = 0; index < changed; index++)
    writeFileSync(join(project, `d${index % 100}`, `new${index}.ts`), `export const fresh = ${index};\n`);

  const outfile = join(scratch, `store.mjs`);
  await build({
    stdin: {contents: `export {openRepository, takeSnapshot} from './sources/store/index.ts'; export {createRedactor} from './sources/redaction/index.ts';`, resolveDir: root},
    bundle: true, platform: `node`, format: `esm`, outfile, logLevel: `error`,
    banner: {js: `import {createRequire as _createRequire} from 'node:module'; const require = _createRequire(import.meta.url);`},
  });
  const {createRedactor, openRepository, takeSnapshot} = await import(pathToFileURL(outfile));
  const redactor = createRedactor();
  const repository = await openRepository(project, env);
  const isClean = async text => (await redactor.text(text)).counts === null;
  const snapshot = scope => async () => {
    const {worktree: {state}} = await takeSnapshot(repository, env, {scope, isClean});
    if (state.files.length !== (scope === `all` ? 2 * changed : changed))
      throw new Error(`${state.files.length} files in a snapshot of ${scope} files`);
  };

  const ways = {status: async () => void must(`git`, [`status`, `--porcelain`], {env: {...env, GIT_OPTIONAL_LOCKS: `0`}, cwd: project}), tracked: snapshot(`tracked`), all: snapshot(`all`)};
  const times = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
  for (let round = 0; round <= rounds; round++)
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      await way();
      // The first round finds cold caches.
      if (round > 0)
        times[name].push(performance.now() - start);
    }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, all.sort((a, b) => a - b)[Math.floor(all.length / 2)]]));
}
