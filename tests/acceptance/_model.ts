import {createServer}          from 'node:http';
import type {IncomingMessage, Server, ServerResponse} from 'node:http';
import type {AddressInfo, Socket} from 'node:net';
import {setTimeout as sleep}   from 'node:timers/promises';
import {brotliDecompressSync, gunzipSync, inflateSync} from 'node:zlib';

/** A tool call in an answer of the model. */
export type Call = {name: string; input: unknown; id?: string};

/** One answer of the model. A turn without `calls` ends the agent's work on the prompt. */
export type Turn = {
  thinking?: string;
  text?: string;
  /** Asked for all at once, as parallel calls are. */
  calls?: Array<Call>;
  /** Before the answer begins. */
  delayMs?: number;
  /** Answers so far, then stays silent with the connection open: for turns that are interrupted. */
  hang?: boolean;
  /** An HTTP error instead of an answer. */
  status?: number;
};

export type Script = {
  /** Played in order, one for each request of the main conversation. */
  turns: Array<Turn>;
  /** Conversations of sub-agents, told apart by a text in their first prompt. */
  agents?: {[match: string]: Array<Turn>};
  /** Answer when the script is used up. */
  otherwise?: string;
};

export type Body = any;

/**
 * A stand-in for a model's API on 127.0.0.1, on a port that the system picks. It keeps every request body, so that a test
 * can say what the model was told. `close` ends connections that still hang.
 */
export abstract class Model {
  /** Bodies of the requests of the main conversation. */
  readonly requests: Array<Body> = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly watchers = new Set<() => void>();
  private readonly positions = new Map<string, number>();

  protected constructor(protected readonly script: Script) {
    this.server = createServer((request, response) => {
      this.handle(request, response).catch(() => response.destroy());
    });
    this.server.on(`connection`, socket => {
      this.sockets.add(socket);
      socket.on(`close`, () => this.sockets.delete(socket));
    });
    // Codex's built-in provider tries a WebSocket first, and falls back at once when it is told so (0.169.0).
    this.server.on(`upgrade`, (_request, socket) => {
      socket.on(`error`, () => {});
      socket.end(`HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    });
  }

  get url() {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once(`error`, reject).listen(0, `127.0.0.1`, resolve);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets)
      socket.destroy();
    await new Promise<void>(resolve => this.server.close(() => resolve()));
  }

  /** Resolves when the main conversation has made `count` requests. */
  async asked(count: number, timeoutMs: number): Promise<void> {
    if (this.requests.length >= count)
      return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => finish(new Error(`the model was asked ${this.requests.length} times, not ${count}, in ${timeoutMs} ms`)), timeoutMs);
      const check = () => this.requests.length >= count && finish();
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.watchers.delete(check);
        if (error) reject(error); else resolve();
      };
      this.watchers.add(check);
    });
  }

  /** Answers one request; `body` is parsed JSON, or null. */
  protected abstract answer(path: string, body: Body, request: IncomingMessage, response: ServerResponse): Promise<void>;

  /** The next turn of the main conversation, or of the sub-agent whose first prompt this is. */
  protected next(body: Body, firstPrompt: string): Turn {
    const match = Object.keys(this.script.agents ?? {}).find(key => firstPrompt.includes(key));
    const turns = match === undefined ? this.script.turns : this.script.agents![match]!;
    const key = match ?? ``;
    const position = this.positions.get(key) ?? 0;
    this.positions.set(key, position + 1);
    if (match === undefined) {
      this.requests.push(body);
      for (const watcher of [...this.watchers])
        watcher();
    }
    return turns[position] ?? {text: this.script.otherwise ?? `The script has no more to say.`};
  }

  private async handle(request: IncomingMessage, response: ServerResponse) {
    const chunks: Array<Buffer> = [];
    for await (const chunk of request)
      chunks.push(chunk as Buffer);
    const text = decode(Buffer.concat(chunks), request.headers[`content-encoding`]).toString(`utf8`);
    let body: Body = null;
    try {
      body = JSON.parse(text);
    } catch {
      // Requests without a body.
    }
    await this.answer((request.url ?? `/`).split(`?`)[0]!, body, request, response);
  }
}

function decode(bytes: Buffer, encoding: string | undefined) {
  switch (encoding) {
    case `gzip`: return gunzipSync(bytes);
    case `deflate`: return inflateSync(bytes);
    case `br`: return brotliDecompressSync(bytes);
    default: return bytes;
  }
}

export function json(response: ServerResponse, status: number, value: unknown) {
  response.writeHead(status, {'content-type': `application/json`});
  response.end(JSON.stringify(value));
}

/** Writes one server-sent event. Both APIs repeat its name as `type` in the data. */
export function event(response: ServerResponse, type: string, data: object) {
  response.write(`event: ${type}\ndata: ${JSON.stringify({type, ...data})}\n\n`);
}

/** Pieces of at most `size` characters, never through a surrogate pair. */
export function pieces(text: string, size = 40): Array<string> {
  const units = [...text];
  const out: Array<string> = [];
  for (let i = 0; i < units.length; i += size)
    out.push(units.slice(i, i + size).join(``));
  return out.length ? out : [``];
}

export {sleep};
