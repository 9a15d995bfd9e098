import type {Piece} from './lines.ts';

export type Kept = {
  /** Messages as JSON texts, in an order that the API takes. */
  messages: Array<string>;
  /** Calls in them that still wait for a result. */
  waiting: Set<string>;
  /** Some of the results of the last calls are there already. */
  answered: boolean;
};

/**
 * The messages that a compaction keeps, as a history of its own: no result without its call, no call whose result came and
 * is not kept, and all that the model said at once before the first result of it. `open`: calls that wait for a result.
 */
export function keptMessages(items: Array<string>, open: Set<string>): Kept {
  const parsed = items.map(text => ({text, ...idsIn(text)}));
  const called = new Set(parsed.flatMap(({call}) => call ?? []));
  const answered = new Set(parsed.flatMap(({answer}) => answer ?? []));

  const messages: Array<string> = [];
  const waiting = new Set<string>();
  let first = -1;
  for (const {text, model, call, answer} of parsed) {
    if (answer !== undefined) {
      if (!called.has(answer) || !waiting.delete(answer))
        continue;
      if (first === -1)
        first = messages.length;
      messages.push(text);
      if (waiting.size === 0)
        first = -1;
      continue;
    }

    if (call !== undefined && !answered.has(call) && !open.has(call))
      continue;
    if (model && first !== -1)
      messages.splice(first++, 0, text);
    else
      messages.push(text);
    if (call !== undefined)
      waiting.add(call);
  }
  return {messages, waiting, answered: first !== -1};
}

function idsIn(text: string): {model: boolean; call?: string; answer?: string} {
  const {type, content} = JSON.parse(text) as {type: string; content: Array<Piece> | string};
  for (const piece of typeof content === `string` ? [] : content) {
    const call = piece.functionCall as {id: string} | undefined;
    const answer = piece.functionResponse as {id: string} | undefined;
    if (call !== undefined)
      return {model: true, call: call.id};
    if (answer !== undefined)
      return {model: false, answer: answer.id};
  }
  return {model: type === `gemini`};
}
