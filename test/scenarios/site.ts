// What most scenarios need: Prosody with Alice on it, a carrier with telephones, the gateway between them as a process,
// its store in Redis or embedded, and a book of what was acknowledged and what arrived.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Carrier, startCarrier } from '../../demo/carrier.ts';
import type { Person } from '../../demo/peer.ts';
import { startXmppUser } from '../../demo/xmpp-user.ts';
import { needs } from '../servers/debian.ts';
import { temporaryFolder, until } from '../servers/process.ts';
import { startProsody, type XmppServer } from '../servers/prosody.ts';
import { type Redis, startRedis } from '../servers/redis.ts';
import { GatewayProcess } from './gateway-process.ts';

export type StoreKind = 'redis' | 'embedded';

export const host = 'xmpp.example';
export const aliceJid = `alice@${host}`;
/** Alice's own number: what telephones write to reach her. */
export const aliceNumber = '+447700900001';
const secret = 'scenario-secret';
const password = 'alice-secret';

export interface Site {
  readonly folder: string;
  readonly prosody: XmppServer;
  readonly redis: Redis | undefined;
  readonly carrier: Carrier;
  readonly gateway: GatewayProcess;
  readonly alice: Person;
  readonly settings: Record<string, unknown>;
}

const ends = new WeakMap<TestContext, Array<() => unknown>>();

/** Like t.after, but the last begun is the first ended. */
export function atEnd(t: TestContext, end: () => unknown): void {
  const known = ends.get(t);
  if (known) {
    known.push(end);
    return;
  }
  const stack = [end];
  ends.set(t, stack);
  t.after(async () => {
    for (let last = stack.pop(); last; last = stack.pop()) await last();
  });
}

/** Undefined when a peer is missing and the test was skipped. */
export async function openSite(
  t: TestContext,
  store: StoreKind,
  more: Record<string, unknown> = {},
): Promise<Site | undefined> {
  if (!needs(t, 'prosody', ...(store === 'redis' ? (['redis-server'] as const) : []))) return undefined;
  const folder = temporaryFolder('scenario');
  atEnd(t, () => folder.remove());
  const components = ['sms', 'sip'].map((name) => ({ domain: `${name}.${host}`, secret }));
  const prosody = await startProsody({ host, users: [{ username: 'alice', password }], components });
  atEnd(t, () => prosody.stop());
  const redis = store === 'redis' ? await startRedis({ aof: true }) : undefined;
  atEnd(t, () => redis?.stop());
  const carrier = await startCarrier();
  atEnd(t, () => carrier.stop());
  const settings = {
    data: join(folder.path, 'data'),
    ...(redis ? { redis: { url: redis.url } } : {}),
    lease: '3s',
    people: [{ addresses: [`xmpp:${aliceJid}`, `tel:${aliceNumber}`] }],
    routes: [
      { to: 'tel:*', via: 'carrier' },
      { to: 'xmpp:*', via: 'jabber' },
    ],
    instances: {
      jabber: {
        protocol: 'xmpp',
        host: '127.0.0.1',
        port: prosody.componentPort,
        domains: [
          { domain: `sms.${host}`, secret, shows: ['tel'] },
          { domain: `sip.${host}`, secret, shows: ['sip'] },
        ],
      },
      carrier: {
        protocol: 'smpp',
        host: '127.0.0.1',
        port: carrier.port,
        systemId: 'dragoman',
        password: 'x',
        window: 50,
      },
    },
    ...more,
  };
  const gateway = await GatewayProcess.prepare(folder.path, settings);
  atEnd(t, () => gateway.stop());
  const alice = await startXmppUser({ port: prosody.c2sPort, jid: aliceJid, password });
  atEnd(t, () => alice.stop());
  return { folder: folder.path, prosody, redis, carrier, gateway, alice, settings };
}

/** Telephone `i` of the scenarios. */
export function phoneNumber(i: number): string {
  return `+4477009${String(10_000 + i)}`;
}

/** Numbered messages from telephones to Alice: which the gateway acknowledged, which arrived, in which order. */
export class Book {
  readonly acknowledged = new Set<string>();
  readonly arrived = new Map<string, number>();
  /** Of each conversation, the numbers in the order of their first arrival. */
  readonly order = new Map<string, number[]>();
  repeats = 0;

  constructor(alice: Person) {
    alice.onMessage(({ from, text }) => this.#arrive(from, text));
  }

  #arrive(from: string, text: string): void {
    const times = this.arrived.get(text) ?? 0;
    this.arrived.set(text, times + 1);
    if (times > 0) {
      this.repeats++;
      return;
    }
    const order = this.order.get(from) ?? [];
    order.push(Number(text.split('/').at(-1)));
    this.order.set(from, order);
  }

  /** Says each message until the gateway has acknowledged it, as a carrier does; one at a time per telephone. */
  async burst(carrier: Carrier, phones: number, each: number, first: number): Promise<void> {
    const one = async (phone: number) => {
      for (let n = first; n < first + each; n++) {
        const text = `${phone}/${n}`;
        await this.#say(carrier, phoneNumber(phone), text);
        this.acknowledged.add(text);
      }
    };
    await Promise.all(Array.from({ length: phones }, (_, phone) => one(phone)));
  }

  async #say(carrier: Carrier, number: string, text: string): Promise<void> {
    for (const until = performance.now() + 90_000; ; ) {
      try {
        await carrier.sendFrom(number, aliceNumber, text);
        return;
      } catch (error) {
        if (performance.now() > until) throw error;
        // As long as a patient carrier waits before it says it again.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  missing(): string[] {
    return [...this.acknowledged].filter((text) => !this.arrived.has(text));
  }

  untilComplete(timeoutMs = 60_000): Promise<void> {
    return until(() => this.missing().length === 0, 'every acknowledged message arrives', timeoutMs).catch(
      (error: Error) => {
        throw new Error(`${error.message}; missing ${this.missing().length}: ${this.missing().slice(0, 10).join(' ')}`);
      },
    );
  }

  /** The conversations in which a message overtook another. */
  disordered(): string[] {
    return [...this.order]
      .filter(([, numbers]) => numbers.some((n, i) => i > 0 && n < (numbers[i - 1] ?? 0)))
      .map(([from]) => from);
  }
}
