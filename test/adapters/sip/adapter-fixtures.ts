// The adapter, listening on ports of the system's choice, with a peer beside it.
import type { TestContext } from 'node:test';
import type { z } from 'zod';
import { options } from '../../../adapters/sip/config.ts';
import { SipAdapter } from '../../../adapters/sip/index.ts';
import { type EventOf, type Message, parseAddress, type Receipt } from '../../../src/contract/index.ts';
import { type FakeHub, fakeHub } from '../../peers/hub.ts';
import { type RequestParts, requestText, type SipPeer, startSipPeer } from '../../peers/sip-peer.ts';

export type Settings = z.input<typeof options>;

export const gatewayDomain = 'gw.example';
export const alice = parseAddress('sip:alice%40xmpp.example@gw.example');

export interface Opened {
  sip: SipAdapter;
  hub: FakeHub;
  peer: SipPeer;
  port: number;
  /** Sends a request over UDP and resolves with the final response to it. */
  ask(parts?: Partial<RequestParts>): ReturnType<SipPeer['until']>;
}

/** Quick timers: T1 of 20 ms makes a timeout of 1.3 s. */
export const settings: Settings = {
  listen: [
    { transport: 'udp', port: 0 },
    { transport: 'tcp', port: 0 },
  ],
  domains: [{ domain: gatewayDomain, shows: ['xmpp', 'tel'], home: 'xmpp.example' }],
  holdMs: 30,
  t1Ms: 20,
  t2Ms: 160,
  t4Ms: 200,
  // No question behind the messages that a test counts.
  peers: { ask: false },
};

export function create(more: Settings = {}, proxyCheckMs?: number): SipAdapter {
  return new SipAdapter(options.parse({ ...settings, ...more }), proxyCheckMs);
}

export async function open(t: TestContext, more: Settings = {}, peerOptions = {}): Promise<Opened> {
  const peer = await startSipPeer(peerOptions);
  t.after(() => peer.stop());
  const hub = fakeHub();
  const sip = create(more);
  t.after(() => sip.stop());
  await sip.start(hub);
  const port = sip.portOf('UDP');
  let asked = 0;
  const ask: Opened['ask'] = (parts = {}) => {
    asked++;
    const callId = parts.callId ?? `ask-${asked}`;
    peer.sendUdp(requestText({ port: peer.port, callId, ...parts }), port);
    const isFinal = (text: string) => /^SIP\/2\.0 [2-6]/.test(text);
    return peer.until(({ first, header }) => isFinal(first) && header('Call-ID') === callId);
  };
  return { sip, hub, peer, port, ask };
}

let events = 0;

export function message(to: string, more: Partial<Message> = {}): Message {
  return { ...envelope(to), type: 'message', text: { '': 'hello' }, wants: [], ...more };
}

export function receipt(to: string, more: Partial<Receipt> & Pick<Receipt, 'of' | 'state'>): Receipt {
  return { ...envelope(to), type: 'receipt', ...more };
}

export function typing(to: string, state: EventOf<'typing'>['state']): EventOf<'typing'> {
  return { ...envelope(to), type: 'typing', state };
}

function envelope(to: string) {
  events++;
  const id = `e${String(events).padStart(12, '0')}`;
  const people = { from: alice, to: parseAddress(to) };
  const at = '2026-07-01T12:00:00.000Z';
  return { v: 1 as const, id, origin: 'jabber', trace: id, at, ...people, source: people, conversation: id, hops: 1 };
}

export const { signal } = new AbortController();
