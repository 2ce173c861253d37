// The connection to Redis that queue and state share: how it is made, how it fails, and what is checked at the start.
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { type Finding, GatewayError, type Log } from '../contract/index.ts';
import { readPems } from '../guards/pem.ts';
import { checkServer } from './redis-check.ts';
import type { RedisSettings } from './redis-options.ts';

export { type RedisSettings, redisOptions } from './redis-options.ts';
export { RedisState } from './redis-state.ts';

export type RedisClient = Redis | Cluster;
/** A Lua script as a function. The keys come first, and before them their number where the script takes any. */
export type Script = (...keysAndArguments: (string | number)[]) => Promise<unknown>;

/** A command that cannot be sent waits this long for the connection to come back, and is then refused. */
const patienceMs = 1000;
/** A server that answers nothing for so long is given up, and connected to anew. */
const silenceMs = 5000;
const retryAtMostMs = 2000;

/** Connects and checks the server. Throws GatewayError; afterwards the connection comes back by itself, for ever. */
export async function connectRedis(settings: RedisSettings, log?: Pick<Log, 'info' | 'warn'>): Promise<RedisLink> {
  const link = new RedisLink(settings, log);
  try {
    await link.connect();
    for (const { state, what, advice } of await link.check()) log?.[state === 'ok' ? 'info' : 'warn']({ advice }, what);
    return link;
  } catch (error) {
    link.client.disconnect();
    throw error;
  }
}

export function mastersOf(client: RedisClient): Redis[] {
  return client.isCluster ? (client as Cluster).nodes('master') : [client as Redis];
}

export class RedisLink {
  readonly client: RedisClient;
  /** Before every key of ours. */
  readonly prefix: string;
  /** The same where several keys must live in one slot of a cluster. */
  readonly tag: string;
  readonly #settings: RedisSettings;
  readonly #secrets: readonly string[];
  readonly #log: Pick<Log, 'warn'> | undefined;
  #downSince = 0;
  /** What last went wrong with the connection: the client says it apart from the commands that fail of it. */
  #trouble = '';
  #complaint = '';
  #users = 0;
  #scripts = 0;

  constructor(settings: RedisSettings, log?: Pick<Log, 'warn'>) {
    this.#settings = settings;
    this.#log = log;
    this.prefix = settings.prefix;
    this.tag = settings.cluster ? `{${settings.prefix}}` : settings.prefix;
    this.#secrets = secretsOf(settings);
    // With no retries whatever is under way is refused when the connection breaks, and never sent again behind our back:
    // it may have been carried out. (autoResendUnfulfilledCommands: false would leave it unanswered for ever.)
    this.client = makeClient(settings, {
      // A client's own pipelines copy every script's method into an object a turn: a tenth of the processor time.
      enableAutoPipelining: settings.cluster !== undefined,
      maxRetriesPerRequest: 0,
      socketTimeout: silenceMs,
    });
    this.client.on('ready', () => {
      this.#downSince = 0;
      this.#trouble = '';
      this.#complaint = '';
    });
    this.client.on('close', () => (this.#downSince ||= Date.now()));
    // Whoever has a command under way hears of it; for the others the connection is made again.
    this.client.on('error', (error: Error) => (this.#trouble = error.message));
  }

  get isReady(): boolean {
    return this.client.status === 'ready';
  }

  /** For the first time. Throws GatewayError when that takes too long. */
  async connect(): Promise<void> {
    const deadline = Promise.withResolvers<never>();
    const timer = setTimeout(() => deadline.reject(new Error('no answer')), silenceMs);
    // A cluster that is not ready yet is tried again; only this event tells when that went well.
    const ready = new Promise<void>((resolve) => this.client.once('ready', () => resolve()));
    try {
      await this.run((client) => Promise.race([client.connect(), ready, deadline.promise]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks Redis. Throws GatewayError, and at once while it has been away for a second. */
  async run<T>(question: (client: RedisClient) => Promise<T>): Promise<T> {
    if (this.#downSince > 0 && Date.now() - this.#downSince > patienceMs) {
      throw this.failure(new Error('not connected'));
    }
    this.#gather();
    try {
      return await question(this.client);
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** All commands of one turn leave in one write. */
  #gather(): void {
    const stream = this.client.isCluster ? undefined : (this.client as Redis).stream;
    if (!stream || stream.writableCorked > 0) return;
    stream.cork();
    setImmediate(() => stream.uncork());
  }

  /** What the server must be like to be trusted with messages. Throws GatewayError when it is too old. */
  check(): Promise<Finding[]> {
    return this.run((client) => checkServer(mastersOf(client)));
  }

  /** A connection of its own, for commands that block. */
  blocking(): RedisClient {
    const client = makeClient(this.#settings, { maxRetriesPerRequest: null, socketTimeout: 2 * silenceMs });
    client.on('error', () => undefined);
    return client;
  }

  script(lua: string, numberOfKeys?: number): Script {
    const name = `dragoman${++this.#scripts}`;
    this.client.defineCommand(name, numberOfKeys === undefined ? { lua } : { lua, numberOfKeys });
    const commands = this.client as unknown as Record<string, Script>;
    return (...given) => this.run(() => commands[name]!(...given));
  }

  /** One more user of this connection. Returns its way out: the last to leave closes it. */
  join(): () => Promise<void> {
    this.#users++;
    let hasLeft = false;
    return async () => {
      if (hasLeft) return;
      hasLeft = true;
      if (--this.#users > 0) return;
      if (this.isReady) await this.client.quit().catch(() => undefined);
      this.client.disconnect();
    };
  }

  /** For what runs on its own and has nobody to tell: logs each trouble once. */
  complain(error: unknown): void {
    const { message } = this.failure(error);
    if (message === this.#complaint) return;
    this.#complaint = message;
    this.#log?.warn({}, message);
  }

  /** What Redis or the client said, with its policy and without its arguments (bodies, passwords). */
  failure(error: unknown): GatewayError {
    if (error instanceof GatewayError) return error;
    const last = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : undefined;
    const told = last instanceof Error ? last : error instanceof Error ? error : new Error(String(error));
    let text = told.name === 'MaxRetriesPerRequestError' ? 'the connection broke' : told.message;
    if (this.#trouble !== '' && this.#trouble !== text) text += ` (${this.#trouble})`;
    for (const secret of this.#secrets) text = text.replaceAll(secret, '***');
    const native = /\b(FENCED|OOM|READONLY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOAUTH|NOPERM|WRONGPASS)\b/.exec(
      text,
    )?.[1];
    const detail = { ...(native === undefined ? {} : { native }), retryAfterMs: patienceMs };
    if (native === 'OOM') return new GatewayError('throttled', 'Redis is full (maxmemory)', detail);
    return new GatewayError('unavailable', `Redis: ${text}`, detail);
  }
}

// Replies as RESP2 shaped them, which BullMQ expects.
type ClientOptions = RedisOptions & { replyMapping: 'legacy' };

function clientOptions(settings: RedisSettings, common: RedisOptions): ClientOptions {
  return {
    ...common,
    replyMapping: 'legacy',
    ...credentials(settings),
    lazyConnect: true,
    connectTimeout: 3000,
    connectionName: settings.prefix,
    retryStrategy: backoff,
    // After a failover the old master is read-only: find the new one.
    reconnectOnError: (error) => error.message.includes('READONLY'),
  };
}

function makeClient(settings: RedisSettings, common: RedisOptions): RedisClient {
  const options = clientOptions(settings, common);
  const tls = tlsOf(settings);
  const { sentinelUsername, sentinelPassword, sentinels, name } = settings;
  if (settings.cluster) {
    return new Cluster(settings.cluster, {
      redisOptions: { ...options, ...(tls ? { tls } : {}) },
      lazyConnect: true,
      enableAutoPipelining: common.enableAutoPipelining ?? false,
      clusterRetryStrategy: backoff,
      retryDelayOnFailover: 200,
      maxRedirections: 8,
      slotsRefreshTimeout: 3000,
      // Nodes name themselves by address; certificates do so by name.
      dnsLookup: (address, callback) => callback(null, address),
    });
  }
  if (sentinels && name !== undefined) {
    return new Redis({
      ...options,
      sentinels,
      name,
      sentinelRetryStrategy: backoff,
      ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
      ...(tls ? { tls, sentinelTLS: tls, enableTLSForSentinelMode: true } : {}),
    });
  }
  if (settings.url !== undefined) return new Redis(settings.url, { ...options, ...(tls ? { tls } : {}) });
  return new Redis({ ...options, host: settings.host ?? 'localhost', port: settings.port, ...(tls ? { tls } : {}) });
}

function backoff(attempt: number): number {
  return Math.min(25 * 2 ** attempt, retryAtMostMs) + Math.random() * 50;
}

function credentials({ username, password }: RedisSettings): Pick<RedisOptions, 'username' | 'password'> {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function tlsOf({ tls }: RedisSettings) {
  if (!tls) return undefined;
  return {
    rejectUnauthorized: tls.rejectUnauthorized,
    ...readPems(tls),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
  };
}

function secretsOf(settings: RedisSettings): string[] {
  const written = settings.url === undefined ? '' : new URL(settings.url).password;
  const secrets = [written, decodeURIComponent(written), settings.password, settings.sentinelPassword];
  return secrets.filter((secret): secret is string => secret !== undefined && secret !== '');
}
