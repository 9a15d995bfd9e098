import fs                     from 'node:fs';
import path                   from 'node:path';

import {OBJECT_ID}            from './layout.ts';
import {commitTree, parseTree} from './objects.ts';
import type {GitObject, ObjectReader} from './objects.ts';
import {isPartial}            from './repository.ts';
import {StoreError}           from './types.ts';
import type {Repository}      from './types.ts';

/** Extensions that change nothing about how objects and refs are read. */
const HARMLESS = new Set([`noop`, `noop-v1`, `preciousobjects`, `partialclone`, `worktreeconfig`, `relativeworktrees`]);

/**
 * The repository that holds `cwd`, found without git. Throws NOT_A_REPOSITORY; UNSUPPORTED_REPOSITORY where isomorphic-git
 * 1.44 would read it wrong: another object format or ref store, borrowed objects, an extension that is not known.
 */
export async function openWithoutGit(cwd: string): Promise<Repository> {
  let folder = await fs.promises.realpath(cwd).catch(() => null);
  for (; folder !== null; folder = path.dirname(folder) === folder ? null : path.dirname(folder)) {
    const gitDir = await gitDirOf(folder);
    if (gitDir !== null)
      return await describe(gitDir, gitDir === folder ? null : folder);
  }

  throw new StoreError(`NOT_A_REPOSITORY`, `Not in a git repository: ${cwd}`);
}

async function gitDirOf(folder: string): Promise<string | null> {
  const dot  = path.join(folder, `.git`);
  const stat = await fs.promises.stat(dot).catch(() => null);
  if (stat?.isDirectory() && fs.existsSync(path.join(dot, `HEAD`)))
    return await fs.promises.realpath(dot);

  if (stat?.isFile()) {
    const match = /^gitdir: (.+?)\r?\n?$/.exec(await fs.promises.readFile(dot, `utf8`));
    return match ? await fs.promises.realpath(path.resolve(folder, match[1]!)).catch(() => null) : null;
  }

  return [`HEAD`, `objects`, `refs`].every(name => fs.existsSync(path.join(folder, name))) ? folder : null;
}

async function describe(gitDir: string, workTree: string | null): Promise<Repository> {
  const link      = await fs.promises.readFile(path.join(gitDir, `commondir`), `utf8`).catch(() => null);
  const commonDir = link === null ? gitDir : await fs.promises.realpath(path.resolve(gitDir, link.trim()));
  const config    = await fs.promises.readFile(path.join(commonDir, `config`), `utf8`).catch(() => ``);

  let section = ``;
  for (const line of config.split(/\r?\n/)) {
    section = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1]?.toLowerCase() ?? section;
    const match = /^\s*([a-z0-9-]+)\s*=\s*(.*?)\s*$/i.exec(line.replace(/^\s*\[[^\]]*\]/, ``));
    if (!match || section !== `extensions`)
      continue;

    const [name, value] = [match[1]!.toLowerCase(), match[2]!.toLowerCase()];
    if (!HARMLESS.has(name) && !(name === `objectformat` && value === `sha1`) && !(name === `refstorage` && value === `files`))
      throw new StoreError(`UNSUPPORTED_REPOSITORY`, `Without the git program, a repository with extensions.${name} = ${value} cannot be read: install git`);
  }

  if (fs.existsSync(path.join(commonDir, `objects`, `info`, `alternates`)))
    throw new StoreError(`UNSUPPORTED_REPOSITORY`, `Without the git program, a repository that borrows objects of another cannot be read: install git`);

  return {
    workTree, gitDir, commonDir, objectFormat: `sha1`, bare: workTree === null && link === null,
    shallow: fs.existsSync(path.join(commonDir, `shallow`)), partial: await isPartial(commonDir),
  };
}

/** A reader on isomorphic-git, which is loaded only here. For `SessionStore`'s `reader`, where there is no git program. */
export async function openFallback(repo: Repository): Promise<ObjectReader> {
  if (repo.objectFormat !== `sha1`)
    throw new StoreError(`UNSUPPORTED_REPOSITORY`, `Without the git program, a repository with ${repo.objectFormat} objects cannot be read: install git`);

  const {default: git} = await import(`isomorphic-git`);
  // Always the common directory: a worktree's own one has neither the objects nor our refs.
  const place = {fs, gitdir: repo.commonDir, cache: {}};

  const resolve = async (name: string) => OBJECT_ID.test(name) ? name : await git.resolveRef({...place, ref: name}).catch(ignoreMissing);

  const read = async (oid: string, limit: number): Promise<GitObject | null> => {
    const result = await git.readObject({...place, oid, format: `content`}).catch(ignoreMissing);
    if (!result)
      return null;

    const body = Buffer.from(result.object as Uint8Array);
    if (body.length > limit)
      throw new StoreError(`TOO_LARGE`, `${oid} has ${body.length} bytes, more than the ${limit} that are allowed`);

    return {oid, type: result.type, body};
  };

  return {
    async refs(prefixes) {
      const found: Array<{ref: string; oid: string}> = [];
      for (const prefix of prefixes) {
        const folder = prefix.replace(/\/$/, ``);
        for (const name of await git.listRefs({...place, filepath: folder})) {
          const ref = `${folder}/${name}`;
          const oid = ref.endsWith(`.lock`) ? null : await resolve(ref);
          if (oid)
            found.push({ref, oid});
        }
      }
      return found.sort((a, b) => a.ref < b.ref ? -1 : a.ref > b.ref ? 1 : 0);
    },

    async object(name, limit) {
      const colon = name.indexOf(`:`);
      const oid   = await resolve(colon < 0 ? name : name.slice(0, colon));
      if (!oid)
        return null;
      if (colon < 0)
        return await read(oid, limit);

      let object = await read(oid, limit);
      for (const part of name.slice(colon + 1).split(`/`)) {
        const tree  = object?.type === `commit` ? await read(commitTree(object), limit) : object;
        const entry = tree?.type === `tree` ? parseTree(tree.body, 20).find(child => child.name === part) : undefined;
        if (!entry)
          return null;

        object = await read(entry.oid, limit);
      }
      return object;
    },

    async close() {},
  };
}

function ignoreMissing(error: Error & {code?: string}): null {
  if (error.code !== `NotFoundError`)
    throw new StoreError(`BAD_DATA`, `isomorphic-git could not read the repository: ${error.message}`);

  return null;
}
