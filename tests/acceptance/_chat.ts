import type {IncomingMessage, ServerResponse} from 'node:http';
import type {Heard}            from './_heard.ts';
import {Model, json, pieces, sleep} from './_model.ts';
import type {Body, Script, Turn} from './_model.ts';

/** OpenAI's Chat Completions API as many agents use it: `POST …/chat/completions`, streaming or not, and `GET …/models`. */
export class ChatModel extends Model {
  private serial = 0;

  /** `isMain` tells requests of the conversation from those beside it (titles, summaries); default: those that offer tools. */
  static async start(script: Script, isMain: (body: Body) => boolean = body => (body?.tools?.length ?? 0) > 0): Promise<ChatModel> {
    const model = new ChatModel(script, isMain);
    await model.listen();
    return model;
  }

  private constructor(script: Script, private readonly isMain: (body: Body) => boolean) {
    super(script);
  }

  protected async answer(path: string, body: Body, request: IncomingMessage, response: ServerResponse) {
    if (request.method === `GET` && path.endsWith(`/models`))
      return json(response, 200, {object: `list`, data: [{id: `fake-model`, object: `model`, owned_by: `nobody`}]});
    if (request.method !== `POST` || !path.endsWith(`/chat/completions`))
      return json(response, 404, {error: {message: `not found`, type: `invalid_request_error`}});

    const turn: Turn = this.isMain(body) ? this.next(body, ``) : {text: `ok`};
    if (turn.delayMs)
      await sleep(turn.delayMs);
    if (turn.status)
      return json(response, turn.status, {error: {message: `scripted error`, type: `server_error`}});
    return this.reply(turn, body, response);
  }

  private async reply(turn: Turn, body: Body, response: ServerResponse) {
    const id = `chatcmpl-${this.id()}`;
    const calls = (turn.calls ?? []).map((call, index) => ({
      index, id: call.id ?? `call_${this.id()}`, type: `function`, function: {name: call.name, arguments: JSON.stringify(call.input)},
    }));
    const reason = calls.length > 0 ? `tool_calls` : `stop`;
    const usage = {prompt_tokens: 100, completion_tokens: 10, total_tokens: 110};
    const common = {id, created: 1_790_000_000, model: body.model};
    if (!body.stream) {
      const message = {role: `assistant`, content: turn.text ?? null, ...calls.length > 0 ? {tool_calls: calls.map(({index: _, ...call}) => call)} : {}};
      return json(response, 200, {...common, object: `chat.completion`, choices: [{index: 0, message, finish_reason: reason}], usage});
    }

    response.writeHead(200, {'content-type': `text/event-stream`, 'cache-control': `no-cache`});
    const send = (delta: object, finish: string | null = null) =>
      response.write(`data: ${JSON.stringify({...common, object: `chat.completion.chunk`, choices: [{index: 0, delta, finish_reason: finish}]})}\n\n`);
    send({role: `assistant`, content: ``});
    if (turn.thinking !== undefined)
      send({reasoning_content: turn.thinking});
    for (const piece of turn.text === undefined ? [] : pieces(turn.text))
      send({content: piece});
    if (turn.hang)
      return;
    for (const call of calls)
      send({tool_calls: [call]});
    send({}, reason);
    response.write(`data: ${JSON.stringify({...common, object: `chat.completion.chunk`, choices: [], usage})}\n\n`);
    response.end(`data: [DONE]\n\n`);
  }

  private id() {
    return `${process.hrtime.bigint().toString(36)}${(this.serial++).toString(36).padStart(4, `0`)}`;
  }
}

/**
 * The history in a chat request. `context` says which user texts the agent makes afresh on each start; `unwrap` takes off
 * what it puts around a text of the person. The last prompt that reads `prompt` is the one that made the request.
 */
export function heardByChat(body: Body, prompt: string, {context = () => false, unwrap = text => text}: {context?: (text: string) => boolean; unwrap?: (text: string) => string} = {}): Array<Heard> {
  const heard: Array<Heard> = [];
  for (const message of body.messages as Array<Body>) {
    const {text, images} = contentOf(message.content);
    switch (message.role) {
      case `system`:
      case `developer`: break;
      case `user`:
        for (const part of text)
          if (!context(part))
            heard.push({kind: `prompt`, text: unwrap(part)});
        heard.push(...images.map(data => ({kind: `image` as const, data})));
        break;
      case `assistant`: {
        const reasoning = message.reasoning_content ?? message.reasoning;
        if (typeof reasoning === `string` && reasoning !== ``)
          heard.push({kind: `reasoning`, text: reasoning});
        heard.push(...text.filter(part => part !== ``).map(part => ({kind: `reply` as const, text: part})));
        for (const call of message.tool_calls ?? [])
          heard.push({kind: `call`, id: call.id, name: call.function.name, input: parsed(call.function.arguments)});
        break;
      }
      case `tool`: heard.push({kind: `result`, id: message.tool_call_id, text: text.join(`\n`), images, error: false}); break;
      default: throw new Error(`a message of role ${message.role} in a chat request`);
    }
  }
  const last = heard.findLastIndex(item => item.kind === `prompt` && (item.text.trim() === prompt || item.text.trim().endsWith(`\n${prompt}`)));
  if (last === -1)
    throw new Error(`the request does not hold the prompt ${JSON.stringify(prompt)}`);
  const asked = heard[last] as Heard & {kind: `prompt`};
  // Some agents make one message of prompts that follow one another.
  const rest = asked.text.trim().slice(0, -prompt.length).trim();
  return heard.flatMap((item, index) => index !== last ? [item] : rest === `` ? [] : [{kind: `prompt`, text: rest}]);
}

function contentOf(content: Body): {text: Array<string>; images: Array<string>} {
  if (typeof content === `string`)
    return {text: [content], images: []};
  const parts: Array<Body> = content ?? [];
  return {
    text: parts.flatMap(part => part.type === `text` ? [part.text] : []),
    images: parts.flatMap(part => part.type === `image_url` ? [String(part.image_url.url).replace(/^data:[^,]*,/, ``)] : []),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
