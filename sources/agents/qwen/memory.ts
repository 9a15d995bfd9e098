import type {JsonObject}  from '../../interchange/index.ts';

/** What one record gave the model: a part of an answer, a result (both with the call, where there is one), or a user message. */
export type Said = {as: `answer` | `result`; part: JsonObject; call?: string} | {as: `user`; parts: Array<JsonObject>};

/** Begin of the answer that 0.24.4 puts after its own summaries, and what it adds to them. */
export const ACKNOWLEDGED = `Got it. Thanks for the additional context!`;
export const TRAILER = `Resume the prior task using the summary above. Continue from the last in-flight step; do not acknowledge the summary, do not re-introduce, do not greet the user again.`;

/**
 * The history that a `chat_compression` puts in place of everything before it. `kept`: what stays, in order. `open`:
 * calls whose results are still to come; any other call without its result, and the other way round, is left out.
 */
export function compressedHistory(summary: string, kept: Array<Said>, open: Set<string>): Array<JsonObject> {
  const of = (as: `answer` | `result`) => new Set(kept.flatMap(said => said.as === as && said.call !== undefined ? [said.call] : []));
  const asked = of(`answer`);
  const answered = of(`result`);

  const contents: Array<{role: string; parts: Array<JsonObject>; as: Said[`as`]}> = [
    {role: `user`, parts: [{text: `${summary}\n\n${TRAILER}`}], as: `user`},
    {role: `model`, parts: [{text: ACKNOWLEDGED}], as: `answer`},
  ];
  for (const said of kept) {
    if (said.as === `user`) {
      contents.push({role: `user`, parts: said.parts, as: `user`});
      continue;
    }
    if (said.call !== undefined && !(said.as === `answer` ? answered.has(said.call) || open.has(said.call) : asked.has(said.call)))
      continue;
    const last = contents.at(-1)!;
    // What follows the acknowledgement begins an answer of its own, so that the two are not read as one text.
    if (last.as === said.as && contents.length > 2)
      last.parts.push(said.part);
    else
      contents.push({role: said.as === `answer` ? `model` : `user`, parts: [said.part], as: said.as});
  }
  return contents.map(({role, parts}) => ({role, parts}));
}
