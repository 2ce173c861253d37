// Watching 100,000 SIP contacts: what a subscription costs in memory, and a NOTIFY and a refresh in processor time, at a tenth of
// that and at all of it. The notifier is a script in this process; no sockets, no store (bench/sip-transactions.ts has those).
// Prints figures, asserts nothing: node --expose-gc bench/sip-subscriber.ts [subscriptions]
import {
  createResponse,
  decodeMessage,
  encodeMessage,
  type SipRequest,
  type SipResponse,
} from '../adapters/sip/codec/message.ts';
import { parseUri } from '../adapters/sip/codec/uri.ts';
import { Subscriber } from '../adapters/sip/presence/subscriber/index.ts';
import type { Outgoing } from '../adapters/sip/requester.ts';
import { TimerWheel } from '../adapters/sip/timer-wheel.ts';
import type { Flow } from '../adapters/sip/transport/flow.ts';
import { type Draft, type EventOf, type Hub, parseAddress } from '../src/contract/index.ts';

const subscriptions = Number(process.argv[2] ?? 100_000);
const { signal } = new AbortController();

let now = 1_790_000_000_000;
let published = 0;
let written = 0;
/** Whose watchers were asked whether they are there, and whose subscriptions were refreshed: for the far ends to answer. */
let probed: number[] = [];
let refreshed: number[] = [];
const nothing = () => {};
const hub = {
  now: () => now,
  publish: async (draft: Draft) => {
    published++;
    if (draft.type === 'subscription' && draft.action === 'fetch') probed.push(numberIn(draft.to));
    return { id: 'p0000000', isRepeat: false };
  },
  state: {
    set: async (_key: string, value: string) => {
      written += value.length;
    },
    delete: async () => {},
  },
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  trace: { hop: nothing },
  metrics: { count: nothing, gauge: nothing, observe: nothing },
} as unknown as Hub;

const wheel = new TimerWheel(
  () => now,
  () => nothing,
);
const flow = { transport: 'UDP', sentBy: { host: '127.0.0.1', port: 5060 } } as Flow;
/** Of the dialogs, in the order in which they were asked for: enough to write their NOTIFY requests. */
const dialogs: Array<{ to: string; callId: string; contact: string; cseq: number }> = [];

async function answer({ request, prepare, onSent }: Outgoing): Promise<SipResponse> {
  prepare?.(request, flow);
  onSent?.(request, new Uint8Array());
  const { headers } = request;
  const via = 'SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKbench';
  encodeMessage(request, via);
  headers.set('Via', via);
  const to = headers.get('From') ?? '';
  if (!/tag=/.test(headers.get('To') ?? '')) {
    dialogs.push({ to, callId: headers.get('Call-ID') ?? '', contact: headers.get('To') ?? '', cseq: 0 });
  } else {
    refreshed.push(numberIn(to));
  }
  const response = createResponse(request, 200, { toTag: 'remote' });
  response.headers.add('Expires', '3600');
  return response;
}

const subscriber = new Subscriber(
  { domains: [], expires: 3600, perDestination: 20, max: subscriptions, maxPerWatcher: 1, t1Ms: 500 },
  {
    hub,
    wheel,
    requester: { send: answer },
    directions: {
      find: async (to) => [{ peer: to, route: { uri: parseUri(to) }, through: [], isDirect: true }],
      destination: () => 'sip.example',
    },
    peers: { learn: async () => {} },
  },
);

/** Which watcher it is that an address names. */
function numberIn(address: string): number {
  return Number(/alice(\d+)/.exec(address)?.[1]);
}

const watcherOf = (index: number) => parseAddress(`sip:alice${index}%40xmpp.example@gw.example`);
const contactOf = (index: number) => parseAddress(`sip:bob${index}@sip.example`);

function eventOf<T extends 'subscription' | 'presence'>(index: number, type: T, said: object): EventOf<T> {
  const people = { from: watcherOf(index), to: contactOf(index) };
  return { id: 'e0000000', type, ...people, ...said } as unknown as EventOf<T>;
}

function notice(index: number, show: string): Buffer {
  const dialog = dialogs[index];
  if (!dialog) throw new Error(`no dialog ${index}`);
  dialog.cseq++;
  const body =
    '<?xml version="1.0" encoding="UTF-8"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:bob@sip.example">' +
    `<tuple id="ID-phone"><status><basic>open</basic><show xmlns="jabber:client">${show}</show></status>` +
    `<contact priority="0.5">sip:bob@sip.example;gr=phone</contact><note xml:lang="en">in the garden</note></tuple></presence>`;
  const head = [
    'NOTIFY sip:alice@127.0.0.1:5060 SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK${index}.${dialog.cseq};rport`,
    'Max-Forwards: 70',
    `From: ${dialog.contact};tag=remote`,
    `To: ${dialog.to}`,
    `Call-ID: ${dialog.callId}`,
    `CSeq: ${dialog.cseq} NOTIFY`,
    `Contact: <sip:bob${index}@127.0.0.1:5070>`,
    'Event: presence',
    'Subscription-State: active;expires=3600',
    'Content-Type: application/pidf+xml',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

async function take(bytes: Buffer): Promise<void> {
  const request = decodeMessage(bytes) as SipRequest;
  const { status } = await subscriber.handleNotify({ request });
  if (status !== 200) throw new Error(`a NOTIFY was answered ${status}`);
  encodeMessage(createResponse(request, status));
}

/** Processor time of one piece of work, in microseconds. */
async function each(count: number, work: (index: number) => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) await work(index);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** Exact only with --expose-gc. */
function liveBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function begin(from: number, to: number): Promise<number> {
  return each(to - from, async (offset) => {
    const index = from + offset;
    await subscriber.deliver(eventOf(index, 'subscription', { action: 'request' }), signal);
    await take(notice(index, 'away'));
  });
}

/** An hour in which every watcher is there: its whole cost, and how many refreshes that was. */
async function anHour(): Promise<{ cost: number; refreshes: number }> {
  let refreshes = 0;
  const cost = await each(1, async () => {
    for (const end = now + 3_600_000; now < end; now += 500) {
      wheel.advance();
      if (probed.length === 0) continue;
      const asked = probed;
      probed = [];
      for (const index of asked) subscriber.heard(eventOf(index, 'presence', { availability: 'available' }));
      while (refreshed.length < asked.length) await settled();
      refreshes += refreshed.length;
      for (const index of refreshed) await take(notice(index, 'dnd'));
      refreshed = [];
    }
  });
  return { cost, refreshes };
}

async function figures(live: number): Promise<string> {
  const sample = Math.min(live, 10_000);
  const notices = Array.from({ length: sample }, (_, index) => notice(index, 'dnd'));
  const news = await each(sample, (index) => take(notices[index] as Buffer));
  const again = Array.from({ length: sample }, (_, index) => notice(index, 'dnd'));
  const same = await each(sample, (index) => take(again[index] as Buffer));
  const hour = await anHour();
  const refresh = `refresh with its probe and its NOTIFY ${(hour.cost / hour.refreshes).toFixed(0)} us`;
  return `${live} live: NOTIFY with news ${news.toFixed(0)} us, without ${same.toFixed(0)} us; ${refresh}`;
}

await begin(0, 1000);
const before = liveBytes();
const tenth = subscriptions / 10;
await begin(1000, tenth);
process.stdout.write(`${await figures(tenth)}\n`);
const cost = await begin(tenth, subscriptions);
dialogs.length = subscriptions;
const own = dialogs.reduce((sum, { to, callId, contact }) => sum + to.length + callId.length + contact.length + 120, 0);
const bytes = (liveBytes() - before - own) / (subscriptions - 1000);
process.stdout.write(`${await figures(subscriptions)}\n`);
process.stdout.write(`to begin one ${cost.toFixed(0)} us; ${bytes.toFixed(0)} bytes each in memory, `);
process.stdout.write(
  `${subscriber.size} live, ${published} events, ${(written / published).toFixed(0)} bytes written an event\n`,
);
