import type {Json, JsonObject, Part}  from '../../interchange/index.ts';

import {isObject, stringAt}           from '../values.ts';

/** Content of a message (a string, or blocks) as parts. */
export function partsOf(content: Json | undefined): Array<Part> {
  if (typeof content === `string`)
    return content === `` ? [] : [{type: `text`, text: content}];
  if (!Array.isArray(content))
    return [];
  return content.flatMap(block => typeof block === `string` ? [{type: `text` as const, text: block}] : isObject(block) ? [partOf(block)] : []);
}

function partOf(block: JsonObject): Part {
  if (block.type === `text` && typeof block.text === `string`)
    return {type: `text`, text: block.text};
  const data = stringAt(block, `data`);
  const mediaType = stringAt(block, `mimeType`);
  if (block.type === `image` && data !== undefined && mediaType !== undefined)
    return {type: `image`, mediaType, data};
  return {type: `other`, name: typeof block.type === `string` ? block.type : `unknown`, value: block};
}

export function textOf(parts: Array<Part>): string {
  return parts.flatMap(part => part.type === `text` ? [part.text] : []).join(`\n`);
}

/** What the model is told of a command that the person ran (`!`), word for word as 1.5.2 does. */
export function shellText(message: JsonObject): string {
  const output = stringAt(message, `output`);
  const full = stringAt(message, `fullOutputPath`);
  const code = message.exitCode;
  return [
    `Ran \`${stringAt(message, `command`) ?? ``}\`\n`,
    output ? `\`\`\`\n${output}\n\`\`\`` : `(no output)`,
    message.cancelled === true ? `\n\n(command cancelled)` : typeof code === `number` && code !== 0 ? `\n\nCommand exited with code ${code}` : ``,
    message.truncated === true && full ? `\n\n[Output truncated. Full output: ${full}]` : ``,
  ].join(``);
}

/** What the model is told of a branch that the person left, word for word as 1.5.2 does. */
export function branchText(summary: string): string {
  return `The following is a summary of a branch that this conversation came back from:\n\n<summary>\n${summary}</summary>`;
}
