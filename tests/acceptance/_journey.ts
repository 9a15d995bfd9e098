import {createHash}            from 'node:crypto';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {cp, mkdir, readFile, readdir, rename, writeFile} from 'node:fs/promises';
import path                    from 'node:path';
import {fileURLToPath}         from 'node:url';

import {setUpCodex}            from './_agents.ts';
import type {Names}            from './_compare.ts';
import {World}                 from './_world.ts';
import type {Machine, Outcome} from './_world.ts';

export const FIXTURES = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), `fixtures`, `claude-code`);

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** A picture of 16 by 16 pixels. */
export const LOGO = Buffer.from(`iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAF0lEQVR4nGP4z8BAEiJN9aiGUQ1DSgMAkPn/Afnh+ngAAAAASUVORK5CYII=`, `base64`);

/** Two people who share a remote: alice, and bob whose home, folder and user name differ. */
export async function twoMachines(project = `shop`): Promise<{world: World; alice: Machine; bob: Machine; remote: string}> {
  const world = await World.create([`claude`, `codex`]);
  const alice = await world.machine({user: `alice`, home: `home/alice`, project});
  const bob = await world.machine({user: `bob`, home: `Users/bob`, project: `src/my shop`});
  const remote = await world.bareRemote(`shop.git`);
  await alice.createProject({
    'README.md': `# Shop\n\nEin kleiner Laden – café, naïve, 日本語.\n`,
    'src/stock.js': `export const stock = {apples: 12};\n`,
    'logo.png': LOGO,
  });
  await alice.git(`remote`, `add`, `origin`, remote);
  await setUpCodex(alice);
  await setUpCodex(bob);
  succeeded(await alice.sessionSync(`init`));
  await alice.git(`add`, `-A`);
  await alice.git(`commit`, `-q`, `-m`, `Keep the sessions`);
  await alice.git(`push`, `-q`, `-u`, `origin`, `main`);
  return {world, alice, bob, remote};
}

/** The output of a program that must have succeeded. */
export function succeeded(outcome: Outcome): string {
  if (outcome.exitCode !== 0)
    throw new Error(`exit code ${outcome.exitCode}, signal ${outcome.signal}\n${outcome.stdout}\n${outcome.stderr}`);
  return outcome.stdout;
}

/** The id in the command that a text gives for going on with `agent`. */
export function resumeIdIn(text: string, agent: `codex` | `claude`): string {
  const match = new RegExp(`${agent === `codex` ? `codex resume` : `claude --resume`} (${UUID.source})`).exec(text);
  if (match === null)
    throw new Error(`no command to resume with ${agent} in:\n${text}`);
  return match[1]!;
}

/** The Codex session that mirrors the project's only session, as `status` names it. */
export async function mirrorOf(machine: Machine): Promise<string> {
  return resumeIdIn(succeeded(await machine.sessionSync(`status`)), `codex`);
}

/** Claude Code's name for a project's folder in its store (2.1.330); the paths of these tests are short enough. */
export function slugOf(folder: string): string {
  return folder.replace(/[^A-Za-z0-9]/g, `-`);
}

/** What differs by nature between two machines, under names that do not. */
export function namesOf(machine: Machine): Names {
  return [[machine.project, `<root>`], [machine.home, `<home>`], [slugOf(machine.project), `<slug>`], [machine.env.TMPDIR!, `<tmp>`]];
}

/** Names for the comparison of a session on one machine with the same on another, or with its mirror on the same. */
export function names(session: string, source: Machine, target: Machine): {sourceNames: Names; targetNames: Names} {
  // Large outputs lie in Claude Code's store; for a session that is restored into another agent they are put below the git directory.
  const withSideFiles = (machine: Machine): Names => [
    ...namesOf(machine),
    [transcriptOf(machine, session).slice(0, -`.jsonl`.length), `<side>`],
    [path.join(machine.project, `.git`, `session-sync`, `files`, session), `<side>`],
  ];
  return {sourceNames: withSideFiles(source), targetNames: withSideFiles(target)};
}

/** Pushes alice's sessions, clones the project for bob where he has none, and pulls them there. */
export async function carryOver(alice: Machine, bob: Machine, remote: string): Promise<void> {
  succeeded(await alice.sessionSync(`push`));
  if (!existsSync(bob.project))
    await bob.cloneProject(remote);
  succeeded(await bob.sessionSync(`pull`));
}

/** Every file below a folder with the hash of its bytes. */
export function contentsOf(folder: string): {[name: string]: string} {
  const contents: {[name: string]: string} = {};
  for (const name of readdirSync(folder, {recursive: true, encoding: `utf8`}).sort()) {
    const file = path.join(folder, name);
    if (statSync(file).isFile())
      contents[name] = createHash(`sha256`).update(readFileSync(file)).digest(`hex`);
  }
  return contents;
}

/** What two long texts have at the first place where they differ; null where they do not. */
export function firstDifference(actual: string, expected: string): {at: number; actual: string; expected: string} | null {
  if (actual === expected)
    return null;
  let at = 0;
  while (actual[at] === expected[at])
    at++;
  return {at, actual: actual.slice(Math.max(0, at - 100), at + 100), expected: expected.slice(Math.max(0, at - 100), at + 100)};
}

/** The file of a Codex session. */
export function rolloutOf(machine: Machine, id: string): string {
  const folder = path.join(machine.codexHome, `sessions`);
  const found = readdirSync(folder, {recursive: true, encoding: `utf8`}).filter(name => name.endsWith(`${id}.jsonl`));
  if (found.length !== 1)
    throw new Error(`${found.length} files of session ${id} in ${folder}`);
  return path.join(folder, found[0]!);
}

export function transcriptOf(machine: Machine, session: string): string {
  return path.join(machine.claudeHome, `projects`, slugOf(machine.project), `${session}.jsonl`);
}

/** Names of the recorded sessions. */
export function fixtureNames(): Array<string> {
  return readdirSync(FIXTURES).filter(name => /^\d\d-/.test(name)).sort();
}

/** Working folder's name that a recorded session was recorded in, below `/home/alice`. */
export async function fixtureProject(name: string): Promise<string> {
  const text = await readFile(path.join(FIXTURES, name, await fixtureTranscript(name)), `utf8`);
  return /"cwd":"\/home\/alice\/([^"/]+)"/.exec(text)![1]!;
}

async function fixtureTranscript(name: string): Promise<string> {
  return (await readdir(path.join(FIXTURES, name))).find(file => file.endsWith(`.jsonl`))!;
}

/** Puts a recorded session into a machine's store as if it had been recorded there; resolves to its id. */
export async function placeFixture(machine: Machine, name: string): Promise<string> {
  const project = `/home/alice/${await fixtureProject(name)}`;
  const folder = path.join(machine.claudeHome, `projects`, slugOf(machine.project));
  await mkdir(folder, {recursive: true});
  await cp(path.join(FIXTURES, name), folder, {recursive: true});
  for (const file of await readdir(folder, {recursive: true})) {
    const full = path.join(folder, file);
    if (!statSync(full).isFile())
      continue;
    const text = await readFile(full, `utf8`);
    // One pass, because a home here ends like the recorded one.
    const moved = text.replace(new RegExp(`${slugOf(project)}|/home/alice(?=/)`, `g`), match => match === `/home/alice` ? machine.home : slugOf(machine.project));
    await writeFile(`${full}.new`, moved, {mode: 0o600});
    await rename(`${full}.new`, full);
  }
  return (await fixtureTranscript(name)).slice(0, -`.jsonl`.length);
}
