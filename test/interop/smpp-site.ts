// Where telephones and XMPP meet in the tests of SMS as a whole: an XMPP server with Alice on it, carriers of Net::SMPP, and the gateway
// between them as a process, its store in Redis or embedded.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Heard, Person, Told } from '../../demo/peer.ts';
import { startXmppUser } from '../../demo/xmpp-user.ts';
import { GatewayProcess } from '../scenarios/gateway-process.ts';
import { aliceJid, aliceNumber, atEnd, host, type StoreKind } from '../scenarios/site.ts';
import { needs } from '../servers/debian.ts';
import { startEjabberd } from '../servers/ejabberd.ts';
import { type PerlCarrier, startPerlCarrier } from '../servers/net-smpp-carrier.ts';
import { temporaryFolder, until } from '../servers/process.ts';
import { startProsody } from '../servers/prosody.ts';
import { startRedis } from '../servers/redis.ts';

export const smsDomain = `sms.${host}`;
const secret = 'scenario-secret';
const password = 'alice-secret';

export interface SmsSite {
  readonly folder: string;
  readonly gateway: GatewayProcess;
  readonly carriers: readonly PerlCarrier[];
  /** Where XMPP users log in: Alice, and Carol with `carol-secret`. */
  readonly xmppPort: number;
  readonly alice: Person;
  /** Alice comes back after `alice.stop()`; `alice` is then another. */
  comeBack(): Promise<void>;
  /** What Alice was written, and what she was told of her own messages; oldest first. */
  readonly heard: Heard[];
  readonly told: Told[];
}

export interface SmsSiteOptions {
  readonly store?: StoreKind;
  readonly carriers?: number;
  readonly xmpp?: 'prosody' | 'ejabberd';
  /** Over the usual options of the component. */
  readonly component?: Record<string, unknown>;
  /** Over the usual configuration; `instances` are added to the usual ones. */
  settings?(folder: string): Record<string, unknown> & { instances?: Record<string, unknown> };
  /** Over the usual options of a carrier. */
  readonly carrier?: Record<string, unknown>;
}

/** Alice's address of a telephone, short code or name. */
export function phoneJid(number: string): string {
  return `${number}@${smsDomain}`;
}

/** Undefined when a peer is missing and the test was skipped. */
export async function openSmsSite(t: TestContext, options: SmsSiteOptions = {}): Promise<SmsSite | undefined> {
  const { store = 'embedded', xmpp = 'prosody' } = options;
  if (!needs(t, xmpp, 'net-smpp', ...(store === 'redis' ? (['redis-server'] as const) : []))) return undefined;
  const folder = temporaryFolder('sms-site');
  atEnd(t, () => folder.remove());
  const components = [{ domain: smsDomain, secret }];
  const users = [
    { username: 'alice', password },
    { username: 'carol', password: 'carol-secret' },
  ];
  const server = await { prosody: startProsody, ejabberd: startEjabberd }[xmpp]({ host, users, components });
  atEnd(t, () => server.stop());
  const redis = store === 'redis' ? await startRedis({ aof: true }) : undefined;
  atEnd(t, () => redis?.stop());
  const carriers = await Promise.all(Array.from({ length: options.carriers ?? 1 }, () => startPerlCarrier()));
  for (const carrier of carriers) atEnd(t, () => carrier.stop());
  const { instances, ...more } = options.settings?.(folder.path) ?? {};
  const domains = [{ domain: smsDomain, secret, shows: ['tel'], ...options.component }];
  const carrierOptions = {
    protocol: 'smpp',
    systemId: 'dragoman',
    password: 'x',
    shortCodeContext: smsDomain,
    reconnect: { firstMs: 100, maxMs: 500 },
    ...options.carrier,
  };
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    ...(redis ? { redis: { url: redis.url } } : {}),
    lease: '3s',
    people: [{ addresses: [`xmpp:${aliceJid}`, `tel:${aliceNumber}`] }],
    routes: [
      { to: 'tel:*', via: carriers.map((_, at) => `carrier-${at + 1}`) },
      { to: 'xmpp:*', via: 'jabber' },
    ],
    instances: {
      jabber: { protocol: 'xmpp', host: '127.0.0.1', port: server.componentPort, domains },
      ...Object.fromEntries(carriers.map(({ port }, at) => [`carrier-${at + 1}`, { ...carrierOptions, port }])),
      ...instances,
    },
    ...more,
  });
  atEnd(t, () => gateway.stop());
  await gateway.start();
  const heard: Heard[] = [];
  const told: Told[] = [];
  const logIn = async () => {
    const alice = await startXmppUser({ port: server.c2sPort, jid: aliceJid, password });
    atEnd(t, () => alice.stop());
    alice.onMessage((message) => heard.push(message));
    alice.onReceipt((receipt) => told.push(receipt));
    return alice;
  };
  let alice = await logIn();
  return {
    folder: folder.path,
    gateway,
    carriers,
    xmppPort: server.c2sPort,
    heard,
    told,
    get alice() {
      return alice;
    },
    async comeBack() {
      alice = await logIn();
    },
  };
}

/** Waits as `until` does; on failure what is known of the site is in the message. */
export async function happens(site: SmsSite, claim: () => boolean | Promise<boolean>, what: string): Promise<void> {
  await until(claim, what, 15_000).catch((error: Error) => {
    const { heard, told, carriers } = site;
    const seen = JSON.stringify({ heard, told, submits: carriers.map(({ submits }) => submits) });
    throw new Error(`${error.message}\n${seen.slice(-6000)}\n${site.gateway.log().slice(-4000)}`);
  });
}
