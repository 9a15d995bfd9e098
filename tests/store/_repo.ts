import {execFile, spawn}                     from 'node:child_process';
import * as fs                               from 'node:fs/promises';
import os                                    from 'node:os';
import path                                  from 'node:path';
import {promisify}                           from 'node:util';
import {afterEach}                           from 'vitest';

import {SessionStore, openRepository}        from '../../sources/store/index.ts';
import type {StoreOptions}                   from '../../sources/store/index.ts';
import {gitEnv}                              from '../../sources/store/git.ts';

import {WRITER, lines, meta}                 from './_lines.ts';

export {SESSION, WRITER, lines, meta, session} from './_lines.ts';

const run = promisify(execFile);

const cleanups: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse())
    await cleanup();
});

export type Scratch = {
  root: string;
  env: {[name: string]: string | undefined};
  /** Runs git in a folder below `root`; resolves to what it printed. */
  git: (cwd: string, ...args: Array<string>) => Promise<string>;
  at: (...parts: Array<string>) => string;
};

/** A folder, a home and a git configuration of this test's own. */
export async function scratch(): Promise<Scratch> {
  const root = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), `store-`)));
  cleanups.push(async () => await fs.rm(root, {recursive: true, force: true, maxRetries: 5}));
  await fs.mkdir(path.join(root, `home`));

  const env = {
    PATH: process.env.PATH, HOME: path.join(root, `home`), XDG_CONFIG_HOME: path.join(root, `home`),
    GIT_CONFIG_GLOBAL: path.join(root, `home`, `gitconfig`), GIT_CONFIG_SYSTEM: `/dev/null`, GIT_CONFIG_NOSYSTEM: `1`,
    GIT_AUTHOR_NAME: `Alice`, GIT_AUTHOR_EMAIL: `alice@example.org`, GIT_COMMITTER_NAME: `Alice`, GIT_COMMITTER_EMAIL: `alice@example.org`,
  };
  await fs.writeFile(env.GIT_CONFIG_GLOBAL, `[init]\n  defaultBranch = main\n[protocol "file"]\n  allow = always\n[gc]\n  auto = 0\n`);

  return {
    root, env,
    git: async (cwd, ...args) => (await run(`git`, args, {cwd: path.resolve(root, cwd), env: gitEnv(env), maxBuffer: 1 << 28})).stdout,
    at: (...parts) => path.join(root, ...parts),
  };
}

/** A repository with one commit, and its store. */
export async function freshRepository(place: Scratch, name = `shop`, {init = []}: {init?: Array<string>} = {}) {
  await place.git(`.`, `init`, `-q`, ...init, name);
  await fs.writeFile(place.at(name, `cart.js`), `export const cart = [];\n`);
  await place.git(name, `add`, `.`);
  await place.git(name, `commit`, `-q`, `-m`, `Begin`);
  return await openStore(place, name);
}

export async function openStore(place: Scratch, name: string, writer = WRITER, options: StoreOptions = {}) {
  const store = new SessionStore(await openRepository(place.at(name), place.env), place.env, writer, options);
  cleanups.push(async () => await store.close());
  return store;
}

/** One sync: lines `from` to `to` into both streams, and a commit. */
export async function sync(store: SessionStore, id: string, from: number, to: number, size?: number) {
  const appender = await store.begin(id);
  await appender.append(`native/claude-code/${id}.jsonl`, lines(from, to, size));
  await appender.append(`rec/main`, lines(from, to, size));
  return await appender.commit(meta(id, to));
}

export async function content(stream: AsyncIterable<Buffer>) {
  const chunks: Array<Buffer> = [];
  for await (const chunk of stream)
    chunks.push(chunk);

  return Buffer.concat(chunks);
}

/** Sends text to a git command. */
export async function feed(place: Scratch, cwd: string, args: Array<string>, input: string | Buffer) {
  const child = spawn(`git`, args, {cwd: place.at(cwd), env: gitEnv(place.env), stdio: [`pipe`, `pipe`, `inherit`]});
  let out = ``;
  child.stdout.on(`data`, chunk => {
    out += chunk;
  });
  child.stdin.end(input);
  const code = await new Promise(resolve => child.on(`close`, resolve));
  if (code !== 0)
    throw new Error(`git ${args.join(` `)}: exit code ${code}`);

  return out.trim();
}
