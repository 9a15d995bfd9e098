import {conversions, lineEndRules} from '../store/index.ts';
import type {LineEndRules}     from '../store/index.ts';
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

export type AsHere = (name: string, content: Content, base: Content | null) => Content;

/**
 * How the files of a snapshot lie here: where git wrote CRLF on that machine only, and does not here, they end in LF, as
 * they would when they came by a commit. Not where the commit itself has CRLF: git leaves such a file as it is.
 */
export async function lineEndsHere({repository, machine}: Project, {autocrlf, files}: WorktreeState): Promise<AsHere> {
  if (autocrlf !== true || (await conversions(repository, machine.env)).autocrlf)
    return (_, content) => content;
  const rules = await lineEndRules(repository, machine.env, files.filter(({change}) => change !== `deleted`).map(file => file.path));
  return (name, content, base) => content.mode === `120000` || base?.bytes.includes(`\r\n`) || !isConverted(content.bytes, rules.get(name)!) ? content
    : {...content, bytes: withLineEnds(content.bytes, false)};
}

/** Did git put the carriage returns into the file there, and does it not here? */
function isConverted(bytes: Buffer, {text, eol}: LineEndRules) {
  if (text === `unset` || eol === `crlf`)
    return false;
  // With a lone one it is no text to git, unless it is told so.
  const isTold = text === `set` || (text === `unspecified` && eol === `lf`);
  return isTold || !/\r(?!\n)/.test(bytes.toString(`latin1`));
}
