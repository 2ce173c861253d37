// SUBSCRIBE on its way out: who asks whom, by which way, so many at once to one destination (RFC 6665 s.4.1.2).
import { type GatewayDomain, GatewayError, type Hub, splitAddress } from '../../../../src/contract/index.ts';
import { formatCSeq, parseCSeq } from '../../codec/cseq.ts';
import { Headers, type SipRequest, type SipResponse } from '../../codec/message.ts';
import { formatNameAddr, parseNameAddr } from '../../codec/name-addr.ts';
import { formatUri, parseUri, type SipUri } from '../../codec/uri.ts';
import { type Dialog, requestIn } from '../../dialog.ts';
import type { Direction, Directions } from '../../directions.ts';
import { assertSender } from '../../dispatch.ts';
import { uriOf } from '../../mapping/addresses.ts';
import { maxForwardsOf } from '../../mapping/hops.ts';
import type { Peers } from '../../peers.ts';
import type { Requester } from '../../requester.ts';
import { saidInRefusal } from '../../said.ts';
import { newTag } from '../../tokens.ts';
import { type Flow, uriParametersOf } from '../../transport/flow.ts';
import { traceMessage } from '../../wire-trace.ts';
import { Gate, inTurn } from '../gate.ts';
import { acceptedBodies, eventPackage } from './notification.ts';
import { cseqsPerRequest, type WatchStore } from './store.ts';
import type { Attempt, Watch, Watching } from './watch.ts';

export interface SenderOptions {
  domains: readonly GatewayDomain[];
  /** SUBSCRIBE requests under way to one destination; more wait. */
  perDestination: number;
}

export interface SenderParts {
  hub: Hub;
  requester: Pick<Requester, 'send'>;
  directions: Pick<Directions, 'find' | 'destination'>;
  peers: Pick<Peers, 'learn'>;
  store: WatchStore;
}

export interface Wish {
  /** 0 ends it. */
  seconds: number;
  signal: AbortSignal;
  /** The event behind it, for its trace, and how many gateways that has passed. */
  event?: string | undefined;
  hops: number;
  /** Called with each copy that leaves. */
  sent(): void;
}

/** Longer than this no notifier may make us stay (RFC 6665 s.4.2.1.1 lets it ask for at most an hour). */
const mostSeconds = 86_400;

export class Sender {
  readonly #options: SenderOptions;
  readonly #parts: SenderParts;
  readonly #gate: Gate<() => void>;

  constructor(options: SenderOptions, parts: SenderParts) {
    this.#options = options;
    this.#parts = parts;
    this.#gate = new Gate({ most: Number.POSITIVE_INFINITY, mostPerDestination: options.perDestination });
  }

  /** For a new dialog, under a new Call-ID and tag. Throws GatewayError when nobody answers. */
  open(watching: Watching, wish: Wish): Promise<SipResponse> {
    return this.#inTurn(watching, async () => {
      const directions = await this.#parts.directions.find(watching.watch.contact);
      const last = directions.pop();
      if (!last) throw noWay();
      // RFC 3856 s.6.9 has one dialog: of several phones the first that takes it has it.
      for (const direction of directions) {
        const response = await this.#attempt(watching, direction, wish).catch(unanswered);
        wish.signal.throwIfAborted();
        if (response && !leavesRoom(response.status)) return response;
      }
      return this.#attempt(watching, last, wish);
    });
  }

  #attempt(watching: Watching, direction: Direction, wish: Wish): Promise<SipResponse> {
    const attempt: Attempt = { callId: newTag() + newTag(), localTag: newTag(), cseq: 0 };
    this.#parts.store.rename(watching, () => {
      watching.attempt = attempt;
      watching.watch.phone = direction.target;
      delete watching.watch.dialog;
    });
    const build = (seconds: number) => this.#initial(watching, attempt, direction, { ...wish, seconds });
    const used = (cseq: number) => {
      attempt.cseq = cseq;
      // A NOTIFY that came before the answer has made the dialog already.
      useUpTo(watching, attempt.callId, cseq);
    };
    return this.#agree(watching, wish, (seconds) => this.#send(watching, build(seconds), direction, wish, used));
  }

  /** Inside the dialog: a refresh, or with no seconds its end. Throws GatewayError when nobody answers. */
  inside(watching: Watching, wish: Wish): Promise<SipResponse> {
    return this.#inTurn(watching, () =>
      this.#agree(watching, wish, async (seconds) => {
        const { dialog } = watching.watch;
        if (!dialog) throw new GatewayError('unavailable', 'the dialog has ended meanwhile', { native: '481' });
        // RFC 3261 s.12.2.1.1: no number twice, whatever becomes of this process.
        if (dialog.localCSeq + cseqsPerRequest > watching.reservedCSeq) await this.#parts.store.save(watching);
        const { request, next } = requestIn(dialog, 'SUBSCRIBE');
        addWish(request.headers, seconds);
        const { etag } = watching.watch;
        if (etag !== undefined && seconds > 0) request.headers.add('Suppress-If-Match', etag);
        const direction = await this.#wayInside(dialog, next, watching.watch);
        return this.#send(watching, request, direction, wish, (cseq) => useUpTo(watching, dialog.callId, cseq));
      }),
    );
  }

  #inTurn<T>(watching: Watching, work: () => Promise<T>): Promise<T> {
    return inTurn(this.#gate, this.#parts.directions.destination(watching.watch.contact), work);
  }

  // RFC 6665 s.4.1.2.2: a notifier that finds it too short says how long it wants.
  async #agree(
    { watch }: Watching,
    { seconds }: Wish,
    ask: (seconds: number) => Promise<SipResponse>,
  ): Promise<SipResponse> {
    const wanted = seconds === 0 ? 0 : (watch.seconds ?? seconds);
    const response = await ask(wanted);
    const least = Number(response.headers.get('Min-Expires') ?? Number.NaN);
    if (response.status !== 423 || !(least > wanted && least <= mostSeconds)) return response;
    watch.seconds = least;
    return ask(least);
  }

  #initial({ watch }: Watching, attempt: Attempt, direction: Direction, { hops, seconds }: Wish): SipRequest {
    const { domains } = this.#options;
    const contact = uriOf(watch.contact, domains);
    const from = direction.showAs ?? uriOf(watch.watcher, domains);
    const headers = new Headers()
      .add('Max-Forwards', String(maxForwardsOf(hops)))
      .add('From', formatNameAddr({ uri: from, parameters: new Map([['tag', attempt.localTag]]) }))
      .add('To', formatNameAddr({ uri: contact, parameters: new Map() }))
      .add('Call-ID', attempt.callId)
      .add('CSeq', formatCSeq({ number: attempt.cseq + 1, method: 'SUBSCRIBE' }));
    addWish(headers, seconds);
    return { kind: 'request', method: 'SUBSCRIBE', uri: direction.target ?? contact, headers, body: new Uint8Array() };
  }

  // The dialog's own routes; without any, as everything to that person goes, and to the dialog's target.
  async #wayInside({ routes }: Dialog, next: SipUri, { contact, phone }: Watch): Promise<Direction> {
    const directions = await this.#parts.directions.find(contact);
    if (directions.length === 0) throw noWay();
    const direction = phone === undefined ? directions[0] : directions.find(({ target }) => target === phone);
    if (!direction) throw new GatewayError('unavailable', 'this phone is not registered any more', { native: '481' });
    if (routes.length === 0 && !direction.isDirect) return direction;
    return { ...direction, route: { uri: next }, through: [] };
  }

  async #send(
    watching: Watching,
    request: SipRequest,
    direction: Direction,
    { signal, event, sent }: Wish,
    used: (cseq: number) => void,
  ): Promise<SipResponse> {
    const { hub, requester, peers } = this.#parts;
    const { peer, route, through, credentials, contact } = direction;
    for (const hop of through) request.headers.add('Route', hop);
    assertSender(request.headers, uriOf(watching.watch.watcher, this.#options.domains), direction);
    const response = await requester.send({
      request,
      route,
      signal,
      credentials,
      prepare: (copy, flow) => copy.headers.set('Contact', this.#contactAt(watching, flow, contact)),
      onSent: (copy, bytes) => {
        used(parseCSeq(copy.headers.get('CSeq') ?? '').number);
        sent();
        if (event !== undefined) traceMessage(hub, event, 'outbound', copy, bytes);
      },
    });
    await peers.learn(peer, saidInRefusal(response, 'SUBSCRIBE', []), String(response.status));
    return response;
  }

  // Where NOTIFY is to come: the watcher at this very door. RFC 7247 s.6.5: the device is `gr`, a parameter of the URI.
  #contactAt({ watch, online }: Watching, { sentBy, transport }: Flow, registered: string | undefined): string {
    if (registered !== undefined) return formatNameAddr({ uri: registered, parameters: new Map() });
    const { user } = parseUri(uriOf(watch.watcher, this.#options.domains));
    const parameters = uriParametersOf(transport);
    const device = splitAddress(watch.watcher).resource ?? online[0] ?? '';
    if (device !== '') parameters.set('gr', encodeURIComponent(device));
    const uri = formatUri({ scheme: 'sip', ...sentBy, parameters, ...(user === undefined ? {} : { user }) });
    return formatNameAddr({ uri, parameters: new Map() });
  }
}

/** RFC 6665 s.4.1.2.1 and s.4.4.4, RFC 3856 s.6.5; RFC 5627 s.4.3 for the Contact that names a device. */
function addWish(headers: Headers, seconds: number): void {
  headers
    .add('Event', eventPackage)
    .add('Accept', acceptedBodies.join(', '))
    .add('Allow-Events', eventPackage)
    .add('Supported', 'gruu, eventlist')
    .add('Expires', String(seconds));
}

/** Whether it failed because the dialog's other end is no more. */
export function isGone(error: unknown): boolean {
  return error instanceof GatewayError && error.native === '481';
}

function noWay(): GatewayError {
  return new GatewayError('unreachable', 'there is no way to this contact');
}

function unanswered(error: unknown): undefined {
  if (!(error instanceof GatewayError)) throw error;
}

/** RFC 3261 s.16.7: another phone may still take what this one does not; a person who says no speaks for all. */
function leavesRoom(status: number): boolean {
  return status >= 300 && status < 600 && status !== 403;
}

function useUpTo({ watch }: Watching, callId: string, cseq: number): void {
  const { dialog } = watch;
  if (dialog?.callId === callId && cseq > dialog.localCSeq) watch.dialog = { ...dialog, localCSeq: cseq };
}

/** What a 2xx to a refresh says: until when, and where the notifier now is (RFC 3261 s.12.2.1.2). */
export function prolong(watch: Watch, { headers }: SipResponse, seconds: number, now: number): void {
  const most = watch.seconds ?? seconds;
  const granted = Number(headers.get('Expires') ?? most);
  watch.expiresAt = now + (granted > 0 ? Math.min(granted, most) : most) * 1000;
  const [contact] = headers.all('Contact');
  if (!watch.dialog || contact === undefined || contact === '*') return;
  watch.dialog = { ...watch.dialog, target: parseNameAddr(contact).uri.replace(/\?.*$/s, '') };
}
