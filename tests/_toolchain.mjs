// What the commands of a fresh clone share: they need nothing but Node, npm and git.
import {execFileSync, spawnSync}                from 'node:child_process';
import {createHash}                             from 'node:crypto';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join}                          from 'node:path';
import process                                  from 'node:process';
import {fileURLToPath}                          from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const {env} = process;
/** npm 11 warns of every setting in the person's own `.npmrc` that it does not know. */
const quiet = {...env, npm_config_loglevel: `error`, npm_config_update_notifier: `false`, YARN_ENABLE_TELEMETRY: `0`};
const windows = process.platform === `win32`;
const stampPath = join(root, `node_modules`, `.session-sync-installed`);

/** Installs the development dependencies when `node_modules` is missing or older than the lock file. Yarn comes through npx. */
export function installDependencies() {
  const stamp = hash([`package.json`, `yarn.lock`, `.yarnrc.yml`]);
  if (existsSync(stampPath) && readFileSync(stampPath, `utf8`) === stamp)
    return;
  const {packageManager} = JSON.parse(readFileSync(join(root, `package.json`), `utf8`));
  run(`installing the dependencies`, windows ? `npx.cmd` : `npx`, [`-y`, `@yarnpkg/cli-dist@${packageManager.split(`@`)[1]}`, `install`, `--immutable`]);
  writeFileSync(stampPath, stamp);
}

/** Builds `dist/`. */
export function build() {
  run(`building`, process.execPath, [join(root, `node_modules/tsup/dist/cli-default.js`)]);
}

/** Says in a line what it does; shows the program's own output only when that fails. */
function run(what, program, args) {
  process.stdout.write(`${what} …\n`);
  const {status, error, stdout, stderr} = spawnSync(program, args, {
    cwd: root, env: quiet, shell: windows, encoding: `utf8`, timeout: 900_000, maxBuffer: 1 << 28, stdio: [`ignore`, `pipe`, `pipe`],
  });
  if (status === 0)
    return;
  process.stdout.write(`${stdout ?? ``}${stderr ?? ``}`);
  throw new Error(`${what} failed: ${error?.message ?? `${program} exited with ${status}`}`);
}

function hash(names) {
  const sum = createHash(`sha256`);
  for (const name of names)
    sum.update(readFileSync(join(root, name)));
  return sum.digest(`hex`);
}
