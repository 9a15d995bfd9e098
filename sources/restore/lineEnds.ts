import {configValue}           from '../store/index.ts';
import type {WorktreeState}    from '../store/types.ts';
import type {Project}          from '../sync/project.ts';

import type {Content}          from './workFiles.ts';

/** The same text with other ends of lines; what is no text stays. */
export function withLineEnds(bytes: Buffer, carriage: boolean): Buffer {
  if (bytes.includes(0))
    return bytes;
  // Byte by byte: the text need not be UTF-8.
  const plain = bytes.toString(`latin1`).replaceAll(`\r\n`, `\n`);
  return Buffer.from(carriage ? plain.replaceAll(`\n`, `\r\n`) : plain, `latin1`);
}

export type AsHere = (content: Content, base: Content | null) => Content;

/**
 * How the files of a snapshot lie here: where git wrote CRLF on that machine only, and does not here, they end in LF, as
 * they would when they came by a commit. Not where the commit itself has CRLF: git leaves such a file as it is.
 */
export async function lineEndsHere({repository, machine}: Project, {autocrlf}: WorktreeState): Promise<AsHere> {
  if (autocrlf !== true || isOn(await configValue(repository, machine.env, `core.autocrlf`)))
    return content => content;
  return (content, base) => content.mode === `120000` || base?.bytes.includes(`\r\n`) ? content : {...content, bytes: withLineEnds(content.bytes, false)};
}

function isOn(value: string | null) {
  return /^(?:true|yes|on|1)$/i.test(value ?? ``);
}
