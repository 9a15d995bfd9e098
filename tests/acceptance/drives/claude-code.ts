import {existsSync, readdirSync}       from 'node:fs';
import {cp, mkdir, readFile, readdir, rename, rm, rmdir, stat, writeFile} from 'node:fs/promises';
import path                            from 'node:path';

import {claudeReceives, runClaude}     from '../_agents.ts';
import {FIXTURES, fixtureNames, fixtureProject, slugOf} from '../_journey.ts';
import type {Turn}                     from '../_model.ts';
import {jsonLines}                     from '../_world.ts';
import type {Machine}                  from '../_world.ts';

import type {Drive}                    from './_drive.ts';

/** The file of a session, in whichever project. */
export function transcriptIn(machine: Machine, id: string): string {
  const projects = path.join(machine.claudeHome, `projects`);
  const found = readdirSync(projects).map(name => path.join(projects, name, `${id}.jsonl`)).filter(file => existsSync(file));
  if (found.length !== 1)
    throw new Error(`${found.length} files of session ${id} in ${projects}`);
  return found[0]!;
}

async function run(machine: Machine, options: {prompt: string; turns: Array<Turn>; resume?: string; cwd?: string}): Promise<string> {
  const {turns, ...rest} = options;
  const {exitCode, stdout, stderr, session, requests} = await runClaude(machine, {...rest, script: {turns}});
  if (exitCode !== 0 || session === null || requests.length === 0)
    throw new Error(`claude exited with ${exitCode}: ${stdout}\n${stderr}`);
  return session;
}

export const claudeCodeDrive: Drive = {
  agent: `claude-code`,
  program: `claude`,
  stores: [`.claude`],
  fixtures: fixtureNames(),

  async setUp(machine) {
    await mkdir(machine.claudeHome, {recursive: true});
  },

  receives: claudeReceives,

  /**
   * Without a terminal Claude Code 2.1.330 shows no list, but it finds a session by its title: the whole one, as the list
   * shows it, which is a name that the person gave it or else one that it was given.
   */
  async title(machine, id, cwd) {
    const lines = await jsonLines(transcriptIn(machine, id));
    const title = lines.findLast(line => line.type === `custom-title`)?.customTitle ?? lines.findLast(line => line.type === `ai-title`)?.aiTitle;
    if (title === undefined || lines.find(line => line.entrypoint !== undefined)?.entrypoint !== `cli`)
      return null;
    return machine.withCopy(machine.claudeHome, async () => {
      // Two sessions of one title are both not found: the same recorded prompt, mirrored from several agents.
      const kept = transcriptIn(machine, id);
      for (const file of await readdir(path.join(machine.claudeHome, `projects`), {recursive: true}))
        if (file.endsWith(`.jsonl`) && path.join(machine.claudeHome, `projects`, file) !== kept)
          await rm(path.join(machine.claudeHome, `projects`, file));
      const found = await runClaude(machine, {prompt: `continue`, resume: title, script: {turns: [{text: `Continued.`}]}, args: [`--settings`, `{"disableAllHooks":true}`], ...cwd === undefined ? {} : {cwd}});
      return found.session === id && found.requests.length > 0 ? title : null;
    });
  },

  async goOn(machine, id, prompt, turns, cwd) {
    const session = await run(machine, {prompt, turns, resume: id, ...cwd === undefined ? {} : {cwd}});
    if (session !== id)
      throw new Error(`claude --resume ${id} went on in ${session}`);
  },

  begin: (machine, prompt, turns, cwd) => run(machine, {prompt, turns, ...cwd === undefined ? {} : {cwd}}),

  async place(machine, name) {
    const recorded = `/home/alice/${await fixtureProject(name)}`;
    const folder = path.join(machine.claudeHome, `projects`, slugOf(machine.project));
    const fresh = path.join(folder, `placing`);
    await mkdir(folder, {recursive: true});
    await cp(path.join(FIXTURES, name), fresh, {recursive: true});
    const names: {[recorded: string]: string} = {[recorded]: machine.project, [slugOf(recorded)]: slugOf(machine.project), '/home/alice': machine.home};
    for (const file of await readdir(fresh, {recursive: true})) {
      const full = path.join(fresh, file);
      if (!(await stat(full)).isFile())
        continue;
      const text = await readFile(full, `utf8`);
      // One pass, because a home here ends like the recorded one.
      await writeFile(full, text.replace(new RegExp(`${recorded}(?![\\w-])|${slugOf(recorded)}(?![\\w-])|/home/alice(?=/)`, `g`), match => names[match]!), {mode: 0o600});
    }
    const transcript = (await readdir(fresh)).find(file => file.endsWith(`.jsonl`))!;
    for (const entry of await readdir(fresh))
      await rename(path.join(fresh, entry), path.join(folder, entry));
    await rmdir(fresh);
    return transcript.slice(0, -`.jsonl`.length);
  },
};
