// `npm run demo`: the main job, played on a recorded session of real Claude Code, in scratch homes. `--keep` leaves them.
//
// A session grows line by line in alice's project while its hooks fire; it is mirrored into Codex's store and committed
// to refs of the repository; pushed; cloned by bob into another folder under another home; restored there.
import {spawnSync}                                                                                               from 'node:child_process';
import {appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync, existsSync} from 'node:fs';
import {tmpdir}                                                                                                  from 'node:os';
import {delimiter, dirname, join, relative}                                                                      from 'node:path';
import process                                                                                                   from 'node:process';
import {setTimeout as sleep}                                                                                     from 'node:timers/promises';

import {build, installDependencies, root}                                                                        from '../_toolchain.mjs';

const recording = join(root, `tests/fixtures/claude-code/01-tools-subagent-mcp`);
const recordedProject = `/home/alice/shop`;
const session = readdirSync(recording).find(name => name.endsWith(`.jsonl`)).slice(0, -`.jsonl`.length);

const scratch = realpathSync(mkdtempSync(join(tmpdir(), `session-sync-demo-`)));
const bin = join(scratch, `bin`);
const remote = join(scratch, `shop.git`);

const say = (text = ``) => process.stdout.write(`${text}\n`);
const slug = folder => folder.replace(/[^A-Za-z0-9]/g, `-`);

let steps = 0;
const step = title => say(`\n${++steps}. ${title}`);
const indent = text => text.replace(/\n+$/, ``).split(`\n`).map(line => `   ${line}`).join(`\n`);

function machine(user, home, project) {
  const folder = join(scratch, home);
  mkdirSync(folder, {recursive: true});
  mkdirSync(join(scratch, `tmp-${user}`));
  const name = user[0].toUpperCase() + user.slice(1);
  writeFileSync(join(folder, `.gitconfig`), `[user]\n\tname = ${name}\n\temail = ${user}@example.org\n[init]\n\tdefaultBranch = main\n`);
  return {
    home: folder,
    project: join(folder, project),
    env: {
      HOME: folder, USER: user, LANG: `C.UTF-8`, TMPDIR: join(scratch, `tmp-${user}`), PATH: [bin, `/usr/bin`, `/bin`].join(delimiter),
      GIT_CONFIG_GLOBAL: join(folder, `.gitconfig`), GIT_CONFIG_SYSTEM: `/dev/null`, GIT_TERMINAL_PROMPT: `0`,
      // A worker stays for half a minute after its last work; nobody wants to watch that.
      SESSION_SYNC_LINGER_MS: `1000`,
    },
  };
}

/** Runs a program on a machine; throws with its output when it fails. */
function run({env, project, home}, program, args, {input, quiet = false, cwd} = {}) {
  if (!quiet)
    say(`   $ ${[program, ...args].join(` `)}`);
  const result = spawnSync(program, args, {cwd: cwd ?? (existsSync(project) ? project : home), env, input, encoding: `utf8`, timeout: 60_000});
  if (result.status !== 0)
    throw new Error(`${program} ${args.join(` `)} exited with ${result.status ?? result.error?.message}\n${result.stdout}${result.stderr}`);
  if (!quiet && result.stdout.trim() !== ``)
    say(indent(result.stdout));
  return result.stdout;
}

/** The recorded lines as they would stand in this machine's store. */
function recorded(file, {home, project}) {
  const places = {[slug(recordedProject)]: slug(project), [recordedProject]: project, [dirname(recordedProject)]: home};
  return readFileSync(file, `utf8`).replace(new RegExp(`${slug(recordedProject)}|${recordedProject}|${dirname(recordedProject)}(?=/)`, `g`), match => places[match]);
}

/** The event that Claude Code sends at this line of its transcript, if any. */
function eventAt(line, next) {
  if (line.isSidechain)
    return null;
  const content = Array.isArray(line.message?.content) ? line.message.content : [];
  if (line.type === `user` && content.some(block => block.type === `tool_result`))
    return {hook_event_name: `PostToolUse`, tool_use_id: content[0].tool_use_id, tool_response: line.toolUseResult};
  if (line.type === `user` && line.promptSource !== undefined)
    return {hook_event_name: `UserPromptSubmit`, prompt: line.message.content};
  const text = content.find(block => block.type === `text`)?.text;
  if (line.type === `assistant` && text !== undefined && (next === undefined || next.type === `user`))
    return {hook_event_name: `Stop`, stop_hook_active: false, last_assistant_message: text};
  return null;
}

/** Plays the recording: each line goes to the transcript, each event to the hook, as Claude Code 2.1.330 orders them. */
async function play(alice) {
  const folder = join(alice.home, `.claude`, `projects`, slug(alice.project));
  const transcript = join(folder, `${session}.jsonl`);
  mkdirSync(folder, {recursive: true});
  if (existsSync(join(recording, session))) {
    cpSync(join(recording, session), join(folder, session), {recursive: true});
    for (const name of readdirSync(join(folder, session), {recursive: true, encoding: `utf8`}).filter(name => /\.(jsonl?|txt)$/.test(name)))
      writeFileSync(join(folder, session, name), recorded(join(recording, session, name), alice));
  }

  const common = {session_id: session, transcript_path: transcript, cwd: alice.project};
  const counts = {};
  const fire = event => {
    counts[event.hook_event_name] = (counts[event.hook_event_name] ?? 0) + 1;
    const output = run(alice, `session-sync-hook`, [`claude-code`], {input: JSON.stringify({...common, ...event}), quiet: true});
    if (output !== ``)
      throw new Error(`the hook printed ${JSON.stringify(output)}: it must be silent`);
  };

  const lines = recorded(join(recording, `${session}.jsonl`), alice).split(`\n`).filter(line => line !== ``);
  const values = lines.map(line => JSON.parse(line));
  fire({hook_event_name: `SessionStart`, source: `startup`});
  for (const [index, line] of lines.entries()) {
    const next = values.slice(index + 1).find(value => [`user`, `assistant`].includes(value.type));
    const event = eventAt(values[index], next);
    // Only the last text of a turn is written before its event's hook has returned, and even that not always.
    if (event !== null && event.hook_event_name !== `Stop`)
      fire(event);
    appendFileSync(transcript, `${line}\n`, {mode: 0o600});
    if (event?.hook_event_name === `Stop`)
      fire(event);
    await sleep(5);
  }
  fire({hook_event_name: `SessionEnd`, reason: `other`});
  return {transcript, lines: lines.length, counts};
}

/** Waits until the detached worker has nothing left to do and is gone. */
async function settled(project) {
  const state = join(project, `.git`, `session-sync`);
  const alive = name => {
    try {
      process.kill(Number.parseInt(readFileSync(join(state, name), `utf8`), 10), 0);
      return true;
    } catch {
      return false;
    }
  };
  for (let i = 0; i < 1200; i++) {
    if (readdirSync(join(state, `spool`)).length === 0 && !alive(`worker`) && !alive(`waking`))
      return;
    await sleep(50);
  }
  throw new Error(`the worker was still busy after a minute`);
}

function codexFiles({home}) {
  const folder = join(home, `.codex`, `sessions`);
  return existsSync(folder) ? readdirSync(folder, {recursive: true, encoding: `utf8`}).filter(name => name.endsWith(`.jsonl`)).map(name => join(folder, name)) : [];
}

function stopWorker(project) {
  try {
    process.kill(Number.parseInt(readFileSync(join(project, `.git`, `session-sync`, `worker`), `utf8`), 10), `SIGTERM`);
  } catch {
    // None runs.
  }
}

async function demo(alice, bob) {
  step(`Alice has a repository with a remote, and Claude Code and Codex on her machine (stores in scratch homes; no agent runs here)`);
  mkdirSync(alice.project, {recursive: true});
  writeFileSync(join(alice.project, `README.md`), `# Shop\n`);
  for (const {home} of [alice, bob])
    mkdirSync(join(home, `.codex`));
  mkdirSync(join(alice.home, `.claude`, `projects`), {recursive: true});
  for (const args of [[`init`, `-q`], [`add`, `-A`], [`commit`, `-q`, `-m`, `The shop as it is`], [`init`, `-q`, `--bare`, remote], [`remote`, `add`, `origin`, remote]])
    run(alice, `git`, args, {quiet: true});
  say(`   ${alice.project}`);

  step(`Alice turns it on, once for the team`);
  run(alice, `session-sync`, [`init`]);
  run(alice, `git`, [`add`, `-A`], {quiet: true});
  run(alice, `git`, [`commit`, `-q`, `-m`, `Keep the sessions`], {quiet: true});
  run(alice, `git`, [`push`, `-q`, `-u`, `origin`, `main`], {quiet: true});

  step(`Alice works with Claude Code; its hooks fire as it goes (a recorded session of the real 2.1.330)`);
  const played = await play(alice);
  say(`   ${played.lines} lines of transcript, events: ${Object.entries(played.counts).map(([name, count]) => `${count} ${name}`).join(`, `)}`);
  await settled(alice.project);

  step(`The session is in Codex's store already, with what was kept and what was reduced`);
  run(alice, `session-sync`, [`status`]);
  for (const file of codexFiles(alice))
    say(`   ${relative(scratch, file)} (${readFileSync(file, `utf8`).split(`\n`).length - 1} lines)`);
  run(alice, `session-sync`, [`show`, session.slice(0, 8), `--fidelity`]);

  step(`And in the repository's own git, beside the branches`);
  const [ref] = run(alice, `git`, [`for-each-ref`, `--format=%(refname)`, `refs/session-sync/s/`], {quiet: true}).split(`\n`);
  run(alice, `git`, [`log`, `-1`, `--format=%h %an: %s%n%n%b`, ref]);
  run(alice, `git`, [`status`, `--short`, `--branch`]);

  step(`Alice pushes her sessions`);
  run(alice, `session-sync`, [`push`]);

  step(`Bob clones into another folder, under another home, and fetches the sessions`);
  mkdirSync(dirname(bob.project), {recursive: true});
  run(bob, `git`, [`clone`, `-q`, remote, bob.project]);
  run(bob, `session-sync`, [`pull`]);
  run(bob, `session-sync`, [`list`]);

  step(`Bob restores the session for Codex`);
  const output = run(bob, `session-sync`, [`restore`, session.slice(0, 8), `--agent`, `codex`]);
  const files = codexFiles(bob);
  const text = files.map(file => readFileSync(file, `utf8`)).join(``);
  if (files.length !== 1 || text.includes(alice.project) || !text.includes(bob.project))
    throw new Error(`the restored session is not in Bob's store, or still names Alice's folders`);
  say(`   ${relative(scratch, files[0])} (${text.split(`\n`).length - 1} lines, all paths are Bob's)`);

  const command = /codex resume [0-9a-f-]{36}/.exec(output)?.[0];
  if (command === undefined)
    throw new Error(`restore named no command to go on with`);
  say(`\nBob goes on with:  ${command}`);
}

let alice;
let bob;
try {
  installDependencies();
  build();
  mkdirSync(bin);
  for (const [name, file] of Object.entries({'session-sync': `cli.js`, 'session-sync-worker': `worker.js`, 'session-sync-hook': `hook.sh`}))
    symlinkSync(join(root, `dist`, file), join(bin, name));
  symlinkSync(process.execPath, join(bin, `node`));
  alice = machine(`alice`, `home/alice`, `shop`);
  bob = machine(`bob`, `Users/bob`, `src/my shop`);
  await demo(alice, bob);
} catch (error) {
  say(`\nThe demo failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  if (alice !== undefined)
    stopWorker(alice.project);
  if (bob !== undefined)
    stopWorker(bob.project);
  if (process.argv.includes(`--keep`)) {
    say(`\nEverything is left in ${scratch}`);
  } else {
    rmSync(scratch, {recursive: true, force: true, maxRetries: 5});
    say(`\nThe scratch homes are removed; --keep leaves them.`);
  }
}
