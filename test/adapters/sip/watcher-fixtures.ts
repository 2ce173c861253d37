// People of the SIP side who watch others: the presence rooms between a scripted network and a hub, on the test's clock.
import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import { Headers, SipParseError, type SipRequest, type SipResponse } from '../../../adapters/sip/codec/message.ts';
import { options } from '../../../adapters/sip/config.ts';
import type { Direction } from '../../../adapters/sip/directions.ts';
import type { Answer } from '../../../adapters/sip/endpoint.ts';
import { statusOf } from '../../../adapters/sip/errors.ts';
import { Presence } from '../../../adapters/sip/presence/index.ts';
import type { Binding } from '../../../adapters/sip/registrar.ts';
import type { Outgoing } from '../../../adapters/sip/requester.ts';
import { type EventOf, GatewayError, parseAddress, type ViewRow } from '../../../src/contract/index.ts';
import { type FakeHub, fakeHub } from '../../peers/hub.ts';
import { FakeClock, FakeFlow } from './fixtures.ts';

export const bob = parseAddress('sip:bob@other.example');
export const alice = parseAddress('sip:alice%40xmpp.example@gw.example');

export interface Asking {
  from?: string;
  uri?: string;
  callId?: string;
  cseq?: number;
  expires?: number | string | undefined;
  event?: string | undefined;
  accept?: string;
  contact?: string;
  via?: string;
  flow?: FakeFlow;
  isTrusted?: boolean;
  user?: string;
  more?: ReadonlyArray<readonly [string, string]>;
  body?: string | Uint8Array;
}

export interface Notified {
  request: SipRequest;
  flow: FakeFlow | undefined;
  state: string;
  body: string;
  at: number;
}

type WatcherSettings = Partial<z.input<typeof options>['watchers']>;
type PublicationSettings = Partial<z.input<typeof options>['publications']>;
type MoreSettings = Pick<z.input<typeof options>, 'lists'>;

export class Site {
  readonly clock = new FakeClock();
  readonly hub: FakeHub;
  readonly notified: Notified[] = [];
  /** Connections that are open, by id. */
  readonly open = new Map<string, FakeFlow>();
  presence: Presence;
  /** How the watcher answers a NOTIFY: a status, or what the requester throws. */
  onNotify: (request: SipRequest) => number | SipResponse | Promise<number | SipResponse> = () => 200;
  /** What a challenge does to the request on its way. */
  onSent: ((request: SipRequest) => void) | undefined;
  /** The phones of everybody of our own, and what they are asked (SUBSCRIBE). */
  phones: Direction[] = [];
  /** What everybody of our own has registered. */
  bindings: Binding[] = [];
  readonly asked: SipRequest[] = [];
  onAsked: (request: SipRequest) => SipResponse | Promise<SipResponse> = () => response(200, [['Expires', '600']]);
  readonly learnt: string[] = [];
  readonly #settings: WatcherSettings;
  readonly #publications: PublicationSettings;
  readonly #more: MoreSettings;
  #calls = 0;

  constructor(
    settings: WatcherSettings = {},
    hub = fakeHub(),
    publications: PublicationSettings = {},
    more: MoreSettings = {},
  ) {
    this.#more = more;
    this.#settings = settings;
    this.#publications = publications;
    this.hub = hub;
    this.hub.clock ??= Date.parse('2026-07-01T12:00:00Z');
    this.presence = this.#build();
  }

  /** SUBSCRIBE, and what follows the answer. */
  async subscribe(asking: Asking = {}): Promise<Answer & { callId: string }> {
    this.#calls++;
    const callId = asking.callId ?? `call-${this.#calls}@other.example`;
    const answer = await this.send(subscribeRequest({ ...asking, callId }), asking);
    return { ...answer, callId };
  }

  /** A SUBSCRIBE inside the dialog that the answer made. */
  again(first: Answer & { callId: string }, cseq: number, asking: Asking = {}): Promise<Answer & { callId: string }> {
    const to = `<${asking.uri ?? alice}>;tag=${first.toTag}`;
    return this.subscribe({ callId: first.callId, cseq, ...asking, more: [['To', to], ...(asking.more ?? [])] });
  }

  async send(request: SipRequest, { flow, isTrusted = false, user }: Asking = {}): Promise<Answer> {
    const method = this.presence.methods().get(request.method);
    if (!method) throw new Error(`no ${request.method}`);
    const way = flow ?? new FakeFlow(this.clock);
    const answer = await method.handle({ request, flow: way, isTrusted, ...(user === undefined ? {} : { user }) });
    answer.afterwards?.();
    await settled();
    return answer;
  }

  /** A SUBSCRIBE of which only the status matters, however it comes about. */
  async answered(asking: Asking = {}): Promise<Answer> {
    try {
      return await this.subscribe(asking);
    } catch (error) {
      if (error instanceof SipParseError) return { status: error.status };
      if (error instanceof GatewayError) return { status: statusOf(error.reason) };
      throw error;
    }
  }

  async rows(): Promise<ViewRow[]> {
    return Array.fromAsync(this.presence.views.subscriptions?.() ?? []);
  }

  /** What the hub brings from the presentity. */
  async approve(action: 'approve' | 'deny' = 'approve', from = alice, to = bob): Promise<void> {
    const event: EventOf<'subscription'> = { ...this.#envelope(from, to), type: 'subscription', action };
    await this.presence.deliver(event, new AbortController().signal);
    await settled();
  }

  async tell(said: Partial<EventOf<'presence'>> = {}): Promise<void> {
    const { from = parseAddress(`${alice};gr=phone`), to = bob, ...rest } = said;
    const event: EventOf<'presence'> = {
      ...this.#envelope(from, to),
      type: 'presence',
      availability: 'available',
      ...rest,
    };
    await this.presence.deliver(event, new AbortController().signal);
    await settled();
  }

  /** Both clocks, in steps in which everything is done that can be done. */
  async advance(ms: number, stepMs = Math.max(ms / 20, 10)): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      const step = Math.min(stepMs, left);
      this.hub.clock = (this.hub.clock ?? 0) + step;
      this.clock.now += step;
      this.clock.wheel.advance();
      await settled();
    }
  }

  /** A new process on the same store. */
  async restart(): Promise<void> {
    this.presence.stop();
    this.presence = this.#build();
    await this.presence.start();
    await settled();
  }

  get last(): Notified {
    const last = this.notified.at(-1);
    if (!last) throw new Error('no NOTIFY');
    return last;
  }

  get states(): string[] {
    return this.notified.map(({ state }) => state.replace(/;?expires=\d+/, ''));
  }

  #build(): Presence {
    const settings = options.parse({ ...this.#more, watchers: this.#settings, publications: this.#publications });
    const domains = [{ domain: 'gw.example', shows: ['xmpp' as const], home: 'xmpp.example' }];
    return new Presence(
      {
        ...{ ...settings, ...settings.watchers, gatewayDomains: domains },
        ...{ domains: new Set(['gw.example', 'native.example']), nativeDomains: new Set(['native.example']) },
      },
      {
        hub: this.hub,
        wheel: this.clock.wheel,
        bindings: async () => this.bindings,
        requester: { send: (outgoing) => this.#notify(outgoing) },
        directions: { find: async () => this.phones, destination: () => 'nowhere' },
        peers: {
          takes: async () => undefined,
          learn: async (peer, verdicts) => void this.learnt.push(`${peer} ${JSON.stringify(verdicts)}`),
        },
        transports: {
          connection: (id) => this.open.get(id),
          flowTo: async ({ address, port }) => new FakeFlow(this.clock, 'UDP', { address, port }),
        },
      },
    );
  }

  async #notify({ request, route, prepare, onSent }: Outgoing): Promise<SipResponse> {
    const flow = 'flow' in route ? (route.flow as FakeFlow) : undefined;
    prepare?.(request, flow ?? new FakeFlow(this.clock));
    this.onSent?.(request);
    onSent?.(request, new Uint8Array());
    if (request.method === 'SUBSCRIBE') {
      this.asked.push(request);
      return this.onAsked(request);
    }
    const state = request.headers.get('Subscription-State') ?? '';
    const body = Buffer.from(request.body).toString();
    this.notified.push({ request, flow, state, body, at: this.hub.now() });
    const answer = await this.onNotify(request);
    if (typeof answer !== 'number') return answer;
    return response(answer);
  }

  #envelope(from: typeof bob, to: typeof bob) {
    const id = 'e000000000001';
    const at = new Date(this.hub.now()).toISOString();
    return { v: 1 as const, id, origin: 'x', trace: id, at, from, to, source: { from, to }, conversation: id, hops: 1 };
  }
}

export function response(status: number, more: ReadonlyArray<readonly [string, string]> = []): SipResponse {
  const headers = new Headers();
  for (const [name, value] of more) headers.add(name, value);
  return { kind: 'response', status, reason: '', headers, body: new Uint8Array() };
}

export function subscribeRequest(asking: Asking & { callId: string }): SipRequest {
  const { from = `<${bob}>;tag=b1`, uri = alice, cseq = 1, contact = '<sip:bob@192.0.2.9:5070>' } = asking;
  const headers = new Headers()
    .add('Via', asking.via ?? 'SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1')
    .add('Max-Forwards', '70')
    .add('From', from)
    .add('To', `<${uri}>`)
    .add('Call-ID', asking.callId)
    .add('CSeq', `${cseq} SUBSCRIBE`)
    .add('Contact', contact);
  const event = 'event' in asking ? asking.event : 'presence';
  const expires = 'expires' in asking ? asking.expires : 600;
  if (event !== undefined) headers.add('Event', event);
  if (expires !== undefined) headers.add('Expires', String(expires));
  if (asking.accept !== undefined) headers.add('Accept', asking.accept);
  for (const [name, value] of asking.more ?? []) {
    if (name === 'To') headers.set(name, value);
    else headers.add(name, value);
  }
  return { kind: 'request', method: 'SUBSCRIBE', uri, headers, body: Buffer.from(asking.body ?? []) };
}

/** Everything that needs no clock has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

export function headerOf(answer: Answer, name: string): string | undefined {
  return answer.headers?.find(([key]) => key === name)?.[1];
}

/** Somebody who was let in and told once: three NOTIFY so far. */
export async function watching(site = new Site(), asking: Asking = {}) {
  const first = await site.subscribe(asking);
  await site.approve();
  await site.tell();
  await site.advance(60);
  return { site, first };
}
