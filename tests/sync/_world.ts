import {spawn, spawnSync}              from 'node:child_process';
import {createHash}                    from 'node:crypto';
import {existsSync, readFileSync, readdirSync, readlinkSync} from 'node:fs';
import {appendFile, cp, mkdir, mkdtemp, readFile, readdir, realpath, rm, symlink, utimes, writeFile} from 'node:fs/promises';
import {tmpdir}                        from 'node:os';
import path                            from 'node:path';
import process                         from 'node:process';
import {setTimeout as sleep}           from 'node:timers/promises';
import {fileURLToPath}                 from 'node:url';
import {afterAll}                      from 'vitest';

import {openRepository, SessionStore}  from '../../sources/store/index.ts';
import {statePaths}                    from '../../sources/sync/project.ts';

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const fixtures = path.join(root, `tests/fixtures/claude-code`);
const RECORDED = `/home/alice/shop`;

export const slug = (folder: string) => folder.replace(/[^A-Za-z0-9]/g, `-`);
export const uuidOf = (text: string) => createHash(`sha256`).update(text).digest(`hex`).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, `$1-$2-4$3-8$4-$5`);

export type World = Awaited<ReturnType<typeof makeWorld>>;

/** A scratch machine: a home with Claude Code's and Codex's stores, a repository, and the built programs on PATH. */
export async function makeWorld({lingerMs = 50, name = `shop`}: {lingerMs?: number; name?: string} = {}) {
  const scratch = await realpath(await mkdtemp(path.join(tmpdir(), `session-sync-world-`)));
  const home = path.join(scratch, `home`);
  const project = path.join(home, name);
  const bin = path.join(scratch, `bin`);
  const claude = path.join(home, `.claude`, `projects`, slug(project));
  const codex = path.join(home, `.codex`);
  for (const folder of [claude, codex, project, bin, path.join(scratch, `tmp`)])
    await mkdir(folder, {recursive: true});
  await installBuild(bin);

  const env: {[name: string]: string} = {
    HOME: home, LANG: `C.UTF-8`, TMPDIR: path.join(scratch, `tmp`), PATH: `${bin}:/usr/bin:/bin`,
    GIT_CONFIG_GLOBAL: `/dev/null`, GIT_CONFIG_SYSTEM: `/dev/null`,
    GIT_AUTHOR_NAME: `Alice`, GIT_AUTHOR_EMAIL: `alice@example.org`, GIT_COMMITTER_NAME: `Alice`, GIT_COMMITTER_EMAIL: `alice@example.org`,
    SESSION_SYNC_LINGER_MS: `${lingerMs}`,
  };
  const paths = statePaths(path.join(project, `.git`));

  const world = {
    scratch, home, project, bin, claude, codex, env, paths,
    hook: path.join(bin, `session-sync-hook`),

    /** A fresh repository that takes part, and an empty store of Codex: as if nothing had happened. */
    async reset() {
      await rm(path.join(project, `.git`), {recursive: true, force: true});
      await rm(codex, {recursive: true, force: true});
      await mkdir(codex);
      world.run(`git`, [`init`, `-q`, `-b`, `main`]);
      world.run(`git`, [`commit`, `-q`, `--allow-empty`, `-m`, `The shop`]);
      for (const folder of [paths.folder, paths.spool, paths.sessions])
        await mkdir(folder, {recursive: true, mode: 0o700});
    },

    run(program: string, args: Array<string>, {input, cwd = project, env: more = {}}: {input?: string; cwd?: string; env?: {[name: string]: string}} = {}) {
      const result = spawnSync(program, args, {cwd, env: {...env, ...more}, input, encoding: `utf8`, timeout: 60_000});
      if (result.status !== 0)
        throw new Error(`${program} ${args.join(` `)}: ${result.status ?? result.signal ?? result.error?.message}\n${result.stdout}${result.stderr}`);
      return result.stdout;
    },

    transcript: (session: string) => path.join(claude, `${session}.jsonl`),

    event: (session: string, hook_event_name: string, more: object = {}) =>
      JSON.stringify({session_id: session, transcript_path: world.transcript(session), cwd: project, hook_event_name, ...more}),

    /** Runs the hook as an agent does. Throws when it prints anything or does not exit 0. */
    fire(payload: string, {env: more = {}, cwd = project, shell}: {env?: {[name: string]: string}; cwd?: string; shell?: Array<string>} = {}): Promise<number> {
      return new Promise((resolve, reject) => {
        const began = performance.now();
        const [program = world.hook, ...args] = [...shell ?? [], world.hook, `claude-code`];
        const child = spawn(program, args, {cwd, env: {...env, ...more}, stdio: [`pipe`, `pipe`, `pipe`]});
        let output = ``;
        child.stdout.on(`data`, chunk => output += chunk);
        child.stderr.on(`data`, chunk => output += chunk);
        child.stdin.on(`error`, () => {});
        child.stdin.end(payload);
        child.on(`error`, reject);
        child.on(`close`, (code, signal) => code === 0 && output === `` ? resolve(performance.now() - began) : reject(new Error(`the hook ended with ${code ?? signal} and printed ${JSON.stringify(output)}`)));
      });
    },

    /** Process numbers of this world's workers, and of hooks that are becoming one. */
    workers: () => processes().filter(({command}) => /session-sync-(?:worker|hook)/.test(command) && command.includes(scratch)).map(({pid}) => pid),

    /** Waits until no worker of this world is left. */
    async quiet(timeoutMs = 20_000) {
      // Twice: a process has no name for a moment while it becomes another program.
      for (let end = performance.now() + timeoutMs, looks = 0; performance.now() < end; await sleep(20)) {
        looks = world.workers().length === 0 ? looks + 1 : 0;
        if (looks === 2)
          return;
      }
      throw new Error(`a worker is left: ${await readFile(paths.log, `utf8`).catch(() => `no log`)}`);
    },

    async mirrors(): Promise<{[file: string]: string}> {
      const names = await readdir(path.join(codex, `sessions`), {recursive: true}).catch(() => []);
      const files = names.filter(name => /\.(jsonl|session-sync-tmp)$/.test(name)).sort();
      return Object.fromEntries(await Promise.all(files.map(async name => [name, await readFile(path.join(codex, `sessions`, name), `utf8`)])));
    },

    /** All streams of all sessions in the store, as text. */
    async streams(): Promise<{[name: string]: string}> {
      const repository = await openRepository(project, env);
      const store = new SessionStore(repository, env, `00000000-0000-4000-8000-000000000000`);
      try {
        const {refs, problems} = await store.list();
        if (problems.length > 0)
          throw new Error(JSON.stringify(problems));
        const all: {[name: string]: string} = {};
        for (const ref of refs) {
          for (const {name} of await store.streams(ref)) {
            const pieces: Array<Buffer> = [];
            for await (const piece of store.readStream(ref, name))
              pieces.push(piece);
            all[`${ref.session} ${name}`] = Buffer.concat(pieces).toString(`utf8`);
          }
        }
        return all;
      } finally {
        await store.close();
      }
    },

    async remove() {
      for (const pid of world.workers())
        kill(pid, `SIGKILL`);
      await rm(scratch, {recursive: true, force: true, maxRetries: 10, retryDelay: 50});
    },
  };
  await world.reset();
  return world;
}

let copy: Promise<string> | null = null;
afterAll(async () => {
  if (copy !== null)
    await rm(await copy, {recursive: true, force: true});
});

/** A copy of `dist/`, so that a build meanwhile takes nothing away. */
async function copyOfBuild() {
  if (!existsSync(path.join(root, `dist/worker.js`)))
    throw new Error(`dist/ is not built: npm run build`);
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), `session-sync-build-`)));
  await cp(path.join(root, `dist`), path.join(folder, `dist`), {recursive: true});
  await cp(path.join(root, `package.json`), path.join(folder, `package.json`));
  return folder;
}

async function installBuild(bin: string) {
  const folder = await (copy ??= copyOfBuild());
  for (const [name, file] of Object.entries({'session-sync': `cli.js`, 'session-sync-worker': `worker.js`, 'session-sync-hook': `hook.sh`}))
    await symlink(path.join(folder, `dist`, file), path.join(bin, name));
  await symlink(process.execPath, path.join(bin, `node`));
}

export function kill(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

function processes(): Array<{pid: number; command: string}> {
  if (!existsSync(`/proc/self/stat`)) {
    const lines = spawnSync(`ps`, [`-axo`, `pid=,command=`], {encoding: `utf8`}).stdout.split(`\n`);
    return lines.map(line => ({pid: parseInt(line, 10), command: line})).filter(({pid}) => pid > 0);
  }
  const found: Array<{pid: number; command: string}> = [];
  for (const name of readdirSync(`/proc`)) {
    if (!/^\d+$/.test(name))
      continue;
    try {
      // One that has ended and waits for its parent has no program any more.
      readlinkSync(`/proc/${name}/exe`);
      found.push({pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, `utf8`).replaceAll(`\0`, ` `)});
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

export type Script = {session: string; lines: Array<string>; agents: Array<{name: string; lines: Array<string>}>; side: Array<{name: string; text: string}>};

/**
 * A long session made of recorded ones: tools, sub-agents, branches, rewinds, a compaction, images, several times over.
 * Each copy has ids of its own and goes on where the one before ended.
 */
export function script(world: World, seed: string, copies: number): Script {
  const session = uuidOf(seed);
  const lines: Array<string> = [];
  const agents = new Map<string, Array<string>>();
  const side: Script[`side`] = [];
  let last: string | null = null;
  for (let copy = 0; copy < copies; copy++) {
    for (const recording of [`01-tools-subagent-mcp`, `02-interactive-branch-plan-compact`]) {
      const folder = path.join(fixtures, recording);
      const id = readdirSync(folder).find(name => name.endsWith(`.jsonl`))!.slice(0, -`.jsonl`.length);
      const own = (text: string) => text
        .replaceAll(id, session).replaceAll(slug(RECORDED), slug(world.project)).replaceAll(RECORDED, world.project)
        .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, found => found === session ? found : uuidOf(`${seed} ${copy} ${found}`))
        .replace(/\b(toolu_[0-9a-zA-Z]+|msg_[0-9a-zA-Z]+)/g, `$1c${copy}`);
      for (const line of own(readFileSync(path.join(folder, `${id}.jsonl`), `utf8`)).split(`\n`).filter(text => text !== ``)) {
        lines.push(last === null ? line : line.replace(`"parentUuid":null`, `"parentUuid":"${last}"`));
        if (line.includes(`"parentUuid":null`) && last !== null)
          last = null;
      }
      const uuids = lines.flatMap(line => /"uuid":"([^"]+)"/.exec(line)?.[1] ?? []);
      last = uuids.at(-1) ?? null;

      // A prompt with an image, then the person goes back to before it a few times and asks something else.
      const fork = last;
      for (let take = 0; take < 5; take++) {
        const ask = uuidOf(`${seed} ${copy} ${recording} ${take}`);
        const common = {isSidechain: false, sessionId: session, cwd: world.project, version: `2.1.330`};
        const picture = {type: `image`, source: {type: `base64`, media_type: `image/png`, data: Buffer.from(ask.repeat(200)).toString(`base64`)}};
        last = uuidOf(`${ask} answer`);
        lines.push(JSON.stringify({
          ...common, parentUuid: fork, type: `user`, uuid: ask, timestamp: `2026-11-20T12:0${copy}:${take}0.000Z`,
          message: {role: `user`, content: [{type: `text`, text: `What is on this picture (${recording}, ${copy}, ${take})?`}, ...take < 2 ? [picture] : []]},
        }), JSON.stringify({
          ...common, parentUuid: ask, type: `assistant`, uuid: last, timestamp: `2026-11-20T12:0${copy}:${take}1.000Z`,
          message: {id: `msg_${ask}`, role: `assistant`, model: `claude-sonnet-4-5`, content: [{type: `text`, text: `A shop.`}], stop_reason: `end_turn`, usage: {input_tokens: 1, output_tokens: 1}},
        }));
      }

      const beside = path.join(folder, id);
      for (const name of readdirSync(beside, {recursive: true, encoding: `utf8`}).filter(text => /\.(jsonl?|txt)$/.test(text)).sort()) {
        const text = own(readFileSync(path.join(beside, name), `utf8`));
        if (name.endsWith(`.jsonl`))
          agents.set(name, [...agents.get(name) ?? [], ...text.split(`\n`).filter(one => one !== ``)]);
        else if (!side.some(one => one.name === name))
          side.push({name, text});
      }
    }
  }
  return {session, lines, agents: [...agents].map(([name, all]) => ({name, lines: all})), side};
}

/** The files of a session as they are when `part` of `of` has been written. Only appends to what is there. */
export async function grow(world: World, {session, lines, agents, side}: Script, part: number, of: number) {
  const slice = (all: Array<string>) => all.slice(Math.floor(all.length * (part - 1) / of), Math.floor(all.length * part / of)).map(line => `${line}\n`).join(``);
  for (const agent of agents) {
    const file = path.join(world.claude, session, agent.name);
    await mkdir(path.dirname(file), {recursive: true});
    await appendFile(file, slice(agent.lines));
  }
  for (const [index, one] of side.entries()) {
    // A side file comes at some point, and is written once more later.
    const file = path.join(world.claude, session, one.name);
    if (part === Math.min(of, 1 + index) || part === Math.min(of, 1 + index + Math.floor(of / 2))) {
      await mkdir(path.dirname(file), {recursive: true});
      await writeFile(file, one.text);
      await utimes(file, part, part);
    }
  }
  await appendFile(world.transcript(session), slice(lines));
}

/** A turn of a small session, whose prompt and answer can be found again. */
export function turn(world: World, session: string, number: number): string {
  const [before, ask, answer] = [number - 1, number, number].map((at, index) => uuidOf(`${session} ${at} ${index === 1 ? `ask` : `answer`}`));
  const time = new Date(Date.UTC(2026, 10, 20, 10, 0, number)).toISOString();
  const common = {isSidechain: false, sessionId: session, cwd: world.project, version: `2.1.330`, timestamp: time};
  return [
    {...common, parentUuid: number === 0 ? null : before, type: `user`, uuid: ask, message: {role: `user`, content: `${session} asks ${number}.`}},
    {...common, parentUuid: ask, type: `assistant`, uuid: answer, message: {id: `msg_${answer}`, role: `assistant`, model: `claude-sonnet-4-5`, content: [{type: `text`, text: `${session} answers ${number}.`}], stop_reason: `end_turn`, usage: {input_tokens: 1, output_tokens: 1}}},
  ].map(line => `${JSON.stringify(line)}\n`).join(``);
}

/** What of the turns 0 to `turns - 1` is not exactly once in the mirror and in the store. */
export async function faults(world: World, session: string, turns: number): Promise<Array<string>> {
  const mirrors = Object.values(await world.mirrors()).filter(text => text.includes(session)).map(text => text.split(`\n`).filter(line => line.includes(`"response_item"`)));
  const streams = Object.entries(await world.streams()).filter(([name]) => name.startsWith(`${session} `));
  const wrong = mirrors.length === 1 ? [] : [`${mirrors.length} mirrors`];
  for (const [where, lines] of [[`mirror`, mirrors.flat()], ...streams.map(([name, text]) => [name, text.split(`\n`)] as const)] as Array<[string, Array<string>]>) {
    for (let number = 0; number < turns; number++) {
      for (const text of [`${session} asks ${number}.`, `${session} answers ${number}.`]) {
        const count = lines.filter(line => line.includes(text)).length;
        if (count !== 1)
          wrong.push(`${where}: ${count} times ${JSON.stringify(text)}`);
      }
    }
  }
  return streams.length === 2 ? wrong : [...wrong, `${streams.length} streams`];
}
