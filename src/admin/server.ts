// The admin side over HTTP: health, readiness, metrics, the API of the command line and the console page.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { z } from 'zod';
import { isLoopback } from '../config/schema.ts';
import { asGatewayError, type FailureReason, GatewayError, type Log } from '../contract/index.ts';
import type { MetricsRegistry } from '../metrics.ts';
import type { GatewayView } from './view.ts';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly token?: string | undefined;
}

export interface AdminServer {
  readonly url: string;
  close(): Promise<void>;
}

const bodyLimit = 2 * 1024 * 1024;
const requestTimeoutMs = 30_000;
const maxListed = 1000;
const statusOf: Partial<Record<FailureReason, number>> = {
  malformed: 400,
  unsupported: 422,
  'not-found': 404,
  'not-allowed': 403,
  'too-large': 413,
  throttled: 429,
  internal: 500,
};

const routeQuery = z.object({ from: z.string(), to: z.string() });
const sendBody = z.strictObject({
  from: z.string(),
  to: z.string(),
  text: z.string(),
  wants: z.array(z.enum(['sent', 'delivered', 'displayed'])).optional(),
});
const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(maxListed).default(50),
  instance: z.string().optional(),
});
const captureQuery = z.object({
  seconds: z.coerce.number().min(1).max(3600).default(60),
  bytes: z.coerce.number().int().min(1000).max(1_000_000_000).default(64_000_000),
  bodies: z.stringbool().default(false),
});
const nameOf = z.object({ name: z.string().max(200) });
const traceQuery = z.object({ bodies: z.stringbool().default(false) });
const idOf = z.object({ id: z.string().max(200) });
const topicOf = z.object({ topic: z.string().max(200) });

/** Resolves when it listens; rejects when it cannot (port taken). */
export async function serveAdmin(
  gateway: GatewayView,
  metrics: MetricsRegistry,
  options: AdminOptions,
  log: Log,
): Promise<AdminServer> {
  const app = fastify({
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    // Node looks at its connections every 30 s and lets a head take a minute unless it is told otherwise.
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: requestTimeoutMs / 6 },
    logger: false,
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) => sendError(reply as FastifyReply, error, log),
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => sendError(reply, error, log));
  app.setNotFoundHandler((_request, reply) => void reply.code(404).send({ reason: 'not-found', text: 'no such page' }));
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });
  addHealth(app, gateway, metrics, options);
  await app.register(async (api) => addApi(api, gateway, options), { prefix: '/api' });
  addPage(app);
  const url = await app.listen({ host: options.host, port: options.port });
  return { url, close: () => app.close() };
}

// The page is one file: nothing else may run in it, and nobody may frame it.
function addPage(app: FastifyInstance): void {
  const page = readFileSync(new URL('../../console/index.html', import.meta.url), 'utf8');
  const hashOf = (tag: string) => {
    const inline = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(page)?.[1] ?? '';
    return `'sha256-${createHash('sha256').update(inline).digest('base64')}'`;
  };
  const policy = [
    `default-src 'none'; script-src ${hashOf('script')}; style-src ${hashOf('style')}; connect-src 'self'; img-src data:`,
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
  ].join('; ');
  app.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(page),
  );
}

function addHealth(app: FastifyInstance, gateway: GatewayView, metrics: MetricsRegistry, options: AdminOptions): void {
  const hasToken = tokenTest(options);
  app.get('/healthz', async () => ({ ok: true }));
  app.get('/readyz', async (request, reply) => {
    const { ready, why } = await gateway.ready();
    // A balancer needs no reasons, and they name hosts.
    return reply.code(ready ? 200 : 503).send(hasToken(request) ? { ready, why } : { ready });
  });
  app.get('/metrics', { onRequest: guard(options) }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
}

function addApi(api: FastifyInstance, gateway: GatewayView, options: AdminOptions): void {
  api.addHook('onRequest', guard(options));
  api.get('/status', () => gateway.status());
  api.get('/route', (request) => {
    const { from, to } = read(routeQuery, request.query);
    return gateway.route(from, to);
  });
  api.post('/send', async (request, reply) => {
    const { from, to, text, wants } = read(sendBody, request.body);
    return reply.code(202).send(await gateway.send(from, to, text, wants ? { wants } : {}));
  });
  api.get('/views/:topic', (request) =>
    gateway.view(read(topicOf, request.params).topic, read(listQuery, request.query)),
  );
  api.get('/traces', async (request) => gateway.traces(read(listQuery, request.query).limit));
  api.get('/trace/:id', async (request) => {
    const { bodies } = read(traceQuery, request.query);
    return found(
      gateway.trace(read(idOf, request.params).id, bodies),
      'no trace of that id: the last 5,000 messages are kept',
    );
  });
  // Whoever asks with HEAD reads nothing: the capture would run until its time.
  api.get('/capture/:name', { exposeHeadRoute: false }, async (request, reply) => {
    const { seconds, bytes, bodies } = read(captureQuery, request.query);
    const options = { forMs: seconds * 1000, maxBytes: bytes, showBodies: bodies };
    return reply.type('application/x-pcapng').send(gateway.capture(read(nameOf, request.params).name, options));
  });
  api.get('/dead', (request) => {
    const { limit, instance } = read(listQuery, request.query);
    return gateway.dead.list(limit, instance);
  });
  api.get('/dead/:id', async (request) => found(await gateway.dead.get(read(idOf, request.params).id), noLetter));
  api.post('/dead/:id/replay', async (request) => {
    const { id } = read(idOf, request.params);
    return found((await gateway.dead.replay(id)) ? { id } : undefined, noLetter);
  });
  api.delete('/dead/:id', async (request) => {
    const { id } = read(idOf, request.params);
    return found((await gateway.dead.discard(id)) ? { id } : undefined, noLetter);
  });
}

const noLetter = 'no dead letter of that id';

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new GatewayError('malformed', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}

function found<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new GatewayError('not-found', otherwise);
  return value;
}

type Asking = Pick<FastifyRequest, 'headers' | 'hostname'>;

function tokenTest({ token }: AdminOptions): (request: Asking) => boolean {
  // Digests are of one length, so that the comparison tells nothing about the token's.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = token === undefined ? undefined : digest(`Bearer ${token}`);
  return ({ headers }) => !expected || timingSafeEqual(digest(headers.authorization ?? ''), expected);
}

function guard(options: AdminOptions) {
  const hasToken = tokenTest(options);
  return async (request: Asking, reply: FastifyReply) => {
    if (isForeignPage(request, options))
      return reply
        .code(403)
        .send({ reason: 'not-allowed', text: 'a page from elsewhere may not ask; is a token set?' });
    if (hasToken(request)) return;
    return reply
      .code(401)
      .header('www-authenticate', 'Bearer')
      .send({ reason: 'not-allowed', text: 'a bearer token is needed' });
  };
}

// What a stranger's page could do through an operator's browser where no token stops it: ask from another origin, or
// reach our loopback port under a name of its own (DNS rebinding).
function isForeignPage({ headers: { origin, host = '' }, hostname }: Asking, { token }: AdminOptions): boolean {
  const isOtherOrigin = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
  return isOtherOrigin || (token === undefined && !isLoopback(hostname.replace(/^\[|\]$/g, '')));
}

function sendError(reply: FastifyReply, thrown: Error & { statusCode?: number }, log: Log): void {
  if (thrown.statusCode !== undefined && thrown.statusCode < 500) {
    void reply.code(thrown.statusCode).send({ reason: 'malformed', text: thrown.message });
    return;
  }
  const { reason, message } = asGatewayError(thrown);
  if (reason === 'internal') log.error({ error: thrown.stack ?? message }, 'the admin side failed');
  const text = reason === 'internal' ? 'something went wrong inside; the log says what' : message;
  if (reason === 'throttled') void reply.header('retry-after', '5');
  void reply.code(statusOf[reason] ?? 503).send({ reason, text });
}
