import type {IncomingMessage, ServerResponse} from 'node:http';
import type {Heard}            from './_heard.ts';
import {Model, json}           from './_model.ts';
import type {Body}             from './_model.ts';

/** Amp's service as far as `amp threads import` and `amp threads export` of 0.0.1790142911 ask it. */
export class AmpService extends Model {
  /** Threads that were uploaded, in order. */
  readonly uploads: Array<Body> = [];
  private readonly known = new Map<string, string>();

  static async start(mode: `ok` | `disabled` = `ok`): Promise<AmpService> {
    const service = new AmpService(mode);
    await service.listen();
    return service;
  }

  private constructor(private readonly mode: `ok` | `disabled`) {
    super({turns: []});
  }

  /** What a person who is logged in has in their environment. */
  get env() {
    return {AMP_URL: this.url, AMP_API_KEY: `sgamp_none`};
  }

  protected async answer(path: string, body: Body, request: IncomingMessage, response: ServerResponse) {
    const query = new URL(request.url ?? `/`, this.url).searchParams;
    if (path === `/api/internal`) {
      const user = {id: `user_1`, email: `alice@example.org`, firstName: `Alice`, emailVerified: true, username: `alice`, siteAdmin: false, features: [], teams: [], workspace: null};
      return json(response, 200, {ok: true, result: query.has(`getUserInfo`) ? user : {}});
    }
    if (path !== `/api/thread-imports`)
      return json(response, 404, {error: `not found`});
    if (this.mode === `disabled`)
      return json(response, 403, {code: `THREAD_IMPORTS_DISABLED`});
    if (request.method === `GET`) {
      const asked = (query.get(`sourceThreadIDs`) ?? ``).split(`,`);
      return json(response, 200, {imported: Object.fromEntries(asked.flatMap(id => this.known.has(id) ? [[id, this.known.get(id)!]] : []))});
    }
    const thread = `T-5e551000-0000-4000-8000-${String(this.uploads.length).padStart(12, `0`)}`;
    this.uploads.push(body);
    this.known.set(body.source.sourceThreadID, thread);
    return json(response, 200, {threadID: thread, alreadyImported: false});
  }
}

/** The messages of an uploaded thread, as its model would read them. */
export function heardByAmp(upload: Body): Array<Heard> {
  return (upload.messages as Array<Body>).flatMap(message => (message.content as Array<Body>).flatMap((block): Array<Heard> => {
    switch (block.type) {
      case `text`: return [{kind: message.role === `assistant` ? `reply` : `prompt`, text: block.text}];
      case `thinking`: return [{kind: `reasoning`, text: block.thinking}];
      case `tool_use`: return [{kind: `call`, id: block.id, name: block.name, input: block.input}];
      case `tool_result`: return [{kind: `result`, id: block.toolUseID, text: textOf(block.run), images: [], error: block.run.status !== `done`}];
      case `image`: return [{kind: `image`, data: block.source?.data ?? ``}];
      default: throw new Error(`a block of type ${block.type} in an uploaded thread`);
    }
  }));
}

function textOf(run: Body): string {
  const {result} = run;
  if (run.status !== `done`)
    return run.error?.message ?? run.reason ?? ``;
  return typeof result === `string` ? result : result?.content ?? result?.output ?? result?.diff ?? JSON.stringify(result);
}
