import type {IncomingMessage, ServerResponse} from 'node:http';
import type {Heard}            from './_heard.ts';
import {Model, json, pieces, sleep} from './_model.ts';
import type {Body, Script, Turn} from './_model.ts';

/** Google's generateContent API as Gemini CLI 0.61.0 uses it: `…:streamGenerateContent?alt=sse`, `…:generateContent`, `…:countTokens`. */
export class GeminiModel extends Model {
  /** Bodies of the requests beside the conversation: routing, titles, summaries. */
  readonly others: Array<Body> = [];
  private serial = 0;

  static async start(script: Script): Promise<GeminiModel> {
    const model = new GeminiModel(script);
    await model.listen();
    return model;
  }

  protected async answer(path: string, body: Body, _request: IncomingMessage, response: ServerResponse) {
    if (path.endsWith(`:countTokens`))
      return json(response, 200, {totalTokens: 100});
    const streamed = path.endsWith(`:streamGenerateContent`);
    if (!streamed && !path.endsWith(`:generateContent`))
      return json(response, 404, {error: {code: 404, message: `not found`, status: `NOT_FOUND`}});

    const turn = this.choose(body);
    if (turn.delayMs)
      await sleep(turn.delayMs);
    if (turn.status)
      return json(response, turn.status, {error: {code: turn.status, message: `scripted error`, status: `INTERNAL`}});

    const chunks = [...this.chunks(turn)];
    const last = {finishReason: `STOP`};
    const usageMetadata = {promptTokenCount: 100, candidatesTokenCount: 10, totalTokenCount: 110};
    const wrap = (parts: Array<Body>, more: object) => ({candidates: [{index: 0, content: {role: `model`, parts}, ...more}], modelVersion: `fake`, responseId: `r${this.serial++}`});
    if (!streamed)
      return json(response, 200, {...wrap(chunks.flat(), last), usageMetadata});

    response.writeHead(200, {'content-type': `text/event-stream`});
    for (const [index, parts] of chunks.entries()) {
      const end = index === chunks.length - 1;
      if (end && turn.hang)
        return;
      response.write(`data: ${JSON.stringify({...wrap(parts, end ? last : {}), ...end ? {usageMetadata} : {}})}\r\n\r\n`);
    }
    response.end();
  }

  private choose(body: Body): Turn {
    const offers = (body?.tools ?? []).some((tool: Body) => tool.functionDeclarations?.length > 0);
    if (offers)
      return this.next(body, textOf(body.contents?.find((content: Body) => content.role === `user`)));
    this.others.push(body);
    if (/state_snapshot/.test(JSON.stringify(body.systemInstruction ?? ``)))
      return {text: `<state_snapshot>\n<overall_goal>Scripted summary: the cart was tidied up.</overall_goal>\n</state_snapshot>`};
    const config = body?.generationConfig ?? {};
    const properties = (config.responseSchema ?? config.responseJsonSchema)?.properties;
    return {text: properties === undefined ? `Scripted title` : JSON.stringify(Object.fromEntries(Object.entries(properties as Body).map(([key, value]) => [key, sample(value)])))};
  }

  private * chunks(turn: Turn): Generator<Array<Body>> {
    if (turn.thinking !== undefined)
      yield [{thought: true, text: `**Thinking** ${turn.thinking}`}];
    for (const piece of turn.text === undefined ? [] : pieces(turn.text))
      yield [{text: piece}];
    for (const [index, call] of (turn.calls ?? []).entries())
      yield [{functionCall: {id: call.id ?? this.id(), name: call.name, args: call.input}, ...index === 0 ? {thoughtSignature: `c2NyaXB0ZWQ=`} : {}}];
    if (turn.text === undefined && !turn.calls?.length || turn.hang)
      yield [{text: ``}];
  }

  private id() {
    return `fc-${process.hrtime.bigint().toString(36)}${(this.serial++).toString(36)}`;
  }
}

function sample(value: Body): unknown {
  if (value.enum)
    return value.enum[0];
  const samples: {[type: string]: unknown} = {number: 1, integer: 1, boolean: false, array: [], object: {}};
  return samples[String(value.type).toLowerCase()] ?? `fake`;
}

function textOf(content: Body): string {
  return (content?.parts ?? []).map((part: Body) => part.text ?? ``).join(`\n`);
}

/** What Gemini CLI 0.61.0 puts before the conversation, afresh on each start. */
const CONTEXT = /^\s*<(session_context|hook_context)>\s*\n/;

/**
 * The history in a generateContent request, without the prompt that made it and what is only there to protect a prompt.
 * `native`: of a session of its own Gemini repeats the results when it is resumed; they are taken once.
 */
export function heardByGemini(body: Body, prompt: string, {native = false}: {native?: boolean} = {}): Array<Heard> {
  const heard: Array<Heard> = [];
  for (const {role, parts} of body.contents as Array<Body>) {
    let result: (Heard & {kind: `result`}) | undefined;
    for (const part of parts as Array<Body>) {
      if (part.functionCall !== undefined) {
        heard.push({kind: `call`, id: part.functionCall.id, name: part.functionCall.name, input: part.functionCall.args});
      } else if (part.functionResponse !== undefined) {
        const {id, response, parts: inner} = part.functionResponse;
        const images = (inner ?? []).flatMap((one: Body) => one.inlineData ? [one.inlineData.data] : []);
        if (native && heard.some(item => item.kind === `result` && item.id === id))
          continue;
        result = {kind: `result`, id, text: String(response.output ?? response.error ?? JSON.stringify(response)), images, error: response.error !== undefined};
        heard.push(result);
      } else if (part.inlineData !== undefined) {
        if (result === undefined)
          heard.push({kind: `image`, data: part.inlineData.data});
        else
          result.images.push(part.inlineData.data);
      } else if (part.thought === true) {
        heard.push({kind: `reasoning`, text: part.text});
      } else if (typeof part.text === `string`) {
        result = undefined;
        if (part.text !== `\u200b` && !(role === `user` && CONTEXT.test(part.text)))
          heard.push({kind: role === `user` ? `prompt` : `reply`, text: part.text});
      } else {
        throw new Error(`a part with ${Object.keys(part).join(`, `)} in a request of Gemini CLI`);
      }
    }
  }

  const last = heard.findLastIndex(item => item.kind === `prompt` && item.text.trim() === prompt);
  if (last === -1)
    throw new Error(`the request does not hold the prompt ${JSON.stringify(prompt)}: ${JSON.stringify(heard.slice(-3)).slice(0, 1_000)}`);
  return heard.filter((_, index) => index !== last);
}
