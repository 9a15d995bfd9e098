import type {Json, JsonObject} from '../../interchange/index.ts';

/** Of one tool's output; the document is for a model to read, not a second store. */
const LONGEST_OUTPUT = 8_000;

const INTRODUCTION = [
  `# A session to go on with`,
  ``,
  `What follows is a session of a coding agent in this project: what was asked, what was answered, what was run and what came of it. Go on from its end.`,
  ``,
].join(`\n`);

/**
 * A transcript in Claude Code's format as a document that is read by a model: what is left when Amp does not take the
 * session itself.
 */
export function handOff(transcript: string): string {
  const pieces = transcript.split(`\n`).flatMap(line => {
    const record = parse(line);
    const message = record?.message;
    if (typeof message !== `object` || message === null || Array.isArray(message))
      return [];
    const content = typeof message.content === `string` ? [{type: `text`, text: message.content}] : Array.isArray(message.content) ? message.content : [];
    return content.flatMap(block => pieceOf(block, message.role === `assistant`));
  });
  return `${INTRODUCTION}${pieces.join(`\n\n`)}\n`;
}

function pieceOf(block: Json, isAnswer: boolean): Array<string> {
  if (typeof block !== `object` || block === null || Array.isArray(block))
    return [];
  switch (block.type) {
    case `text`: return typeof block.text === `string` && block.text.trim() !== `` ? [`## ${isAnswer ? `Answer` : `Prompt`}\n\n${block.text}`] : [];
    case `tool_use`: return [`### ${String(block.name)}\n\n${fenced(JSON.stringify(block.input, null, 2))}`];
    case `tool_result`: return [`${block.is_error === true ? `Failed:` : `Output:`}\n\n${fenced(shortened(textOf(block.content)))}`];
    case `image`: return [`(an image, left out here)`];
    default: return [];
  }
}

function textOf(content: Json | undefined): string {
  if (typeof content === `string`)
    return content;
  return Array.isArray(content) ? content.map(part => (part as JsonObject | null)?.text ?? `(no text)`).join(`\n`) : ``;
}

function shortened(text: string) {
  return text.length <= LONGEST_OUTPUT ? text : `${text.slice(0, LONGEST_OUTPUT / 2)}\n[… ${text.length - LONGEST_OUTPUT} characters are left out …]\n${text.slice(-LONGEST_OUTPUT / 2)}`;
}

/** A fence that nothing in the text ends. */
function fenced(text: string) {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = `\``.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

function parse(line: string): JsonObject | null {
  try {
    const value = JSON.parse(line) as Json;
    return typeof value === `object` && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
