// The SIP adapter alone, between a peer that is trusted as a proxy is and a hub that keeps nothing: what it takes it is done with,
// or, as a relay, sends on. On demand it delivers so many messages.
import { options } from '../../adapters/sip/config.ts';
import { SipAdapter } from '../../adapters/sip/index.ts';
import { type Draft, type EventOf, type GatewayEvent, type Hub, parseAddress } from '../../src/contract/index.ts';
import { MemoryState } from '../../test/peers/hub.ts';

interface Order {
  count: number;
  window: number;
  /** Ask for receipts, so that the message goes in CPIM. */
  wantsReceipts: boolean;
}

const [farPort, isRelay] = process.argv.slice(2);
const { signal } = new AbortController();
const at = new Date().toISOString();
const nothing = () => {};
let events = 0;

const hub: Hub = {
  ...{ instance: 'bench', state: new MemoryState(), status: nothing, withdraw: async () => false, now: Date.now },
  reachable: nothing,
  log: { debug: nothing, info: nothing, warn: nothing, error: (fields) => process.stderr.write(`${fields.error}\n`) },
  trace: { hop: nothing },
  people: { enter: async () => {}, remove: async () => {} },
  metrics: { count: nothing, gauge: nothing, observe: nothing },
  publish: async (draft) => {
    const id = newId();
    if (isRelay === 'relay') void sip.deliver(onwards(draft, id), signal);
    return { id, isRepeat: false };
  },
};

const sip = new SipAdapter(
  options.parse({
    listen: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
    domains: [{ domain: 'gw.example', shows: ['xmpp'] }],
    outboundProxy: `sip:127.0.0.1:${farPort}`,
    trusted: ['127.0.0.1'],
    holdMs: 0,
    t1Ms: 50,
    t4Ms: 2500,
    peers: { ask: false },
    ...{ maxServerTransactions: 1_000_000, maxPending: 100_000 },
  }),
);

function newId(): string {
  events++;
  return `e${String(events).padStart(21, '0')}`;
}

/** What came from SIP for a person of XMPP, as if that person's network had it for one of SIP. */
function onwards(draft: Draft, id: string): GatewayEvent {
  const { from, to } = draft;
  const people = { from: to, to: from, source: { from: to, to: from } };
  return { v: 1, id, origin: 'bench', trace: id, at, conversation: id, hops: 1, ...draft, ...people } as GatewayEvent;
}

function messageOf(number: number, wantsReceipts: boolean): EventOf<'message'> {
  const id = newId();
  const from = parseAddress(`sip:alice${number % 500}%40xmpp.example@gw.example`);
  const to = parseAddress(`sip:bob${number % 500}@other.example`);
  return {
    ...{ v: 1, id, origin: 'bench', trace: id, at, from, to, source: { from, to }, conversation: id, hops: 1 },
    ...{ type: 'message', wants: wantsReceipts ? ['delivered'] : [] },
    text: { '': 'Hello from the bench: so long is what people write to one another, in the middle of many.' },
  };
}

async function pour({ count, window, wantsReceipts }: Order): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await sip.deliver(messageOf(next++, wantsReceipts), signal);
  };
  await Promise.all(Array.from({ length: window }, worker));
  process.send?.({ done: true });
}

process.on('message', (order: Order) => void pour(order));
process.on('disconnect', () => process.exit());
await sip.start(hub);
process.send?.({ port: sip.portOf('UDP') });
