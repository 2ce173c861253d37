// A MESSAGE between two phones that are registered with us: passed on as a proxy does (RFC 3261 s.16), octet for octet.
import { type Address, GatewayError, type Hub } from '../../src/contract/index.ts';
import type { SipRequest, SipResponse } from './codec/message.ts';
import type { Direction, Directions } from './directions.ts';
import type { Answer, Inbound } from './endpoint.ts';
import type { Requester } from './requester.ts';

export interface RelayParts {
  hub: Hub;
  requester: Pick<Requester, 'send'>;
  directions: Pick<Directions, 'find'>;
  /** For an answer of a phone: less than its sender's own patience (Timer F), who shall hear of it from us. */
  patienceMs: number;
}

// RFC 5393 s.5.3.1
const usualBreadth = 60;
/** What says more than the status. */
const explaining = ['Accept', 'Accept-Encoding', 'Allow', 'Retry-After', 'Unsupported', 'Warning'];
/** What was for us alone. */
const consumed = ['Route', 'Authorization', 'Proxy-Authorization'];

export class Relay {
  readonly #parts: RelayParts;

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /** Undefined when no phone of `to` is registered. 2xx only after the 2xx of a phone. */
  async pass(inbound: Inbound, to: Address): Promise<Answer | undefined> {
    const { directions, hub } = this.#parts;
    const phones = await directions.find(to).catch((error: unknown) => {
      if (error instanceof GatewayError) return [];
      throw error;
    });
    if (phones.length === 0) return undefined;
    const breadth = breadthOf(inbound.request);
    if (breadth < 1) return { status: 440 };
    const chosen = phones.slice(0, breadth);
    const share = Math.floor(breadth / chosen.length);
    const asked = chosen.map((phone) => this.#ask(phone, copyFor(inbound, phone, share)));
    const answer = await best(asked);
    hub.metrics.count('relayed_total', { status: String(answer.status) });
    return answer;
  }

  #ask({ route }: Direction, request: SipRequest): Promise<SipResponse> {
    const signal = AbortSignal.timeout(this.#parts.patienceMs);
    return this.#parts.requester.send({ request, route, signal, credentials: [] });
  }
}

function copyFor({ request, isTrusted }: Inbound, { target, through }: Direction, breadth: number): SipRequest {
  const { kind, method, uri, body } = request;
  const headers = request.headers.copy();
  for (const name of consumed) headers.remove(name);
  if (!isTrusted) headers.remove('P-Asserted-Identity');
  headers.set('Max-Forwards', String(Number(headers.get('Max-Forwards') ?? 71) - 1));
  headers.set('Max-Breadth', String(breadth));
  for (const hop of through) headers.add('Route', hop);
  return { kind, method, uri: target ?? uri, headers, body };
}

function breadthOf({ headers }: SipRequest): number {
  const said = headers.get('Max-Breadth') ?? '';
  return /^\d{1,9}$/.test(said) ? Number(said) : usualBreadth;
}

/** RFC 3261 s.16.7: the first 2xx, else a 6xx, else the lowest class; silence is 480 (RFC 4320 s.4.2: never 408). */
async function best(asked: ReadonlyArray<Promise<SipResponse>>): Promise<Answer> {
  const taken = asked.map(async (one) => {
    const response = await one;
    if (response.status >= 300) throw response;
    return response;
  });
  const outcomes: unknown[] = await Promise.any(taken).then(
    (response) => [response],
    (error: AggregateError) => error.errors,
  );
  const responses = outcomes.filter((outcome): outcome is SipResponse => !(outcome instanceof Error));
  const rank = ({ status }: SipResponse) => (status >= 600 ? 1 : status);
  const [chosen] = responses.sort((a, b) => rank(a) - rank(b));
  if (!chosen || chosen.status === 408) return { status: 480 };
  const { status, reason, headers } = chosen;
  const explained = explaining.flatMap((name) => headers.all(name).map((value) => [name, value] as const));
  return { status, reason: reason.toWellFormed(), headers: status < 300 ? [] : explained };
}
