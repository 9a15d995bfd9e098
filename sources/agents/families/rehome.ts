import {openRegular, readAt} from '../../system/files.ts';

const LONGEST_LINE = 1 << 20;

/** The first line of a file, without its newline; null where there is no whole one of a megabyte. */
export async function firstLineOf(file: string): Promise<string | null> {
  const handle = await openRegular(file).catch(() => null);
  if (handle === null)
    return null;
  try {
    const text = (await readAt(handle, 0, LONGEST_LINE)).toString(`utf8`);
    const end = text.indexOf(`\n`);
    return end === -1 ? null : text.slice(0, end);
  } finally {
    await handle.close();
  }
}

/** JSON text with another value for the first field of this name that is `from`; the rest as it was, to the byte. */
export function renameField(json: string, field: string, from: string, to: string): string {
  const pattern = new RegExp(`("${field}"\\s*:\\s*)${JSON.stringify(from).replaceAll(/[\\^$.*+?()[\]{}|/-]/g, `\\$&`)}`);
  return json.replace(pattern, (_, key: string) => `${key}${JSON.stringify(to)}`);
}
