import type {IncomingMessage, ServerResponse} from 'node:http';
import {Model, event, json, sleep}     from './_model.ts';
import type {Body, Script, Turn}       from './_model.ts';

/** The Responses API as Codex 0.169.0 uses it: streaming `POST /v1/responses`. */
export class ResponsesModel extends Model {
  private serial = 0;

  static async start(script: Script): Promise<ResponsesModel> {
    const model = new ResponsesModel(script);
    await model.listen();
    return model;
  }

  protected async answer(path: string, body: Body, request: IncomingMessage, response: ServerResponse) {
    if (request.method === `GET` && path.endsWith(`/models`))
      return json(response, 200, {object: `list`, data: [], models: []});
    if (request.method !== `POST` || !path.endsWith(`/responses`))
      return json(response, 404, {error: {message: `not found`, type: `invalid_request_error`}});

    // A request for a title carries a schema, and is no part of the conversation.
    const turn: Turn = body?.text?.format?.type === `json_schema` ? {text: `{"title":"Scripted title"}`} : this.next(body, ``);
    if (turn.delayMs)
      await sleep(turn.delayMs);
    if (turn.status)
      return json(response, turn.status, {error: {message: `scripted error`, type: `server_error`, code: `scripted`}});

    const base = {id: `resp_${this.serial++}`, object: `response`, model: body?.model};
    response.writeHead(200, {'content-type': `text/event-stream`, 'cache-control': `no-cache`});
    event(response, `response.created`, {response: {...base, status: `in_progress`, output: []}});
    const items = this.items(turn);
    for (const [output_index, item] of items.entries()) {
      event(response, `response.output_item.added`, {output_index, item});
      if (item.type === `message`)
        event(response, `response.output_text.delta`, {item_id: item.id, output_index, content_index: 0, delta: turn.text});
      if (turn.hang)
        return;
      event(response, `response.output_item.done`, {output_index, item});
    }
    const usage = {input_tokens: 100, input_tokens_details: {cached_tokens: 0}, output_tokens: 10, output_tokens_details: {reasoning_tokens: 0}, total_tokens: 110};
    event(response, `response.completed`, {response: {...base, status: `completed`, output: items, usage}});
    response.end();
  }

  private items(turn: Turn): Array<Body> {
    return [
      ...turn.text === undefined ? [] : [{type: `message`, id: this.id(`msg`), role: `assistant`, status: `completed`, content: [{type: `output_text`, text: turn.text, annotations: []}]}],
      // A call whose input is a text is one of Codex's free-form tools (`apply_patch`).
      ...(turn.calls ?? []).map(call => typeof call.input === `string`
        ? {type: `custom_tool_call`, id: this.id(`ctc`), status: `completed`, call_id: call.id ?? this.id(`call`), name: call.name, input: call.input}
        : {type: `function_call`, id: this.id(`fc`), status: `completed`, call_id: call.id ?? this.id(`call`), name: call.name, arguments: JSON.stringify(call.input)}),
    ];
  }

  private id(prefix: string) {
    return `${prefix}_${process.hrtime.bigint().toString(36)}${(this.serial++).toString(36).padStart(4, `0`)}`;
  }
}
