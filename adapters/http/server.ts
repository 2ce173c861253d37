// The two doors over HTTP: Kannel's sendsms, and POST /messages as JSON. Errors become answers here and nowhere else.
import type { ServerOptions } from 'node:https';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { asGatewayError, GatewayError, type Hub } from '../../src/contract/index.ts';
import { readPems } from '../../src/guards/pem.ts';
import type { Account, Accounts } from './accounts.ts';
import { decodeForm } from './codec.ts';
import type { HttpOptions } from './config.ts';
import { statusOf } from './errors.ts';
import type { Inbox, Outcome } from './inbox.ts';
import { fromJson } from './mapping/json.ts';
import { formOfHeaders, fromSendsms } from './mapping/kannel.ts';

export interface ServerParts {
  options: HttpOptions;
  hub: Hub;
  accounts: Accounts;
  inbox: Inbox;
}

export interface Server {
  readonly port: number;
  close(): Promise<void>;
}

const methodsOf: Readonly<Record<string, readonly string[]>> = {
  '/messages': ['POST'],
  '/messages/:id': ['GET', 'DELETE'],
  '/cgi-bin/sendsms': ['GET', 'POST'],
};
const maxKeyLength = 200;
const goodbyeMs = 2000;

/** Resolves when it listens; rejects when it cannot (port taken). */
export async function listen({ options, hub, accounts, inbox }: ServerParts): Promise<Server> {
  const { host, port, maxBodyBytes, requestTimeoutMs, trustProxy } = options;
  // Node looks at its connections every 30 s and lets a head take a minute unless it is told otherwise.
  const patience = { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 6) };
  const app = fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    logger: false,
    forceCloseConnections: 'idle',
    // RFC 9110 s.9.2.1: HEAD is safe, and sendsms sends.
    exposeHeadRoutes: false,
    frameworkErrors: (error, _request, reply) =>
      void (reply as FastifyReply).code(400).send({ reason: 'malformed', text: error.message }),
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    // Its own reading of queries is not needed: sendsms has octets in them.
    routerOptions: { querystringParser: () => ({}) },
    ...(options.tls ? { https: { ...tlsOf(options.tls), ...patience } } : { http: patience }),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onResponse', async (request, reply) => {
    hub.metrics.count('requests_total', { door: request.routeOptions.url ?? '', status: String(reply.statusCode) });
  });
  app.setNotFoundHandler((_request, reply) => void reply.code(404).send({ reason: 'not-found', text: 'no such page' }));
  addJson(app, hub, accounts, inbox);
  await app.register(async (door) => addKannel(door, hub, accounts, inbox));
  for (const [url, allowed] of Object.entries(methodsOf)) refuseOthers(app, url, allowed);
  await app.listen({ host, port });
  const address = app.server.address();
  return { port: typeof address === 'object' && address ? address.port : port, close: () => close(app) };
}

// RFC 9110 s.15.5.6: the page is there, and says what it takes.
function refuseOthers(app: FastifyInstance, url: string, allowed: readonly string[]): void {
  const method = app.supportedMethods.filter((one) => !allowed.includes(one));
  const text = `this page takes ${allowed.join(' and ')}`;
  const handler = (_request: FastifyRequest, reply: FastifyReply) =>
    void reply.code(405).header('allow', allowed.join(', ')).send({ reason: 'unsupported', text });
  app.route({ method, url, handler });
}

// What was taken is answered, so that nobody sends it again; whoever is not done by then is cut off.
async function close(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), goodbyeMs);
  await app.close();
  clearTimeout(timer);
}

function tlsOf(files: { cert: string; key: string }): ServerOptions {
  return { ...readPems(files), minVersion: 'TLSv1.2' };
}

function addJson(app: FastifyInstance, hub: Hub, accounts: Accounts, inbox: Inbox): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const { reason, message, retryAfterMs } = errorOf(error, hub);
    if (retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(retryAfterMs / 1000)));
    // RFC 9110 s.15.5.2: who asks is not known; 403 is for those who are and may not.
    const isStranger = error instanceof Stranger;
    if (isStranger) reply.header('www-authenticate', 'Basic realm="dragoman", Bearer');
    reply.code(isStranger ? 401 : statusOf(reason)).send({ reason, text: message });
  });
  app.post('/messages', async (request, reply) => {
    const account = proven(request, accounts);
    const key = request.headers['idempotency-key'];
    // An empty one would be the same for every message.
    if (typeof key === 'string' && (key === '' || key.length > maxKeyLength))
      throw new GatewayError('malformed', `Idempotency-Key: 1 to ${maxKeyLength} characters`);
    const outcomes = await inbox.submit(account, fromJson(jsonOf(request), hub.now()), key?.toString());
    const { status, error } = summary(outcomes);
    if (error && outcomes.length === 1) throw error;
    return reply.code(status).send({ messages: outcomes.map(outcomeJson) });
  });
  app.get('/messages/:id', async (request) => {
    const { id } = request.params as { id: string };
    const sent = await inbox.find(proven(request, accounts), id);
    if (!sent) throw new GatewayError('not-found', 'no message of that id, or no longer remembered');
    const { from, to, at, state, reason, text } = sent;
    return { id, from, to, at: new Date(at).toISOString(), state, reason, text };
  });
  app.delete('/messages/:id', async (request) => {
    const { id } = request.params as { id: string };
    if (await inbox.withdraw(proven(request, accounts), id)) return { id, state: 'withdrawn' };
    throw new GatewayError('not-found', 'no message of that id waits for its time');
  });
}

// The words are those that programs written for Kannel look for; the number before the colon is its own status.
function addKannel(app: FastifyInstance, hub: Hub, accounts: Accounts, inbox: Inbox): void {
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const { reason, message } = errorOf(error, hub);
    const isPassing = statusOf(reason) === 429 || statusOf(reason) >= 500;
    const words = isPassing ? `Temporal failure, try again later. ${message}` : message;
    void reply
      .code(isPassing ? 503 : statusOf(reason))
      .type('text/plain; charset=utf-8')
      .send(words);
  });
  app.route({
    method: ['GET', 'POST'],
    url: '/cgi-bin/sendsms',
    handler: async (request, reply) => {
      const form = formOf(request);
      const word = (name: string) => form.get(name)?.toString();
      const name = word('username') ?? word('user') ?? '';
      const account = authorised(() => accounts.byPassword(name, word('password') ?? word('pass') ?? '', request.ip));
      const submission = fromSendsms(form, hub.now());
      const outcomes = await inbox.submit(account, submission);
      const { error } = summary(outcomes);
      if (error) throw error;
      const denied = outcomes.filter((outcome) => outcome.error).map(({ to }) => to);
      const words = submission.message.notBefore ? '3: Queued for later delivery' : '0: Accepted for delivery';
      reply.code(202).type('text/plain; charset=utf-8');
      return denied.length > 0 ? `${words}\nDenied receivers: ${denied.join(' ')}` : words;
    },
  });
}

function authorised(prove: () => Account): Account {
  try {
    return prove();
  } catch (error) {
    const { reason } = asGatewayError(error);
    throw reason === 'not-allowed' ? new GatewayError(reason, 'Authorization failed for sendsms') : error;
  }
}

/** Nobody we know: no credentials, or wrong ones. */
class Stranger extends GatewayError {
  constructor(why: string) {
    super('not-allowed', why);
  }
}

/** RFC 6750 s.2.1 bearer token, or RFC 7617 Basic. */
function proven(request: FastifyRequest, accounts: Accounts): Account {
  try {
    return accountOf(request, accounts);
  } catch (error) {
    const { reason, message } = asGatewayError(error);
    throw reason === 'not-allowed' ? new Stranger(message) : error;
  }
}

function accountOf({ headers, ip }: FastifyRequest, accounts: Accounts): Account {
  const [scheme = '', credentials = ''] = (headers.authorization ?? '').split(' ', 2);
  if (/^bearer$/i.test(scheme)) return accounts.byToken(credentials, ip);
  const decoded = /^basic$/i.test(scheme) ? Buffer.from(credentials, 'base64').toString() : '';
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new GatewayError('not-allowed', 'give user name and password (Basic) or a token (Bearer)');
  return accounts.byPassword(decoded.slice(0, colon), decoded.slice(colon + 1), ip);
}

function jsonOf({ body }: FastifyRequest): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body as Buffer));
  } catch {
    throw new GatewayError('malformed', 'the body is no JSON in UTF-8');
  }
}

function formOf(request: FastifyRequest): ReadonlyMap<string, Buffer> {
  const { url = '' } = request.raw;
  const query = url.includes('?') ? url.slice(url.indexOf('?') + 1) : '';
  const body = request.body as Buffer | undefined;
  const type = request.headers['content-type'] ?? '';
  try {
    if (!body || body.length === 0) return decodeForm(query);
    if (/^application\/x-www-form-urlencoded\b/i.test(type)) return decodeForm(body.toString('latin1'));
    return formOfHeaders(request.headers, body, type, decodeForm(query));
  } catch (error) {
    if (error instanceof RangeError) throw new GatewayError('malformed', error.message);
    throw error;
  }
}

function summary(outcomes: readonly Outcome[]): { status: number; error: GatewayError | undefined } {
  const failures = outcomes.filter(({ error }) => error !== undefined);
  if (failures.length === 0) return { status: 202, error: undefined };
  // RFC 4918 s.11.1: each has an answer of its own.
  return { status: 207, error: failures.length === outcomes.length ? failures[0]?.error : undefined };
}

function outcomeJson({ to, id, error }: Outcome): object {
  return error ? { to, reason: error.reason, text: error.message } : { to, id };
}

function errorOf(error: Error & { statusCode?: number }, hub: Hub): GatewayError {
  if (error.statusCode === 413) return new GatewayError('too-large', 'the request is too long');
  if (error.statusCode !== undefined && error.statusCode < 500) return new GatewayError('malformed', error.message);
  const known = asGatewayError(error);
  if (known.reason !== 'internal') return known;
  hub.log.error({ error: error.stack ?? error.message }, 'a request failed in our hands');
  return new GatewayError('internal', 'something went wrong inside; the log says what');
}
