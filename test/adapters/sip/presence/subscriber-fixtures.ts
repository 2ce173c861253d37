// A subscriber whose far end is the test: SUBSCRIBE requests are answered by a script, NOTIFY requests are handed in as text.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  decodeMessage,
  SipParseError,
  type SipRequest,
  type SipResponse,
} from '../../../../adapters/sip/codec/message.ts';
import { parseUri } from '../../../../adapters/sip/codec/uri.ts';
import type { Direction } from '../../../../adapters/sip/directions.ts';
import { Subscriber, type SubscriberOptions } from '../../../../adapters/sip/presence/subscriber/index.ts';
import type { Outgoing } from '../../../../adapters/sip/requester.ts';
import { type Draft, type EventOf, GatewayError, parseAddress } from '../../../../src/contract/index.ts';
import { sampleEvent } from '../../../peers/events.ts';
import { type FakeHub, fakeHub } from '../../../peers/hub.ts';
import { FakeClock, FakeFlow } from '../fixtures.ts';

export const watcher = 'sip:alice%40xmpp.example@gw.example';
export const contact = 'sip:bob@sip.example';
export const { signal } = new AbortController();

export const t1Ms = 500;
export const timerN = 64 * t1Ms;

/** What the far end says to a SUBSCRIBE: a status, with headers; nothing for no answer at all. */
export type Reply = (request: SipRequest) => { status: number; headers?: Record<string, string> } | undefined;

export interface Bench {
  readonly subscriber: Subscriber;
  readonly hub: FakeHub;
  readonly clock: FakeClock;
  /** Each SUBSCRIBE that left, oldest first, and where it went. */
  readonly sent: SipRequest[];
  readonly routes: Outgoing['route'][];
  readonly credentials: Array<Outgoing['credentials']>;
  /** What was learnt of peers: `sip:bob@sip.example presence false 405`. */
  readonly learnt: string[];
  /** How it finds its way: `direction`. */
  readonly finder: { find(): Promise<Direction[]> };
  reply: Reply;
  direction: Direction;
  /** The subscription event of the watcher. */
  ask(action: EventOf<'subscription'>['action'], from?: string, to?: string): Promise<void>;
  heard(availability: EventOf<'presence'>['availability'], from?: string, to?: string): void;
  /** A NOTIFY in the dialog of the last SUBSCRIBE, unless told otherwise; resolves with the status of the answer. */
  notify(state: string, more?: Partial<Notice>): Promise<number>;
  /** Moves both clocks, and lets what that sets off come to rest. */
  pass(ms: number): Promise<void>;
  /** The SUBSCRIBE that left last. */
  last(): SipRequest;
}

export interface Notice {
  body: string;
  type: string;
  fromTag: string;
  toTag: string;
  callId: string;
  cseq: number;
  event: string;
  more: string[];
}

export const options: SubscriberOptions = {
  domains: [{ domain: 'gw.example', shows: ['xmpp'] }],
  expires: 3600,
  perDestination: 20,
  max: 1000,
  maxPerWatcher: 1000,
  t1Ms,
};

export async function bench(
  t: TestContext,
  more: { hub?: FakeHub; clock?: FakeClock; options?: Partial<SubscriberOptions>; random?: () => number } = {},
): Promise<Bench> {
  const clock = more.clock ?? new FakeClock();
  const hub = more.hub ?? fakeHub();
  hub.clock ??= 1_790_000_000_000;
  const sent: SipRequest[] = [];
  const routes: Outgoing['route'][] = [];
  const credentials: Array<Outgoing['credentials']> = [];
  const learnt: string[] = [];
  const flow = new FakeFlow(clock);
  const send = async ({
    request,
    route,
    credentials: own,
    prepare,
    onSent,
    signal: given,
  }: Outgoing): Promise<SipResponse> => {
    given.throwIfAborted();
    prepare?.(request, flow);
    onSent?.(request, new Uint8Array());
    sent.push(request);
    routes.push(route);
    credentials.push(own);
    await rest();
    const said = made.reply(request);
    if (!said) throw new GatewayError('unreachable', 'no answer', { native: '408' });
    return response(request, said.status, said.headers);
  };
  const subscriber = new Subscriber(
    { ...options, ...more.options },
    {
      hub,
      requester: { send },
      directions: { find: () => made.finder.find(), destination: () => 'sip.example' },
      peers: {
        learn: async (peer, verdicts, from) => {
          for (const [ability, takes] of Object.entries(verdicts)) learnt.push(`${peer} ${ability} ${takes} ${from}`);
        },
      },
      wheel: clock.wheel,
      random: more.random ?? (() => 0.5),
    },
  );
  t.after(() => subscriber.stop());
  await subscriber.start();
  let cseq = 0;
  const made: Bench = {
    subscriber,
    hub,
    clock,
    sent,
    routes,
    credentials,
    learnt,
    finder: { find: async () => [made.direction] },
    reply: () => ({ status: 200, headers: { Expires: '3600' } }),
    direction: { peer: contact, route: { uri: parseUri(contact) }, through: [], isDirect: true },
    ask: (action, from = watcher, to = contact) =>
      subscriber.deliver(sampleEvent('subscription', from, to, { action }), signal),
    heard: (availability, from = `${watcher};gr=phone`, to = contact) =>
      subscriber.heard(sampleEvent('presence', from, to, { availability })),
    notify: (state, parts = {}) => {
      cseq++;
      return answered(subscriber, notice(made.last(), state, { cseq, ...parts }));
    },
    pass: async (ms) => {
      // In steps, as time does: what a step sets off may set the next timer.
      let lively = 0;
      for (let left = ms; left > 0; left -= 1000) {
        const step = Math.min(left, 1000);
        hub.clock = (hub.clock ?? 0) + step;
        clock.now += step;
        const { visits } = clock.wheel;
        clock.wheel.advance();
        if (clock.wheel.visits > visits) lively = 4;
        if (lively-- > 0) await rest();
      }
    },
    last: () => {
      const request = sent.at(-1);
      assert.ok(request, 'no SUBSCRIBE has left');
      return request;
    },
  };
  return made;
}

/** Everything that can go on without a timer or the network has gone on. */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export async function answered(subscriber: Subscriber, request: SipRequest): Promise<number> {
  try {
    return (await subscriber.handleNotify({ request })).status;
  } catch (error) {
    if (error instanceof SipParseError) return error.status;
    throw error;
  }
}

export function tagIn(header: string | undefined): string {
  return /;tag=([^;]*)/.exec(header ?? '')?.[1] ?? '';
}

/** A NOTIFY that answers that SUBSCRIBE. */
export function notice(subscribe: SipRequest, state: string, parts: Partial<Notice> = {}): SipRequest {
  const { headers } = subscribe;
  const { body = '', type = 'application/pidf+xml', cseq = 1, event = 'presence', more = [] } = parts;
  const { fromTag = 'remote', toTag = tagIn(headers.get('From')), callId = headers.get('Call-ID') } = parts;
  const text = [
    'NOTIFY sip:alice%40xmpp.example@192.0.2.1:5060 SIP/2.0',
    `Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${cseq}`,
    'Max-Forwards: 70',
    `From: <${contact}>;tag=${fromTag}`,
    `To: <${watcher}>${toTag === '' ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} NOTIFY`,
    'Contact: <sip:bob@192.0.2.9:5060>',
    ...(event === '' ? [] : [`Event: ${event}`]),
    ...(state === '' ? [] : [`Subscription-State: ${state}`]),
    ...more,
    ...(body === '' ? [] : [`Content-Type: ${type}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
  const message = decodeMessage(Buffer.from(text));
  if (message.kind !== 'request') throw new Error('not a request');
  return message;
}

/** A document with one tuple for each id: `open`, `closed`, or `open` with a <show/>. */
export function pidf(tuples: Record<string, string>, inside = ''): string {
  const written = Object.entries(tuples).map(([id, state]) => {
    const show = /^(open|closed)$/.test(state) ? '' : `<show xmlns="jabber:client">${state}</show>`;
    const basic = state === 'closed' ? 'closed' : 'open';
    return `<tuple id="${id}"><status><basic>${basic}</basic>${show}</status></tuple>`;
  });
  return `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:bob@sip.example">${written.join('')}${inside}</presence>`;
}

/** What was published, in short: `approve`, `probe`, `bob/ID-a away`. */
export function told(hub: FakeHub, since = 0): string[] {
  return hub.drafts.slice(since).map(short);
}

function short(draft: Draft): string {
  if (draft.type === 'subscription') return draft.action;
  if (draft.type !== 'presence') return draft.type;
  const [, device] = draft.from.split(';gr=');
  return `bob${device === undefined ? '' : `/${device}`} ${draft.availability}`;
}

function response({ headers }: SipRequest, status: number, more: Record<string, string> = {}): SipResponse {
  const copied = ['From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${headers.get(name)}`);
  const added = Object.entries(more).map(([name, value]) => `${name}: ${value}`);
  const text = [`SIP/2.0 ${status} Any`, 'Via: SIP/2.0/UDP x;branch=z9hG4bK1', ...copied, ...added, '', ''].join(
    '\r\n',
  );
  const message = decodeMessage(Buffer.from(text));
  if (message.kind !== 'response') throw new Error('not a response');
  return message;
}

/** A watcher who was granted, with one device of the contact known. */
export async function watched(t: TestContext, more: Parameters<typeof bench>[1] = {}): Promise<Bench> {
  const made = await bench(t, more);
  await made.ask('request');
  assert.equal(await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) }), 200);
  return made;
}

export { parseAddress };

/** Until the watcher's network is asked whether the watcher is there; random is 0.5. */
export async function untilProbe({ pass, hub }: Bench): Promise<void> {
  const { length } = hub.drafts;
  for (let turns = 0; turns < 2000 && !told(hub, length).includes('fetch'); turns++) await pass(5000);
  assert.ok(told(hub, length).includes('fetch'), 'nobody was asked');
}

/** Brings a live watch to its refresh: the probe, and the watcher's answer that he is there. */
export async function refresh(made: Bench): Promise<void> {
  await untilProbe(made);
  made.heard('available');
  await rest();
  await rest();
}

/** For a NOTIFY that belongs to an earlier SUBSCRIBE. */
export function dialogOf({ headers }: SipRequest): Pick<Notice, 'callId' | 'toTag'> {
  return { callId: headers.get('Call-ID') ?? '', toTag: tagIn(headers.get('From')) };
}
