// `npm run bench [-- --size MB]`: what session-sync costs, as ratios to plain work done on the same machine in the same run.
import {spawn, spawnSync}                                                       from 'node:child_process';
import {appendFileSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync} from 'node:fs';
import {tmpdir}                                                                 from 'node:os';
import {delimiter, dirname, join}                                               from 'node:path';
import process                                                                  from 'node:process';
import {setTimeout as sleep}                                                    from 'node:timers/promises';
import {fileURLToPath}                                                          from 'node:url';

import {build, installDependencies, root}                                       from '../tests/_toolchain.mjs';
import {snapshotTimes}                                                          from './_snapshot.mjs';
import {Transcript}                                                             from './_transcript.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const option = process.argv.indexOf(`--size`);
const megabytes = option === -1 ? 100 : Number(process.argv[option + 1]);
const scratch = realpathSync(mkdtempSync(join(tmpdir(), `session-sync-bench-`)));
const bin = join(scratch, `bin`);
const say = text => process.stdout.write(`${text}\n`);
const rows = [];

/** `value` must not be above `limit`; null: could not be measured, `detail` says why. */
function figure(name, value, limit, unit, detail) {
  const row = {name, value, limit, unit, detail, ok: value !== null && value <= limit};
  rows.push(row);
  say(`${row.ok ? `reached    ` : value === null ? `no figure  ` : `NOT REACHED`}  ${name}: ${value === null ? `-` : value.toFixed(2)} ${unit} (at most ${limit})  ${detail}`);
}

function environment(home) {
  return {
    HOME: home, LANG: `C.UTF-8`, TMPDIR: scratch, PATH: [bin, `/usr/bin`, `/bin`].join(delimiter), GIT_CONFIG_GLOBAL: `/dev/null`, GIT_CONFIG_SYSTEM: `/dev/null`,
    GIT_AUTHOR_NAME: `Alice`, GIT_AUTHOR_EMAIL: `alice@example.org`, GIT_COMMITTER_NAME: `Alice`, GIT_COMMITTER_EMAIL: `alice@example.org`,
  };
}

/** A home with a repository in which session-sync is on, and a session of so many megabytes. */
function place(name, size) {
  const home = join(scratch, name);
  const project = join(home, `shop`);
  mkdirSync(join(home, `.codex`), {recursive: true});
  mkdirSync(project);
  const env = environment(home);
  must(`git`, [`init`, `-q`, `-b`, `main`], {env, cwd: project});
  must(`git`, [`commit`, `-q`, `--allow-empty`, `-m`, `start`], {env, cwd: project});
  const folder = join(home, `.claude`, `projects`, project.replace(/[^A-Za-z0-9]/g, `-`));
  mkdirSync(folder, {recursive: true});
  must(`session-sync`, [`init`], {env, cwd: project});
  const session = `5e551000-0000-4000-8000-0000000000${String(size % 100).padStart(2, `0`)}`;
  const transcript = size === 0 ? null : new Transcript(join(folder, `${session}.jsonl`), {session, cwd: project, bytes: size * 1e6});
  return {home, project, env, session, transcript};
}

function must(program, args, {env, cwd, input}) {
  const {status, stdout, stderr, error} = spawnSync(program, args, {env, cwd, input, maxBuffer: 1 << 30, timeout: 900_000});
  if (status !== 0)
    throw new Error(`${program} ${args.join(` `)} exited with ${status ?? error?.message}: ${stdout}${stderr}`);
  return stdout;
}

/** Milliseconds that a program takes, start to end. */
function timed(program, args, options) {
  const start = performance.now();
  must(program, args, options);
  return performance.now() - start;
}

/** The same with the most memory that the process and its children held together, in megabytes. */
async function weighed(program, args, {env, cwd}) {
  const start = performance.now();
  const child = spawn(program, args, {env, cwd, stdio: `ignore`});
  const closed = new Promise((resolve, reject) => child.on(`error`, reject).on(`close`, resolve));
  let ended = false;
  closed.finally(() => ended = true).catch(() => {});
  let own = 0;
  let all = 0;
  while (!ended) {
    own = Math.max(own, memory(child.pid));
    all = Math.max(all, memory(child.pid) + children(child.pid).reduce((sum, pid) => sum + memory(pid), 0));
    await sleep(20);
  }
  if (await closed !== 0)
    throw new Error(`${program} ${args.join(` `)} failed`);
  return {ms: performance.now() - start, own, all};
}

function memory(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, `utf8`))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function children(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, `utf8`).split(` `).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = value => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

/** Medians of several things done in turn, so that a machine that slows down slows all of them. */
function inTurn(rounds, things) {
  const times = things.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [index, thing] of things.entries())
      times[index].push(thing());
  return times.map(median);
}

function start({env, project}) {
  const options = {env, cwd: project};
  const [bare, version, status] = inTurn(15, [
    () => timed(`node`, [`-e`, `0`], options),
    () => timed(`session-sync`, [`--version`], options),
    () => timed(`session-sync`, [`status`], options),
  ]);
  figure(`session-sync --version`, version / bare, 1.5, `× node`, `${ms(version)}, node ${ms(bare)}`);
  figure(`session-sync status`, status / bare, 3, `× node`, `${ms(status)}, node ${ms(bare)}`);
}

/** The line that `init` wrote, run by a shell as the agent runs it, while a worker follows the session. */
function hook({env, project, session, transcript}) {
  const settings = JSON.parse(readFileSync(join(project, `.claude`, `settings.json`), `utf8`));
  const {command} = settings.hooks.PostToolUse[0].hooks[0];
  const input = JSON.stringify({session_id: session, transcript_path: transcript.path, cwd: project, hook_event_name: `PostToolUse`, tool_name: `Bash`, tool_use_id: `toolu_1`, tool_input: {command: `true`}, tool_response: {stdout: `x`.repeat(2000)}});
  const options = {env: {...env, CLAUDE_PROJECT_DIR: project}, cwd: project, input};
  timed(`sh`, [`-c`, command], options);
  const [cat, ours] = inTurn(200, [() => timed(`sh`, [`-c`, `cat >/dev/null`], options), () => timed(`sh`, [`-c`, command], options)]);
  figure(`the hook, a tool call`, ours - cat, 3, `ms above cat`, `${ms(ours)}, cat ${ms(cat)}`);
}

async function full(large, small) {
  const options = {env: large.env, cwd: large.project};
  const copy = join(scratch, `copy.jsonl`);
  const bases = [0, 1, 2].map(() => timed(`node`, [join(here, `_base.mjs`), large.transcript.path, copy], options));
  const base = median(bases);
  rmSync(copy);
  const sync = await weighed(`session-sync`, [`sync`], options);
  figure(`full sync of ${megabytes} MB, mirror and store`, sync.ms / base, 2.5, `× parse and write`, `${ms(sync.ms)}, base ${ms(base)}`);
  figure(`its memory`, sync.own, 200, `MB`, `${sync.all.toFixed(0)} MB with git's processes`);

  must(`session-sync`, [`sync`], {env: small.env, cwd: small.project});
  const more = place => () => {
    appendFileSync(place.transcript.path, place.transcript.turn());
    return timed(`session-sync`, [`sync`], {env: place.env, cwd: place.project});
  };
  const [long, short] = inTurn(9, [more(large), more(small)]);
  figure(`one more turn at ${megabytes} MB`, long / short, 1.3, `× at 1 MB`, `${ms(long)}, at 1 MB ${ms(short)}`);
  return base;
}

async function restore(large, base) {
  const other = place(`elsewhere`, 0);
  must(`git`, [`remote`, `add`, `origin`, join(large.project, `.git`)], {env: other.env, cwd: other.project});
  must(`session-sync`, [`pull`], {env: other.env, cwd: other.project});
  for (const agent of [`codex`, `claude-code`]) {
    const run = await weighed(`session-sync`, [`restore`, large.session, `--agent`, agent], {env: other.env, cwd: other.project});
    figure(`restore of ${megabytes} MB for ${agent}`, run.ms / base, 2.5, `× parse and write`, `${ms(run.ms)}, ${run.own.toFixed(0)} MB`);
  }
}

function size({env, project}) {
  const options = {env, cwd: project};
  must(`git`, [`gc`, `--quiet`, `--prune=now`], options);
  const packs = join(project, `.git`, `objects`, `pack`);
  const packed = readdirSync(packs).filter(name => name.endsWith(`.pack`)).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0);
  const ref = must(`git`, [`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`], options).toString().trim().split(`\n`)[0];
  const blobs = must(`git`, [`ls-tree`, `-r`, `--format=%(objectname)`, ref], options);
  const stored = join(scratch, `stored`);
  const file = openSync(stored, `w`);
  spawnSync(`git`, [`cat-file`, `--batch=`, `--buffer`], {...options, input: blobs, stdio: [`pipe`, file, `inherit`]});
  closeSync(file);
  const zstd = compressed(stored);
  figure(`bytes in git after gc`, zstd === null ? null : packed / zstd, 1.3, `× zstd -19`,
    zstd === null ? `no zstd here; ${(packed / 1e6).toFixed(1)} MB` : `${(packed / 1e6).toFixed(1)} MB, zstd ${(zstd / 1e6).toFixed(1)} MB, stored ${(statSync(stored).size / 1e6).toFixed(1)} MB`);
}

/** Size after `zstd -19`, by the program or by a Node that has it (22.15 and later); null where neither is there. */
function compressed(path) {
  const plain = spawnSync(`zstd`, [`-19`, `-q`, `-c`, path], {maxBuffer: 1 << 30});
  if (plain.status === 0)
    return plain.stdout.length;
  const script = `const {zstdCompressSync: z, constants: c} = require('node:zlib'); console.log(z(require('node:fs').readFileSync(process.argv[1]), {params: {[c.ZSTD_c_compressionLevel]: 19}}).length)`;
  const folder = join(root, `.agents`);
  const nodes = existsSync(folder) ? readdirSync(folder).filter(name => name.startsWith(`node-`)).map(name => join(folder, name, `node_modules`, `node-${process.platform}-${process.arch}`, `bin`, `node`)) : [];
  for (const node of [process.execPath, ...nodes]) {
    const run = spawnSync(node, [`-e`, script, path], {encoding: `utf8`, stdio: [`ignore`, `pipe`, `ignore`]});
    if (run.status === 0)
      return Number(run.stdout);
  }
  return null;
}

async function settled({project}) {
  const state = join(project, `.git`, `session-sync`);
  for (let i = 0; i < 2400; i++) {
    const busy = [`worker`, `waking`].some(name => {
      try {
        process.kill(Number.parseInt(readFileSync(join(state, name), `utf8`), 10), 0);
        return true;
      } catch {
        return false;
      }
    });
    if (!busy)
      return;
    await sleep(50);
  }
}

/** The look at the working tree at the end of a turn: 400 files of 100,000 are not as in HEAD. */
async function snapshot() {
  const {status, tracked, all} = await snapshotTimes({scratch, root, env: environment(scratch), files: 100_000, changed: 200, rounds: 7, must});
  figure(`snapshot of tracked files`, tracked / status, 1.5, `× git status`, `${ms(tracked)}, git ${ms(status)}`);
  figure(`snapshot of all files`, all / status, 1.5, `× git status`, `${ms(all)}, git ${ms(status)}`);
}

const places = [];
try {
  installDependencies();
  build();
  mkdirSync(bin);
  for (const [name, file] of Object.entries({'session-sync': `cli.js`, 'session-sync-worker': `worker.js`, 'session-sync-hook': `hook.sh`}))
    symlinkSync(join(root, `dist`, file), join(bin, name));
  symlinkSync(process.execPath, join(bin, `node`));
  // Only what is found on PATH: a bench must not see the person's own agents.
  process.env.PATH = environment(scratch).PATH;

  const small = place(`small`, 1);
  const large = place(`large`, megabytes);
  const hooked = place(`hooked`, 1);
  places.push(small, large, hooked);
  const base = await full(large, small);
  await restore(large, base);
  size(large);
  start(small);
  hook(hooked);
  await settled(hooked);
  await snapshot();
  const missed = rows.filter(row => !row.ok);
  say(missed.length === 0 ? `All ${rows.length} figures are reached.` : `${missed.length} of ${rows.length} figures are not reached: ${missed.map(row => row.name).join(`; `)}`);
} catch (error) {
  say(`The bench failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const {project} of places) {
    try {
      process.kill(Number.parseInt(readFileSync(join(project, `.git`, `session-sync`, `worker`), `utf8`), 10), `SIGTERM`);
    } catch {
      // None runs.
    }
  }
  rmSync(scratch, {recursive: true, force: true, maxRetries: 5});
}
