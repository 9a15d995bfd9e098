import path           from 'node:path';

import type {Machine} from '../types.ts';

const LONGEST_SLUG = 200;

/** Where Claude Code keeps everything. */
export function configRoot(machine: Machine) {
  return path.resolve(machine.env.CLAUDE_CONFIG_DIR || path.join(machine.home, `.claude`));
}

/**
 * Name of a working folder below `projects/`: each UTF-16 unit outside `[A-Za-z0-9]` becomes a dash; a long name is cut
 * and gets a hash of the whole path (2.1.330: 255 characters seen). `folder` must be a real path.
 */
export function slugOf(folder: string) {
  const slug = rawSlug(folder);
  if (slug.length <= LONGEST_SLUG)
    return slug;

  let hash = 0;
  for (let at = 0; at < folder.length; at++)
    hash = (Math.imul(hash, 31) + folder.charCodeAt(at)) | 0;
  return `${slug.slice(0, LONGEST_SLUG)}-${Math.abs(hash).toString(36)}`;
}

/** What the slugs of all folders below this one begin with. */
export function slugPrefix(folder: string) {
  return `${rawSlug(folder).slice(0, LONGEST_SLUG)}-`;
}

function rawSlug(folder: string) {
  return folder.replace(/[^A-Za-z0-9]/g, `-`);
}

export function projectFolder(machine: Machine, cwd: string) {
  return path.join(configRoot(machine), `projects`, slugOf(cwd));
}

/** A name that may stand in a path of ours. */
export function isSafeName(name: string) {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(name);
}

export function isUuid(id: unknown): id is string {
  return typeof id === `string` && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(id);
}
