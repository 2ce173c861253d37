// Sends the requests that an event becomes: one at a time to one target, to all phones of a person at once, with what the
// way there asks for.
import {
  type Address,
  bareAddress,
  type GatewayDomain,
  GatewayError,
  type GatewayEvent,
  type Hub,
} from '../../src/contract/index.ts';
import { Turns } from '../../src/guards/turns.ts';
import type { Headers, SipRequest, SipResponse } from './codec/message.ts';
import { formatNameAddr } from './codec/name-addr.ts';
import type { Direction, Directions } from './directions.ts';
import { errorOf } from './errors.ts';
import { uriOf } from './mapping/addresses.ts';
import type { OutboundContext } from './mapping/outbound.ts';
import type { PeerQuestions } from './peer-questions.ts';
import type { Requester } from './requester.ts';
import { traceMessage } from './wire-trace.ts';

export interface DispatchParts {
  hub: Hub;
  requester: Requester;
  directions: Directions;
  domains: readonly GatewayDomain[];
  /** Absent where peers are not to be asked. */
  questions?: PeerQuestions | undefined;
}

/** Sends what is built, in one direction. */
export type Attempt = (build: (context: OutboundContext) => SipRequest) => Promise<SipResponse>;
/** As many attempts as the peer makes necessary; the last response counts. Undefined: nothing to say to this peer. */
export type Exchange = (attempt: Attempt, peer: string) => Promise<SipResponse | undefined>;

export class Dispatch {
  readonly #parts: DispatchParts;
  readonly #turns = new Turns();

  constructor(parts: DispatchParts) {
    this.#parts = parts;
  }

  /** Throws GatewayError unless somebody answered 2xx. `to` is the next target, where it is not the recipient. */
  send(event: GatewayEvent, signal: AbortSignal, exchange: Exchange, to: Address = event.to): Promise<void> {
    // RFC 3428 s.8
    return this.#turns.take(bareAddress(to), async () => {
      signal.throwIfAborted();
      const directions = await this.#parts.directions.find(to);
      await firstTaken(directions.map((direction) => this.#sendBy(direction, event, signal, exchange)));
    });
  }

  async #sendBy(direction: Direction, event: GatewayEvent, signal: AbortSignal, exchange: Exchange): Promise<void> {
    const response = await exchange(this.#attempt(event, direction, signal), direction.peer);
    if (response && response.status >= 300) throw errorOf(response);
  }

  #attempt(event: GatewayEvent, direction: Direction, signal: AbortSignal): Attempt {
    const { hub, requester, domains, questions } = this.#parts;
    const { route, target, showAs, through, credentials } = direction;
    return async (build) => {
      const request = build({ now: hub.now(), domains, target, showAs });
      for (const hop of through) request.headers.add('Route', hop);
      if (direction.asserts !== undefined) assertSender(request.headers, uriOf(event.from, domains), direction);
      const onSent = (sent: SipRequest, bytes: Uint8Array) => traceMessage(hub, event.id, 'outbound', sent, bytes);
      const outgoing = { request, route, signal, credentials, onSent };
      const response = await requester.send(outgoing).catch((error: unknown) => {
        if (error instanceof GatewayError && error.reason === 'unreachable') direction.unanswered?.();
        throw error;
      });
      hub.metrics.count('answers_total', { method: request.method, status: String(response.status) });
      traceMessage(hub, event.id, 'inbound', response);
      if (response.status < 300) questions?.consider(direction, request);
      return response;
    };
  }
}

/** P-Asserted-Identity (RFC 3325 s.6): only to those we trust with it. */
export function assertSender(headers: Headers, sender: string, { asserts }: Pick<Direction, 'asserts'>): void {
  const uri = asserts === 'sender' ? sender : asserts;
  if (uri !== undefined) headers.add('P-Asserted-Identity', formatNameAddr({ uri, parameters: new Map() }));
}

/** Resolves with the first that was taken; rejects with the failure that is most worth another try. */
async function firstTaken(outcomes: readonly Promise<void>[]): Promise<void> {
  if (outcomes.length === 1) return outcomes[0];
  try {
    await Promise.any(outcomes);
  } catch (error) {
    const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
    throw failures.find((failure) => failure instanceof GatewayError && !failure.isFinal) ?? failures[0];
  }
}
