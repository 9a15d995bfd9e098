import type {IncomingMessage, ServerResponse} from 'node:http';
import {Model, event, json, pieces, sleep} from './_model.ts';
import type {Body, Script, Turn}       from './_model.ts';

type Block =
  | {type: `text`; text: string}
  | {type: `thinking`; thinking: string; signature: string}
  | {type: `tool_use`; id: string; name: string; input: unknown};

/** The Messages API as Claude Code 2.1.330 uses it: streaming `POST /v1/messages?beta=true`, and token counts. */
export class AnthropicModel extends Model {
  private serial = 0;

  static async start(script: Script): Promise<AnthropicModel> {
    const model = new AnthropicModel(script);
    await model.listen();
    return model;
  }

  protected async answer(path: string, body: Body, request: IncomingMessage, response: ServerResponse) {
    if (request.method === `POST` && path === `/v1/messages/count_tokens`)
      return json(response, 200, {input_tokens: 100});
    if (request.method !== `POST` || path !== `/v1/messages`)
      return json(response, 404, {type: `error`, error: {type: `not_found_error`, message: `not found`}});

    const turn = this.choose(body);
    if (turn.delayMs)
      await sleep(turn.delayMs);
    if (turn.status)
      return json(response, turn.status, {type: `error`, error: {type: `api_error`, message: `scripted error`}});
    return this.stream(turn, body, response);
  }

  private choose(body: Body): Turn {
    const messages: Array<Body> = body.messages ?? [];
    if (/create a detailed summary of|CRITICAL: Respond with TEXT ONLY/i.test(textOf(messages.at(-1)?.content)))
      return {text: `<analysis>scripted</analysis>\n<summary>Scripted summary: the cart was tidied up.</summary>`};
    // Requests beside the conversation (titles, topics) offer no tools.
    if (!body.tools?.length)
      return {text: `ok`};
    return this.next(body, textOf(messages.find(message => message.role === `user`)?.content));
  }

  private async stream(turn: Turn, body: Body, response: ServerResponse) {
    const blocks = this.blocks(turn);
    const usage = {input_tokens: 1000, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1, service_tier: `standard`};
    const message = {id: `msg_${this.id()}`, type: `message`, role: `assistant`, model: body.model, content: [], stop_reason: null, stop_sequence: null, usage};
    const stop = turn.calls?.length ? `tool_use` : `end_turn`;
    if (!body.stream)
      return json(response, 200, {...message, content: blocks, stop_reason: stop});

    response.writeHead(200, {'content-type': `text/event-stream`, 'cache-control': `no-cache`, 'request-id': `req_${this.id()}`});
    event(response, `message_start`, {message});
    for (const [index, block] of blocks.entries()) {
      event(response, `content_block_start`, {index, content_block: empty(block)});
      for (const delta of deltas(block))
        event(response, `content_block_delta`, {index, delta});
      // An answer that hangs does so inside its last block, like one that is still being written.
      if (turn.hang && index === blocks.length - 1)
        return;
      event(response, `content_block_stop`, {index});
    }
    event(response, `message_delta`, {delta: {stop_reason: stop, stop_sequence: null}, usage: {output_tokens: 100}});
    event(response, `message_stop`, {});
    response.end();
  }

  private blocks(turn: Turn): Array<Block> {
    return [
      ...turn.thinking === undefined ? [] : [{type: `thinking` as const, thinking: turn.thinking, signature: `c2NyaXB0ZWQ=`}],
      ...turn.text === undefined ? [] : [{type: `text` as const, text: turn.text}],
      ...(turn.calls ?? []).map(call => ({type: `tool_use` as const, id: call.id ?? `toolu_${this.id()}`, name: call.name, input: call.input})),
    ];
  }

  private id() {
    // Unlike the ids of another run against the same session: Claude Code drops a second call of the same id (2.1.330).
    return `${process.hrtime.bigint().toString(36)}${(this.serial++).toString(36).padStart(4, `0`)}`;
  }
}

function empty(block: Block) {
  switch (block.type) {
    case `text`: return {type: `text`, text: ``};
    case `thinking`: return {type: `thinking`, thinking: ``, signature: ``};
    case `tool_use`: return {...block, input: {}};
  }
}

function deltas(block: Block): Array<object> {
  switch (block.type) {
    case `text`: return pieces(block.text).map(text => ({type: `text_delta`, text}));
    case `thinking`: return [...pieces(block.thinking).map(thinking => ({type: `thinking_delta`, thinking})), {type: `signature_delta`, signature: block.signature}];
    case `tool_use`: return pieces(JSON.stringify(block.input)).map(partial_json => ({type: `input_json_delta`, partial_json}));
  }
}

/** All text of a message's content, tool results included. */
export function textOf(content: Body): string {
  if (typeof content === `string`)
    return content;
  if (!Array.isArray(content))
    return ``;
  return content.map(block => block.type === `text` ? block.text : block.type === `tool_result` ? textOf(block.content) : ``).join(`\n`);
}
