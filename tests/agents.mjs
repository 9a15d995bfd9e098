// Fetches the agents that the acceptance tests run, from npm, into `.agents/` (ignored by git). Does nothing when they are there.
// Started by `npm run test:agents`; by hand: `node tests/agents.mjs`.
import {execFileSync}                                                                      from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {dirname, join, relative}                                                           from 'node:path';
import process                                                                             from 'node:process';
import {fileURLToPath}                                                                     from 'node:url';

const {arch, env, pid, platform} = process;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const agentsFolder = join(root, `.agents`);

const musl = platform === `linux` && !process.report.getReport().header.glibcVersionRuntime ? `-musl` : ``;
const suffix = platform === `win32` ? `.exe` : ``;
const triples = {
  'linux-x64': `x86_64-unknown-linux-musl`,
  'linux-arm64': `aarch64-unknown-linux-musl`,
  'darwin-x64': `x86_64-apple-darwin`,
  'darwin-arm64': `aarch64-apple-darwin`,
};

/**
 * The versions whose formats the adapters are proven with. `program` is the native program inside the platform's own package:
 * it runs without the install scripts that npm may refuse to start, and a signal sent to its pid reaches the agent itself.
 */
export const agents = {
  claude: {
    package: `@anthropic-ai/claude-code`,
    version: `2.1.330`,
    program: `@anthropic-ai/claude-code-${platform}-${arch}${musl}/claude${suffix}`,
  },
  codex: {
    package: `@openai/codex`,
    version: `0.169.0`,
    program: `@openai/codex-${platform}-${arch}/vendor/${triples[`${platform}-${arch}`]}/bin/codex${suffix}`,
  },
};

const folderOf = name => join(agentsFolder, `${name}-${agents[name].version}`);

/** Absolute path of the agent's program, or null when it has not been fetched. */
export function agentPath(name) {
  const path = join(folderOf(name), `node_modules`, agents[name].program);
  return existsSync(path) ? path : null;
}

/** Folder with one link an agent, to be put on PATH. */
export const agentsBin = join(agentsFolder, `bin`);

export function haveAgents() {
  return Object.keys(agents).every(name => agentPath(name) !== null);
}

/** Installs what is missing; returns the names that it had to fetch. Throws when npm or the fetched program fails. */
export function fetchAgents() {
  const fetched = [];
  mkdirSync(agentsBin, {recursive: true});
  for (const [name, {package: ident, version}] of Object.entries(agents)) {
    if (agentPath(name) === null) {
      // Beside its place and renamed when complete: an install that was cut off is never taken for a whole one.
      const part = `${folderOf(name)}.part-${pid}`;
      mkdirSync(part, {recursive: true});
      try {
        npm([`install`, `--prefix`, part, `--no-audit`, `--no-fund`, `--no-package-lock`, `--ignore-scripts`, `${ident}@${version}`]);
        rmSync(folderOf(name), {recursive: true, force: true});
        renameSync(part, folderOf(name));
      } finally {
        rmSync(part, {recursive: true, force: true});
      }
      const path = agentPath(name);
      if (path === null)
        throw new Error(`${ident}@${version} has no program for ${platform}-${arch}`);
      execFileSync(path, [`--version`], {stdio: `ignore`, timeout: 60_000});
      fetched.push(name);
    }
    link(agentPath(name), join(agentsBin, `${name}${suffix}`));
  }
  for (const entry of readdirSync(agentsFolder))
    for (const name of Object.keys(agents))
      if (entry.startsWith(`${name}-`) && !entry.includes(`.part-`) && entry !== `${name}-${agents[name].version}`)
        rmSync(join(agentsFolder, entry), {recursive: true, force: true});
  return fetched;
}

function link(target, path) {
  const wanted = relative(dirname(path), target);
  try {
    if (readlinkSync(path) === wanted)
      return;
  } catch {
    // Not there yet.
  }
  rmSync(path, {force: true});
  symlinkSync(wanted, path);
}

/** npm as it came with this Node, without its notices about other people's settings. */
function npm(args) {
  execFileSync(platform === `win32` ? `npm.cmd` : `npm`, args, {
    cwd: root,
    env: {...env, npm_config_loglevel: `error`, npm_config_update_notifier: `false`, npm_config_engine_strict: `false`},
    stdio: [`ignore`, `ignore`, `inherit`],
    shell: platform === `win32`,
    timeout: 600_000,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const fetched = fetchAgents();
    const list = Object.values(agents).map(({package: ident, version}) => `${ident}@${version}`).join(`, `);
    process.stdout.write(`agents for the tests: ${list} (${fetched.length ? `fetched into` : `already in`} ${relative(root, agentsFolder)}/)\n`);
  } catch (error) {
    process.stderr.write(`the agents for the tests could not be fetched: ${error.message}\n`);
    process.exitCode = 1;
  }
}
