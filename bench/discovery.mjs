// `npm run bench:discovery [-- --sessions N]`: a remote with 10,000 sessions of 50 writers. What listing and fetching cost, and
// what people notice of it who do not use the program: each figure against the same on a remote without a session.
import {spawnSync}                                                     from 'node:child_process';
import {appendFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, readdirSync} from 'node:fs';
import {tmpdir}                                                        from 'node:os';
import {join}                                                          from 'node:path';
import process                                                         from 'node:process';

import {makeRemote, withoutSessions}                                   from '../tests/_remote.mjs';
import {build, installDependencies, root}                              from '../tests/_toolchain.mjs';

const option  = process.argv.indexOf(`--sessions`);
const count   = option === -1 ? 10_000 : Number(process.argv[option + 1]);
const ROUNDS  = 9;
const scratch = realpathSync(mkdtempSync(join(tmpdir(), `session-sync-bench-`)));
const env = {
  PATH: process.env.PATH, HOME: join(scratch, `home`), LANG: `C.UTF-8`, TMPDIR: scratch, GIT_CONFIG_GLOBAL: `/dev/null`, GIT_CONFIG_SYSTEM: `/dev/null`,
  GIT_AUTHOR_NAME: `Alice`, GIT_AUTHOR_EMAIL: `alice@example.org`, GIT_COMMITTER_NAME: `Alice`, GIT_COMMITTER_EMAIL: `alice@example.org`,
};
const say  = text => process.stdout.write(`${text}\n`);
const rows = [];

function figure(name, value, limit, unit, detail) {
  const ok = value <= limit;
  rows.push({name, ok});
  say(`${ok ? `reached    ` : `NOT REACHED`}  ${name}: ${value.toFixed(2)} ${unit} (at most ${limit})  ${detail}`);
}

function run(program, args, cwd, more = {}) {
  const begun = performance.now();
  const {status, stdout, stderr} = spawnSync(program, args, {cwd, env: {...env, ...more}, maxBuffer: 1 << 28, encoding: `utf8`});
  if (status !== 0)
    throw new Error(`${program} ${args.join(` `)} exited with ${status}: ${stderr}`);
  return {ms: performance.now() - begun, stdout, stderr};
}

const git = (cwd, ...args) => run(`git`, args, cwd);
const cli = (cwd, ...args) => run(process.execPath, [join(root, `dist`, `cli.js`), ...args], cwd);
const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = value => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

/** Medians of two things done in turns, so that a machine that slows down slows both. */
function inTurn(without, withSessions, rounds = ROUNDS) {
  const times = [[], []];
  for (let round = 0; round < rounds; round++) {
    times[0].push(without(round));
    times[1].push(withSessions(round));
  }
  return times.map(median);
}

/** Bytes that a git command received, by its own trace of packets. */
function received(cwd, ...args) {
  const {stderr} = run(`git`, args, cwd, {GIT_TRACE_PACKET: `2`});
  return [...stderr.matchAll(/packet:\s+\S+< (.*)/g)].reduce((sum, [, line]) => sum + line.length, 0);
}

function objectBytes(clone) {
  const {stdout} = git(clone, `count-objects`, `-v`);
  const size = name => Number(new RegExp(`^${name}: (\\d+)`, `m`).exec(stdout)[1]);
  return {objects: size(`count`) + size(`in-pack`), bytes: 1024 * (size(`size`) + size(`size-pack`))};
}

/** What listing, and fetching one, costs a person who uses the program. */
function discovery(remote, all) {
  const clone = join(scratch, `person`);
  git(scratch, `clone`, `-q`, remote, clone);
  const before = objectBytes(clone);
  const cold = cli(clone, `list`, `--remote`);
  const listed = objectBytes(clone);
  const lines = cold.stdout.trim().split(`\n`).length - 1;
  const [base, warm] = inTurn(() => run(process.execPath, [`-e`, `0`], clone).ms, () => cli(clone, `list`, `--remote`).ms, 5);
  say(`             node -e 0 takes ${ms(base)}`);
  figure(`list --remote of ${lines} sessions, the first time`, cold.ms / base, 100, `× node`, `${ms(cold.ms)}; ${((listed.bytes - before.bytes) / 1e6).toFixed(1)} MB of indexes fetched, no transcript`);
  figure(`list --remote again`, warm / base, 80, `× node`, ms(warm));

  const one = all[Math.floor(all.length / 2)];
  const fetched = cli(clone, `pull`, `--session`, one.session);
  const after = objectBytes(clone);
  const size = Object.values(one.header.streams).reduce((sum, {bytes}) => sum + bytes, 0);
  figure(`objects that \`pull --session\` brings`, after.objects - listed.objects, 12, `objects`, `${ms(fetched.ms)}; ${size} bytes of transcript and records, ${after.bytes - listed.bytes} on disk`);
}

/** The same things in two clones of people who do not use the program: of a remote without a session, and with all. */
function bystanders(plain, team, limits, name) {
  const [before, after] = [`without`, `with`].map(kind => join(scratch, `${kind}-${name}`));
  const fresh = (remote, round) => {
    const to = join(scratch, `clone-${round}`);
    const {ms: took} = git(scratch, `clone`, `-q`, remote, to);
    rmSync(to, {recursive: true, force: true});
    return took;
  };
  const pair = (what, limit, without, withSessions, rounds) => {
    const [a, b] = inTurn(without, withSessions, rounds);
    figure(`${what}, ${name}`, b / a, limit, `×`, `${ms(b)}, without ${ms(a)}`);
  };
  pair(`git clone`, limits.clone, round => fresh(plain, round), round => fresh(team, round));
  git(scratch, `clone`, `-q`, plain, before);
  git(scratch, `clone`, `-q`, team, after);
  pair(`git fetch, nothing new`, limits.fetch, () => git(before, `fetch`, `-q`).ms, () => git(after, `fetch`, `-q`).ms);
  pair(`git fetch, one commit`, limits.fetch, round => change(plain, before, `a${round}`), round => change(team, after, `b${round}`));
  pair(`git push, one commit`, limits.push, round => send(before, `c${round}`), round => send(after, `d${round}`));
  pair(`git status`, limits.local, () => git(before, `status`).ms, () => git(after, `status`).ms, 31);
  pair(`git log --decorate`, limits.local, () => git(before, `log`, `-1`, `--decorate`).ms, () => git(after, `log`, `-1`, `--decorate`).ms, 31);
  pair(`git gc`, limits.local, () => git(before, `gc`, `-q`).ms, () => git(after, `gc`, `-q`).ms);
  say(`             a fetch that finds nothing receives ${received(after, `fetch`, `-q`)} bytes, without ${received(before, `fetch`, `-q`)}; a push is told of ${received(after, `push`, `-q`)} bytes, without ${received(before, `push`, `-q`)}`);
  const leaked = git(after, `for-each-ref`, `refs/session-sync*`).stdout;
  figure(`refs of ours in their clone, ${name}`, leaked === `` ? 0 : leaked.trim().split(`\n`).length, 0, `refs`, ``);
}

let writer;
/** Somebody else pushes a commit; what a fetch of it takes. */
function change(remote, clone, name) {
  writer ??= join(scratch, `writer`);
  rmSync(writer, {recursive: true, force: true});
  git(scratch, `clone`, `-q`, remote, writer);
  appendFileSync(join(writer, `NEWS`), `${name}\n`);
  git(writer, `add`, `-A`);
  git(writer, `commit`, `-q`, `-m`, name);
  git(writer, `push`, `-q`);
  return git(clone, `fetch`, `-q`).ms;
}

function send(clone, name) {
  git(clone, `pull`, `-q`, `--rebase`);
  appendFileSync(join(clone, `NEWS`), `${name}\n`);
  git(clone, `add`, `-A`);
  git(clone, `commit`, `-q`, `-m`, name);
  return git(clone, `push`, `-q`).ms;
}

/** All but the newest 500 go into archives, by one person: what is left of the list of refs. */
function archived(team) {
  const clone = join(scratch, `archivist`);
  git(scratch, `clone`, `-q`, team, clone);
  const session = `00000000-0000-4000-8000-000000000001`;
  const writer = `0a0b0c0d0e0f0a0b`;
  mkdirSync(join(clone, `.git`, `session-sync`), {recursive: true});
  appendFileSync(join(clone, `.git`, `session-sync`, `writer`), `${writer}\n`);
  // An archive needs an index of its clone on the remote.
  const empty = git(clone, `hash-object`, `-t`, `tree`, `-w`, `/dev/null`).stdout.trim();
  const index = git(clone, `commit-tree`, `-m`, session, empty).stdout.trim();
  git(clone, `push`, `-q`, `origin`, `${index}:refs/session-sync/index/${writer}`);
  git(clone, `update-ref`, `refs/session-sync/index/${writer}`, index);
  const newest = JSON.parse(cli(clone, `list`, `--remote`, `--limit`, `500`, `--json`).stdout).data.sessions.at(-1).updated;
  const days = Math.max(1, Math.ceil((Date.now() - Date.parse(newest)) / 86_400_000));
  const {ms: took} = cli(clone, `archive`, `--older-than`, `${days}d`, `--others`, `--yes`, `--json`);
  const left = Number(git(team, `for-each-ref`, `--count=0`, `refs/session-sync/`).stdout.trim().split(`\n`).length);
  say(`             archive of all but ${left} refs took ${ms(took)}`);
  const packs = join(team, `objects`, `pack`);
  say(`             packs on the remote: ${(readdirSync(packs).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0) / 1e6).toFixed(1)} MB`);
  const [base, listed] = inTurn(() => run(process.execPath, [`-e`, `0`], clone).ms, () => cli(clone, `list`, `--remote`, `--archived`).ms, 3);
  figure(`list --remote --archived`, listed / base, 80, `× node`, ms(listed));
}

try {
  installDependencies();
  build();
  mkdirSync(env.HOME);
  const [team, plain] = [join(scratch, `team.git`), join(scratch, `plain.git`)];
  const all = makeRemote(team, {env, sessions: count});
  withoutSessions(plain, team, env);
  const [teamUrl, plainUrl] = [team, plain].map(folder => `file://${folder}`);
  discovery(teamUrl, all);
  bystanders(plainUrl, teamUrl, {clone: 3, fetch: 3, push: 6, local: 1.3}, `${count} session refs`);
  archived(teamUrl.slice(`file://`.length));
  bystanders(plainUrl, teamUrl, {clone: 1.5, fetch: 1.5, push: 2, local: 1.3}, `archived`);
  const missed = rows.filter(({ok}) => !ok);
  say(missed.length === 0 ? `All ${rows.length} figures are reached.` : `${missed.length} of ${rows.length} figures are not reached: ${missed.map(({name}) => name).join(`; `)}`);
} catch (error) {
  say(`The bench failed: ${error.stack}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, {recursive: true, force: true, maxRetries: 5});
}
