// Fetches the agents that the acceptance tests run, from npm, into `.agents/` (ignored by git). Does nothing when they are there.
// Started by `npm run test:agents`; by hand: `node tests/agents.mjs [agent…]`.
import {execFileSync}                                                                      from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join, relative}                                                           from 'node:path';
import process                                                                             from 'node:process';
import {fileURLToPath}                                                                     from 'node:url';

const {arch, env, pid, platform} = process;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const agentsFolder = join(root, `.agents`);

const musl = platform === `linux` && !process.report.getReport().header.glibcVersionRuntime;
const suffix = platform === `win32` ? `.exe` : ``;
const triples = {
  'linux-x64': `x86_64-unknown-linux-musl`,
  'linux-arm64': `aarch64-unknown-linux-musl`,
  'darwin-x64': `x86_64-apple-darwin`,
  'darwin-arm64': `aarch64-apple-darwin`,
};

/**
 * The versions whose formats the adapters are proven with, by the name of the program. `program` is the native program
 * inside the platform's own package: it runs without the install scripts that npm may refuse to start, and a signal sent
 * to its pid reaches the agent itself. `script` is JavaScript, for this Node or, with `node: 22`, for that of the package
 * `node`. `bare`: the package alone, without what it depends on, and `also` these: one of its own parts is not whole in the
 * registry, and its program is in one file.
 */
export const agents = {
  claude: {
    package: `@anthropic-ai/claude-code`,
    version: `2.1.330`,
    program: `@anthropic-ai/claude-code-${platform}-${arch}${musl ? `-musl` : ``}/claude${suffix}`,
  },
  codex: {
    package: `@openai/codex`,
    version: `0.169.0`,
    program: `@openai/codex-${platform}-${arch}/vendor/${triples[`${platform}-${arch}`]}/bin/codex${suffix}`,
  },
  opencode: {
    package: `opencode-ai`,
    version: `1.18.33`,
    program: `opencode-${platform}-${arch}${musl ? `-musl` : ``}/bin/opencode${suffix}`,
  },
  gemini: {package: `@google/gemini-cli`, version: `0.61.0`, script: `@google/gemini-cli/bundle/gemini.js`},
  qwen: {package: `@qwen-code/qwen-code`, version: `0.24.4`, script: `@qwen-code/qwen-code/cli-entry.js`, node: 22},
  copilot: {
    package: `@github/copilot`,
    version: `1.0.102`,
    program: `@github/copilot-${platform}${musl ? `musl` : ``}-${arch}/copilot${suffix}`,
  },
  pi: {package: `@earendil-works/pi-coding-agent`, version: `1.5.2`, script: `@earendil-works/pi-coding-agent/dist/bundle/cli.js`, node: 22, bare: true, also: [`jiti@2.7.0`]},
  kilo: {
    package: `@kilocode/cli`,
    version: `7.7.7`,
    program: `@kilocode/cli-${platform}-${arch}${musl ? `-musl` : ``}/bin/kilo${suffix}`,
  },
  cline: {package: `cline`, version: `3.0.65`, program: `@cline/cli-${platform}-${arch}/bin/cline${suffix}`},
  kimi: {package: `@moonshot-ai/kimi-code`, version: `2.1.0`, script: `@moonshot-ai/kimi-code/dist/main.mjs`, node: 22},
  amp: {package: `@ampcode/cli`, version: `0.0.1790142911-g7618fb`, program: `@ampcode/cli-${platform}-${arch}/amp${suffix}`},
};

/**
 * Other versions for one run, `{"codex":"0.170.0"}`: `tests/proofs.mjs` asks whether the newest ones still read what we
 * write. They lie beside the pinned ones, with starters of their own.
 */
const others = JSON.parse(env.SESSION_SYNC_AGENT_VERSIONS ?? `{}`);
for (const [name, version] of Object.entries(others))
  agents[name].version = version;

/** The Node for agents that refuse the oldest one we support: the platform's own part of the package `node`. */
const node22 = {package: `node-${platform === `win32` ? `win` : platform}-${arch}`, version: `22.23.3`, program: `node-${platform === `win32` ? `win` : platform}-${arch}/bin/node${suffix}`};

const folderOf = (name, {version}) => join(agentsFolder, `${name}-${version}`);
const installed = (name, what) => join(folderOf(name, what), `node_modules`, what.program ?? what.script);

/** Folder with one starter an agent, to be put on PATH. */
export const agentsBin = join(agentsFolder, Object.keys(others).length > 0 ? `bin-other` : `bin`);

/** Absolute path of a program that starts the agent, or null when it has not been fetched. */
export function agentPath(name) {
  const what = agents[name];
  if (!existsSync(installed(name, what)) || (what.node === 22 && !existsSync(installed(`node`, node22))))
    return null;
  return what.program === undefined ? join(agentsBin, name) : installed(name, what);
}

/** Are these agents here? Without names: all of them. */
export function haveAgents(names = Object.keys(agents)) {
  return names.every(name => agentPath(name) !== null);
}

/** Installs what is missing; returns the names that it had to fetch. Throws when npm or the fetched program fails. */
export function fetchAgents(names = Object.keys(agents)) {
  const fetched = [];
  mkdirSync(agentsBin, {recursive: true});
  const wanted = names.map(name => [name, agents[name]]);
  if (wanted.some(([, what]) => what.node === 22))
    wanted.unshift([`node`, node22]);
  for (const [name, what] of wanted) {
    const isNew = !existsSync(installed(name, what));
    if (isNew)
      install(name, what);
    if (name !== `node`)
      writeStarter(name, what);
    if (isNew) {
      execFileSync(name === `node` ? installed(name, what) : join(agentsBin, name), [`--version`], {stdio: `ignore`, timeout: 120_000, env: {...env, HOME: agentsFolder}});
      fetched.push(name);
    }
  }
  for (const entry of Object.keys(others).length > 0 ? [] : readdirSync(agentsFolder))
    for (const [name, what] of [...Object.entries(agents), [`node`, node22]])
      if (new RegExp(`^${name}-\\d`).test(entry) && !entry.includes(`.part-`) && entry !== `${name}-${what.version}`)
        rmSync(join(agentsFolder, entry), {recursive: true, force: true});
  return fetched;
}

/** Beside its place and renamed when complete: an install that was cut off is never taken for a whole one. */
function install(name, what) {
  const part = `${folderOf(name, what)}.part-${pid}`;
  mkdirSync(part, {recursive: true});
  try {
    const ident = `${what.package}@${what.version}`;
    if (what.bare) {
      for (const one of [ident, ...what.also ?? []]) {
        npm([`pack`, one, `--pack-destination`, part]);
        const folder = join(part, `node_modules`, one.slice(0, one.lastIndexOf(`@`)));
        mkdirSync(folder, {recursive: true});
        const [archive] = readdirSync(part).filter(file => file.endsWith(`.tgz`));
        execFileSync(`tar`, [`-xzf`, join(part, archive), `--strip-components=1`, `-C`, folder], {timeout: 120_000});
        rmSync(join(part, archive));
      }
    } else {
      npm([`install`, `--prefix`, part, `--no-audit`, `--no-fund`, `--no-package-lock`, `--ignore-scripts`, ident]);
    }
    rmSync(folderOf(name, what), {recursive: true, force: true});
    renameSync(part, folderOf(name, what));
  } finally {
    rmSync(part, {recursive: true, force: true});
  }
  if (!existsSync(installed(name, what)))
    throw new Error(`${what.package}@${what.version} has no program for ${platform}-${arch}`);
}

/** A shell script: the name of the program stays that of the agent, and `exec` makes its pid the agent's own. */
function writeStarter(name, what) {
  const command = what.program !== undefined
    ? [installed(name, what)]
    : [what.node === 22 ? installed(`node`, node22) : process.execPath, installed(name, what)];
  const text = `#!/bin/sh\nexec ${command.map(word => `'${word.replaceAll(`'`, `'\\''`)}'`).join(` `)} "$@"\n`;
  const path = join(agentsBin, name);
  if (existsSync(path) && readFileSync(path, `utf8`) === text)
    return;
  // A link of an older version of this file would be written through.
  rmSync(path, {force: true});
  writeFileSync(path, text);
  chmodSync(path, 0o755);
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
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(agents);
  try {
    const fetched = fetchAgents(names);
    const list = names.map(name => `${agents[name].package}@${agents[name].version}`).join(`, `);
    process.stdout.write(`agents for the tests: ${list} (${fetched.length ? `fetched into` : `already in`} ${relative(root, agentsFolder)}/)\n`);
  } catch (error) {
    process.stderr.write(`the agents for the tests could not be fetched: ${error.message}\n`);
    process.exitCode = 1;
  }
}
