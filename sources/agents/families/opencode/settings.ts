import {constants}                from 'node:fs';
import {access}                   from 'node:fs/promises';
import path                       from 'node:path';

import {parse}                    from 'jsonc-parser';

import type {Json}                from '../../../interchange/index.ts';
import {isCode, readIfThere}      from '../../../system/files.ts';
import {findProgram}              from '../../../system/programs.ts';
import {isObject}                 from '../../values.ts';
import type {Machine}             from '../../types.ts';

import {configFolder, dataFolder, stateFolder} from './places.ts';
import {setting}                  from './variant.ts';
import type {Variant}             from './variant.ts';

/** The agent's folder, or the one that it would be made in, cannot be written to; or there is no program to write with. */
export class StoreNotWritableError extends Error {
  readonly code = `STORE_NOT_WRITABLE`;
}

/** `{providerID, modelID}` of the model that the person works with. */
export type Model = {providerID: string; modelID: string};

/** `{model?}`: what the person's own settings name, or else what was chosen last. */
export async function prepare(machine: Machine, variant: Variant): Promise<Json> {
  await assertWritable(dataFolder(machine, variant));
  if (await findProgram(machine, variant.program) === undefined)
    throw new StoreNotWritableError(`${variant.program} is not on PATH: only it can write its database`);

  const model = modelIn(setting(machine, variant, `CONFIG_CONTENT`)) ?? await modelInFiles(configFiles(machine, variant)) ?? await lastModel(machine, variant);
  return model === undefined ? {} : {model};
}

/** The model for a session in this folder: a project may have settings of its own. */
export async function modelFor(folder: string, settings: Json, variant: Variant): Promise<Model | undefined> {
  const names = [`${variant.program}.jsonc`, `${variant.program}.json`];
  const own = [`.${variant.program}`, ``].flatMap(below => names.map(name => path.join(folder, below, name)));
  const known = isObject(settings) ? settings.model : undefined;
  return await modelInFiles(own).catch(() => undefined) ?? (isModel(known) ? known : undefined);
}

/** The one that counts most first. */
function configFiles(machine: Machine, variant: Variant): Array<string> {
  const folder = configFolder(machine, variant);
  const other = setting(machine, variant, `CONFIG_DIR`);
  const names = [`${variant.program}.jsonc`, `${variant.program}.json`];
  const single = setting(machine, variant, `CONFIG`);
  return [
    ...other === undefined ? [] : names.map(name => path.resolve(other, name)),
    ...single === undefined ? [] : [path.resolve(single)],
    ...[...names, `config.json`].map(name => path.join(folder, name)),
  ];
}

async function modelInFiles(files: Array<string>): Promise<Model | undefined> {
  for (const file of files) {
    const model = modelIn(await readIfThere(file));
    if (model !== undefined)
      return model;
  }
  return undefined;
}

export function modelIn(text: string | null | undefined): Model | undefined {
  if (text === null || text === undefined)
    return undefined;
  const config: unknown = parse(text.replace(/^\ufeff/, ``), [], {allowTrailingComma: true});
  const model = typeof config === `object` && config !== null ? (config as {model?: unknown}).model : undefined;
  // A provider never has a slash in its name, a model may.
  const match = typeof model === `string` ? /^([^/{}]+)\/([^{}]+)$/.exec(model) : null;
  return match === null ? undefined : {providerID: match[1]!, modelID: match[2]!};
}

/** What the person chose last in the terminal: without a configured one the agent itself takes that (1.18.33). */
async function lastModel(machine: Machine, variant: Variant): Promise<Model | undefined> {
  try {
    const {recent} = JSON.parse(await readIfThere(path.join(stateFolder(machine, variant), `model.json`)) ?? `{}`) as {recent?: Array<Json>};
    const found = recent?.find(isModel) as Model | undefined;
    return found === undefined ? undefined : {providerID: found.providerID, modelID: found.modelID};
  } catch {
    return undefined;
  }
}

function isModel(value: Json | undefined): value is Model {
  return isObject(value) && typeof value.providerID === `string` && value.providerID !== `` && typeof value.modelID === `string` && value.modelID !== ``;
}

async function assertWritable(store: string) {
  for (let folder = store; ; folder = path.dirname(folder)) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      if (isCode(error, `ENOENT`) && path.dirname(folder) !== folder)
        continue;
      throw new StoreNotWritableError(`Cannot write to ${folder}: ${(error as NodeJS.ErrnoException).code ?? `unknown error`}`);
    }
  }
}
