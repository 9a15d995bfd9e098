import {spawn}              from 'node:child_process';
import {createServer}       from 'node:http';
import type {AddressInfo}   from 'node:net';
import process              from 'node:process';

/** One request that was answered: what git asked for, and as whom. */
export type Asked = {path: string; user: string | null};

/**
 * The repositories below a folder over smart HTTP, as a server has them: git's own program behind it. Who comes without
 * the password is asked for it.
 */
export async function serveGit(root: string, {user, password}: {user: string; password: string}) {
  const asked: Array<Asked> = [];
  const server = createServer((request, response) => {
    const {pathname, search} = new URL(request.url!, `http://127.0.0.1`);
    const given = Buffer.from((request.headers.authorization ?? ``).replace(/^Basic /, ``), `base64`).toString();
    asked.push({path: pathname, user: given === `` ? null : given.split(`:`)[0]!});
    if (given !== `${user}:${password}`) {
      response.writeHead(401, {'www-authenticate': `Basic realm="shop"`}).end();
      request.resume();
      return;
    }
    const backend = spawn(`git`, [`-c`, `http.receivepack=true`, `http-backend`], {
      env: {
        PATH: process.env.PATH, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: `1`, GIT_CONFIG_GLOBAL: `/dev/null`, GIT_CONFIG_NOSYSTEM: `1`,
        PATH_INFO: pathname, QUERY_STRING: search.slice(1), REQUEST_METHOD: request.method, REMOTE_USER: user, REMOTE_ADDR: `127.0.0.1`,
        CONTENT_TYPE: request.headers[`content-type`] ?? ``, ...request.headers[`content-length`] === undefined ? {} : {CONTENT_LENGTH: request.headers[`content-length`]},
        ...request.headers[`content-encoding`] === undefined ? {} : {HTTP_CONTENT_ENCODING: request.headers[`content-encoding`]},
        ...request.headers[`git-protocol`] === undefined ? {} : {GIT_PROTOCOL: String(request.headers[`git-protocol`])},
      },
      stdio: [`pipe`, `pipe`, `ignore`],
    });
    backend.stdin.on(`error`, () => undefined);
    request.pipe(backend.stdin);
    let head = Buffer.alloc(0);
    let begun = false;
    backend.stdout.on(`data`, (chunk: Buffer) => {
      if (begun)
        return void response.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(`\r\n\r\n`);
      if (end === -1)
        return;
      begun = true;
      const headers = head.subarray(0, end).toString().split(`\r\n`).map(line => line.split(/: (.*)/s) as [string, string]);
      const status = headers.find(([name]) => name.toLowerCase() === `status`)?.[1];
      response.writeHead(status === undefined ? 200 : Number.parseInt(status), Object.fromEntries(headers.filter(([name]) => name.toLowerCase() !== `status`)));
      response.write(head.subarray(end + 4));
    });
    backend.on(`close`, () => response.end());
  });
  await new Promise<void>(resolve => server.listen(0, `127.0.0.1`, resolve));
  return {
    asked,
    address: (name: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
