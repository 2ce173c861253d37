// An application of the test's own behind the HTTP adapter: it keeps what it is called with and answers as told.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { options } from '../../../adapters/http/config.ts';
import { Http } from '../../../adapters/http/index.ts';
import { type FakeHub, fakeHub } from '../../peers/hub.ts';

export interface Call {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Application {
  readonly url: string;
  readonly calls: Call[];
  /** What the next calls are answered; 200 and nothing when there is none. */
  readonly answers: Array<{ status: number; text?: string; headers?: Record<string, string> }>;
  close(): Promise<void>;
}

export async function application(t: TestContext): Promise<Application> {
  const calls: Call[] = [];
  const answers: Application['answers'] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { method = '', url = '', headers } = request;
    calls.push({ method, url, headers, body });
    const { status, text = '', headers: more = {} } = answers.shift() ?? { status: 200 };
    response.writeHead(status, { 'content-type': 'text/plain', ...more }).end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls, answers, close };
}

export const password = 'correct horse';
export const token = 'a-token-of-sixteen-or-more';
export const secret = 'a secret of sixteen or more';

export interface Door {
  adapter: Http;
  hub: FakeHub;
  app: Application;
  /** Asks for a path with the account's token, unless the request says otherwise. */
  ask(path: string, init?: RequestInit): Promise<Response>;
  post(value: unknown, headers?: Record<string, string>): Promise<Response>;
  sendsms(query: string): Promise<{ status: number; text: string }>;
}

export async function open(
  t: TestContext,
  account: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Promise<Door> {
  const app = await application(t);
  const shop = { password, token, senders: ['+447700900200', '88222', 'SHOP', '+4477009003*'], ...account };
  const { webhook, getUrl } = shop as { webhook?: unknown; getUrl?: unknown };
  if (webhook === undefined && getUrl === undefined)
    Object.assign(shop, { webhook: { url: `${app.url}/hook`, secret } });
  const adapter = new Http('apps', options.parse({ port: 0, accounts: { shop }, ...more }));
  const hub = fakeHub('apps');
  t.after(() => adapter.stop());
  await adapter.start(hub);
  const base = `http://127.0.0.1:${adapter.port}`;
  const bearer = { authorization: `Bearer ${token}` };
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(base + path, { ...init, headers: { ...bearer, ...init.headers } });
  return {
    adapter,
    hub,
    app,
    ask,
    post: (value, headers = {}) => ask('/messages', { method: 'POST', body: JSON.stringify(value), headers }),
    async sendsms(query) {
      const response = await fetch(`${base}/cgi-bin/sendsms?${query}`);
      return { status: response.status, text: await response.text() };
    },
  };
}
