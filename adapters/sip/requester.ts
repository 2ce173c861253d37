// Sends one request and comes back with its final response: next hops and failover (RFC 3263), UDP or TCP by size,
// digest (RFC 3261 s.22), redirections.
import { GatewayError } from '../../src/contract/index.ts';
import { formatCSeq, parseCSeq } from './codec/cseq.ts';
import type { SipRequest, SipResponse } from './codec/message.ts';
import { type NameAddr, parseNameAddr } from './codec/name-addr.ts';
import { parseUri, type SipUri } from './codec/uri.ts';
import { answerChallenge, type Credentials, NonceCounts } from './digest/index.ts';
import { retryAfterOf } from './errors.ts';
import type { NextHop } from './next-hop.ts';
import type { Transactions } from './transaction/transactions.ts';
import type { Flow } from './transport/flow.ts';
import type { Target, Transports } from './transport/transports.ts';

/** Over a flow that is there, or to wherever a URI leads. */
export type Route = { flow: Flow } | { uri: SipUri };

export interface Outgoing {
  request: SipRequest;
  route: Route;
  signal: AbortSignal;
  credentials?: readonly Credentials[] | undefined;
  /** What depends on the way it takes (Contact); called before each request is sent. */
  prepare?(request: SipRequest, flow: Flow): void;
  /** Called with each request as it leaves, and with its bytes. */
  onSent?(request: SipRequest, bytes: Uint8Array): void;
}

export interface RequesterParts {
  transports: Transports;
  transactions: Transactions;
  nextHop: NextHop;
  credentials: () => readonly Credentials[];
}

// RFC 3261 s.18.1.1, for a path whose MTU nobody knows.
const datagramBytes = 1300;
/** What our own Via will add. */
const viaBytes = 120;
const unreachableMs = 30_000;
const overloadedMs = 10_000;
const maxRedirections = 5;
const proofs = ['Authorization', 'Proxy-Authorization'];

export class Requester {
  readonly #parts: RequesterParts;
  readonly #counts = new NonceCounts();

  constructor(parts: RequesterParts) {
    this.#parts = parts;
  }

  /**
   * The final response, whatever it says. The request's own Vias stay below ours; its CSeq is raised when it has to be repeated.
   * Throws GatewayError when nobody answers.
   */
  async send(outgoing: Outgoing): Promise<SipResponse> {
    const first = await this.#proved(outgoing.request, outgoing.route, outgoing);
    return redirections(first.response).length === 0 ? first.response : this.#redirected(first, outgoing);
  }

  // s.8.1.3.4: one place after the other, each once, until somebody takes it or there is no other.
  async #redirected(first: Answered, by: Outgoing): Promise<SipResponse> {
    const tried = new Set([first.request.uri]);
    const places = redirections(first.response);
    let last: SipResponse | GatewayError = first.response;
    let { request } = first;
    while (places.length > 0 && tried.size <= maxRedirections) {
      const uri = places.shift() as string;
      if (tried.has(uri)) continue;
      tried.add(uri);
      request = { ...next(request), uri };
      // s.22: what was proved to one place is no business of the other, which may ask for itself.
      for (const name of proofs) request.headers.remove(name);
      // s.8.1.2: with a route set it is the first of that to which every request goes.
      const route = request.headers.has('Route') ? by.route : { uri: parseUri(uri) };
      try {
        const { request: sent, response } = await this.#proved(request, route, by);
        request = sent;
        last = response;
        if (response.status < 300 || response.status >= 600) break;
        places.unshift(...redirections(response));
      } catch (error) {
        if (!(error instanceof GatewayError) || by.signal.aborted) throw error;
        last = error;
      }
    }
    if (last instanceof GatewayError) throw last;
    return last;
  }

  async #proved(asked: SipRequest, route: Route, outgoing: Outgoing): Promise<Answered> {
    let request = asked;
    let response = await this.#exchange(request, route, outgoing);
    for (let attempt = 0; attempt < 2; attempt++) {
      const signed = this.#signed(request, response, outgoing.credentials ?? this.#parts.credentials());
      if (!signed) break;
      // s.22.2: a nonce that has gone stale is worth one more answer, a wrong password is not.
      if (attempt === 1 && !/stale\s*=\s*"?true/i.test(challengesOf(response).join())) break;
      request = signed;
      response = await this.#exchange(request, route, outgoing);
    }
    return { request, response };
  }

  #signed(request: SipRequest, response: SipResponse, credentials: readonly Credentials[]): SipRequest | undefined {
    if (response.status !== 401 && response.status !== 407) return undefined;
    const { method, uri, body } = request;
    const answers = answerChallenge(challengesOf(response), credentials, { method, uri, body }, this.#counts);
    if (answers.length === 0) return undefined;
    const signed = next(request);
    const name = response.status === 401 ? 'Authorization' : 'Proxy-Authorization';
    signed.headers.remove(name);
    for (const answer of answers) signed.headers.add(name, answer);
    return signed;
  }

  #exchange(request: SipRequest, route: Route, by: Outgoing): Promise<SipResponse> {
    return 'flow' in route ? this.#over(route.flow, request, by) : this.#failover(request, route.uri, by);
  }

  async #over(flow: Flow, request: SipRequest, by: Outgoing): Promise<SipResponse> {
    const outcome = await this.#transact(request, flow, by);
    if ('response' in outcome) return outcome.response;
    throw unreachable(outcome.failure, flow.remote.address, outcome.cause);
  }

  // RFC 3263 s.4.3: the next one after 503, silence or a broken connection, each time with a branch of its own.
  async #failover(request: SipRequest, uri: SipUri, by: Outgoing): Promise<SipResponse> {
    const { nextHop } = this.#parts;
    let failure: GatewayError | undefined;
    let refusal: SipResponse | undefined;
    for (const target of await nextHop.resolve(uri)) {
      const opened = this.#openFlow(request, target) ?? (await this.#open(request, target));
      if (opened instanceof GatewayError) {
        failure = opened;
        if (!opened.isFinal) nextHop.block(target, unreachableMs);
        continue;
      }
      const outcome = await this.#transact(request, opened, by);
      if ('failure' in outcome) {
        failure = unreachable(outcome.failure, `${target.address}:${target.port}`, outcome.cause);
        nextHop.block(target, unreachableMs);
      } else if (outcome.response.status === 503) {
        refusal = outcome.response;
        nextHop.block(target, retryAfterOf(refusal) ?? overloadedMs);
      } else {
        nextHop.unblock(target);
        return outcome.response;
      }
    }
    if (refusal) return refusal;
    throw failure ?? new GatewayError('unreachable', 'no target');
  }

  /** Where nothing has to be opened first. */
  #openFlow(request: SipRequest, target: Target): Flow | undefined {
    return isTooLong(request, target) ? undefined : this.#parts.transports.openFlowTo(target);
  }

  async #open(request: SipRequest, target: Target): Promise<Flow | GatewayError> {
    const { transports } = this.#parts;
    const needsTcp = isTooLong(request, target);
    try {
      return await transports.flowTo(needsTcp ? { ...target, transport: 'TCP' } : target);
    } catch (error) {
      const where = `${target.address}:${target.port}`;
      const isRefused = (error as { code?: unknown }).code === 'ECONNREFUSED';
      if (!needsTcp || !isRefused) {
        const why = error instanceof Error ? error.message : String(error);
        return new GatewayError('unreachable', `${where}: ${why}`, { cause: error });
      }
      // s.18.1.1 falls back to UDP; RFC 3428 s.8 forbids that to a MESSAGE.
      if (request.method !== 'MESSAGE') return transports.flowTo(target);
      return new GatewayError(
        'too-large',
        `${where} takes no TCP, and UDP carries ${datagramBytes} bytes (RFC 3428 s.8)`,
      );
    }
  }

  #transact(request: SipRequest, flow: Flow, { signal, prepare, onSent }: Outgoing): Promise<Outcome> {
    const sent = prepare ? copyOf(request) : request;
    prepare?.(sent, flow);
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(givenUp(signal));
        return;
      }
      const settle = (outcome: Outcome) => {
        signal.removeEventListener('abort', abort);
        resolve(outcome);
      };
      const abort = () => {
        transaction.end();
        reject(givenUp(signal));
      };
      const transaction = this.#parts.transactions.request(sent, flow, {
        onResponse: (response) => {
          if (response.status >= 200) settle({ response });
        },
        onFailure: (failure, cause) => settle({ failure, cause }),
      });
      signal.addEventListener('abort', abort, { once: true });
      onSent?.(sent, transaction.bytes);
    });
  }
}

/** As it was sent in the end. */
interface Answered {
  request: SipRequest;
  response: SipResponse;
}

type Outcome = { response: SipResponse } | { failure: 'timeout' | 'transport'; cause: Error | undefined };

/** The same request as a new one: s.8.1.3.5 and s.22.2 raise the CSeq. */
function next(request: SipRequest): SipRequest {
  const copy = copyOf(request);
  const { number, method } = parseCSeq(copy.headers.get('CSeq') ?? '');
  copy.headers.set('CSeq', formatCSeq({ number: number + 1, method }));
  return copy;
}

function copyOf(request: SipRequest): SipRequest {
  const { kind, method, uri, headers, body } = request;
  return { kind, method, uri, headers: headers.copy(), body };
}

function challengesOf({ status, headers }: SipResponse): string[] {
  return headers.all(status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate');
}

/** Where to ask instead, the most wanted first; never what is no SIP. */
function redirections({ status, headers }: SipResponse): string[] {
  if (status < 300 || status > 302) return [];
  const contacts = headers.all('Contact').filter((contact) => contact !== '*');
  const wishes = contacts.map(parseNameAddr).filter(({ uri }) => /^sips?:/i.test(uri));
  const q = ({ parameters }: NameAddr) => Number(parameters.get('q') ?? 1) || 0;
  return wishes.sort((one, other) => q(other) - q(one)).map(({ uri }) => uri.replace(/\?.*$/s, ''));
}

function isTooLong(request: SipRequest, { transport }: Target): boolean {
  return transport === 'UDP' && sizeOf(request) + viaBytes > datagramBytes;
}

function sizeOf(request: SipRequest): number {
  const { method, uri, headers, body } = request;
  let bytes = method.length + uri.length + body.length + 40;
  for (let line = 0; line < headers.size; line++) {
    bytes += headers.nameAt(line).length + Buffer.byteLength(headers.valueAt(line)) + 4;
  }
  return bytes;
}

function unreachable(failure: 'timeout' | 'transport', where: string, cause: Error | undefined): GatewayError {
  const what = failure === 'timeout' ? 'does not answer' : (cause?.message ?? 'cannot be reached');
  return new GatewayError('unreachable', `${where}: ${what}`, { native: failure === 'timeout' ? '408' : '503', cause });
}

function givenUp(signal: AbortSignal): GatewayError {
  return new GatewayError('unavailable', 'given up', { cause: signal.reason });
}
