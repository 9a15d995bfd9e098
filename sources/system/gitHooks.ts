import {lstat, mkdir, readFile, rename, stat, unlink} from 'node:fs/promises';
import path                                           from 'node:path';

import {isCode, writeAtomic}                          from './files.ts';

/**
 * How our part lies in a hook of git.
 *
 * - `absent`: there is no such hook.
 * - `foreign`: there is one, without us.
 * - `own`: the whole file is ours.
 * - `within`: our lines stand in somebody's shell script, after its first line. It runs itself with them out of the way,
 *   so that name, arguments, standard input and output of the hook are what they were.
 * - `beside`: the file is ours and runs the one that was there, which lies beside it: programs, other languages, links.
 */
export type HookForm = `absent` | `foreign` | `own` | `within` | `beside`;

/** What a person can mend: a hook that we cannot join without changing what it does. */
export class HookError extends Error {
  readonly code = `HOOK_LEFT_ALONE`;
}

const FIRST = `#!/bin/sh\n`;
const BLOCK = /^# session-sync: begin (own|within|beside)\b[^\n]*\n(?:[^\n]*\n)*?# session-sync: end\n/m;
const SHELL = /^#![ \t]*(?:\/usr\/bin\/env[ \t]+(?:-S[ \t]+)?)?(?:\/[^\s]*\/)?(?:ba|da|z|k|mk|a)?sh(?:[ \t]+-\w+)*[ \t]*\n/;
/** Scripts that hand themselves to another program, which would read our lines too. */
const HANDED_ON = /\bexec\b[^\n]*\$\{?0\b|^(?:'''|""")/m;
/** A hook that asks for its own name would get the wrong one beside us. */
const BY_NAME = /basename|\bargv\s*\[\s*0\s*\]|PROGRAM_NAME|\$\{0##/;

/** Where the hook that was there lies, when ours is in its place. */
export function previousHook(folder: string, name: string) {
  return path.join(folder, `${name}.session-sync-previous`);
}

export async function hookForm(folder: string, name: string): Promise<HookForm> {
  return (await look(path.join(folder, name))).form;
}

/** Does the hook, whoever's it is, have this text in it? For hooks that people write themselves. */
export async function hookMentions(file: string, text: string): Promise<boolean> {
  return await readFile(file, `latin1`).then(content => content.includes(text), () => false);
}

/**
 * Puts our part into a hook of `folder`: it calls `script` (an absolute path, called by the way from `folder`, so that both
 * may be moved) with the hook's name and arguments, after the hook that was there and only when that succeeded. Running
 * it again changes nothing, or brings our lines up to date. Resolves to the form, and whether something changed (with
 * `dryRun`: would change).
 *
 * Throws HookError where the hook is one that we would change by this.
 */
export async function installHook(folder: string, name: string, {script, dryRun = false}: {script: string; dryRun?: boolean}): Promise<{form: HookForm; changed: boolean}> {
  const file = path.join(folder, name);
  const previous = previousHook(folder, name);
  const call = callOf(path.relative(folder, script), name);
  const found = await look(file);

  if (found.block !== null) {
    const form = found.form as keyof typeof TEXTS;
    const text = found.text!.replace(BLOCK, () => TEXTS[form](name, call));
    const changed = text !== found.text;
    if (changed && !dryRun)
      await writeHook(file, text, found.mode);
    return {form, changed};
  }

  const aside = await lstat(previous).catch(ignoreMissing) !== undefined;
  if (found.form === `foreign` && aside)
    throw new HookError(`${file} has taken our place, and ${path.basename(previous)} lies beside it: remove the one that is not wanted`);

  let form: `own` | `within` | `beside` = aside ? `beside` : `own`;
  if (found.form === `foreign`)
    form = await joinOf(file, found);
  if (dryRun)
    return {form, changed: true};

  await mkdir(folder, {recursive: true});
  if (form === `within`) {
    const at = found.text!.startsWith(`#!`) ? found.text!.indexOf(`\n`) + 1 : 0;
    await writeHook(file, `${found.text!.slice(0, at)}${TEXTS.within(name, call)}${found.text!.slice(at)}`, found.mode);
    return {form, changed: true};
  }

  if (found.form === `foreign`)
    await rename(file, previous);
  try {
    await writeHook(file, `${FIRST}${TEXTS[form](name, call)}`, 0o755);
  } catch (error) {
    if (found.form === `foreign`)
      await rename(previous, file);
    throw error;
  }
  return {form, changed: true};
}

/**
 * Takes our part out again: the hook that was there is what it was, byte for byte, with its mode. Resolves to whether
 * something changed (with `dryRun`: would change).
 *
 * Throws HookError where somebody has changed our lines or taken our place.
 */
export async function removeHook(folder: string, name: string, {dryRun = false}: {dryRun?: boolean} = {}): Promise<boolean> {
  const file = path.join(folder, name);
  const previous = previousHook(folder, name);
  const found = await look(file);
  const aside = await lstat(previous).catch(ignoreMissing) !== undefined;

  if (found.block === null) {
    if (found.form === `foreign` && found.text?.includes(`# session-sync: begin`))
      throw new HookError(`${file} was left as it is: our lines in it were changed`);
    if (found.form === `foreign` && aside)
      throw new HookError(`${file} was left as it is: it has taken our place, and ${path.basename(previous)} lies beside it`);
    if (aside && !dryRun)
      await rename(previous, file);
    return aside;
  }

  const rest = found.text!.replace(BLOCK, ``);
  if (found.form === `beside` && rest !== FIRST && aside)
    throw new HookError(`${file} was left as it is: it has lines of yours beside ours, and ${path.basename(previous)} is the hook that was there`);
  if (dryRun)
    return true;

  if (found.form === `beside` && aside)
    await rename(previous, file);
  else if (found.form !== `within` && rest === FIRST)
    await unlink(file);
  else
    await writeHook(file, rest, found.mode);
  return true;
}

type Found = {form: HookForm; text: string | null; block: string | null; mode: number; link: boolean};

/** Read as single bytes: whatever the encoding, what is not ours goes back as it came. */
async function look(file: string): Promise<Found> {
  const info = await lstat(file).catch(ignoreMissing);
  if (info === undefined)
    return {form: `absent`, text: null, block: null, mode: 0, link: false};
  if (!info.isFile() && !info.isSymbolicLink())
    throw new HookError(`${file} was left as it is: it is no file`);

  const link = info.isSymbolicLink();
  const text = await readFile(file, `latin1`).catch(ignoreMissing) ?? null;
  const match = link || text === null ? null : BLOCK.exec(text);
  return {form: match === null ? `foreign` : match[1] as HookForm, text, block: match?.[0] ?? null, mode: info.mode & 0o7777, link};
}

/** How our part can join a hook that is there. */
async function joinOf(file: string, {text, mode, link}: Found): Promise<`within` | `beside`> {
  const binary = text === null || text.slice(0, 8000).includes(`\0`);
  const script = !binary && (SHELL.test(text) || !text.startsWith(`#!`) && text !== ``);
  if (script && !link && (mode & 0o111) !== 0 && !text.includes(`\r\n`) && !HANDED_ON.test(text))
    return `within`;

  const runs = await stat(file).then(info => (info.mode & 0o111) !== 0, () => false);
  if (runs && (binary ? link : BY_NAME.test(text)))
    throw new HookError(`${file} was left as it is: it goes by its own name, which it would not have beside ours`);
  return `beside`;
}

const BEGIN = (form: string) => `# session-sync: begin ${form} (\`session-sync init\` writes these lines, \`session-sync uninit\` takes them out)\n`;
const END = `# session-sync: end\n`;

const TEXTS = {
  own: (_name: string, call: string) => `${BEGIN(`own`)}${call}${END}`,
  within: (name: string, call: string) => `${BEGIN(`within`)}if [ "\${SESSION_SYNC_HOOK-}" != ${name} ] && [ -x "$0" ]; then
  SESSION_SYNC_HOOK=${name} "$0" "$@" || exit "$?"
  ${call}  exit 0
fi
unset SESSION_SYNC_HOOK
${END}`,
  beside: (name: string, call: string) => `${BEGIN(`beside`)}if [ -x "\${0%/*}/${name}.session-sync-previous" ]; then
  "\${0%/*}/${name}.session-sync-previous" "$@" || exit "$?"
fi
${call}${END}`,
};

/** The number of the git process tells when the user's own work is done. */
function callOf(way: string, name: string) {
  if (!/^[\w./-]+$/.test(way))
    throw new HookError(`The way from the hooks to ${way} cannot be written into a script`);
  return `[ ! -r "\${0%/*}/${way}" ] || SESSION_SYNC_GIT=$PPID sh "\${0%/*}/${way}" ${name} "$@" || :\n`;
}

async function writeHook(file: string, text: string, mode: number) {
  await writeAtomic(file, Buffer.from(text, `latin1`), {mode});
}

function ignoreMissing(error: unknown): undefined {
  if (!isCode(error, `ENOENT`, `ENOTDIR`))
    throw error;
}
