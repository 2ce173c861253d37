// An event on its way out: in the richest form that its reader takes, and simpler where it is refused.
import { type Delivery, type EventOf, GatewayError, type GatewayEvent } from '../../src/contract/index.ts';
import { MimeError } from '../../src/formats/mime.ts';
import { SipParseError, type SipResponse } from './codec/message.ts';
import type { Attempt, Dispatch } from './dispatch.ts';
import type { Disposition } from './disposition.ts';
import { asksReceipts, type Form, plainForm, simplerThan } from './mapping/content.ts';
import { fromMessage } from './mapping/outbound.ts';
import type { Ability, Peers } from './peers.ts';
import type { Recent } from './recent.ts';
import { isTypeRefused, saidInRefusal } from './said.ts';
import type { TypingOut } from './typing-out.ts';
import type { Unsettled } from './unsettled.ts';

export interface OutboxOptions {
  cpim: boolean;
  html: boolean;
}

export interface OutboxParts {
  dispatch: Dispatch;
  peers: Peers;
  disposition: Disposition;
  refused: Recent;
  typing: TypingOut;
  unsettled: Unsettled;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #parts: OutboxParts;

  constructor(options: OutboxOptions, parts: OutboxParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Throws GatewayError. */
  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    try {
      await this.#send(event, signal);
    } catch (error) {
      if (!(error instanceof SipParseError || error instanceof MimeError)) throw error;
      throw new GatewayError('malformed', `SIP cannot say this: ${error.message}`, { cause: error });
    }
    // RFC 5438 s.12.2: a 2xx says that somebody took it, never that it arrived.
    return { state: 'sent' };
  }

  #send(event: GatewayEvent, signal: AbortSignal): Promise<void> {
    switch (event.type) {
      case 'message':
        return this.#message(event, signal);
      case 'receipt':
        return this.#parts.disposition.receipt(event, signal);
      case 'typing':
        return this.#parts.typing.deliver(event, signal);
      default:
        throw new GatewayError('unsupported', `no ${event.type} over SIP here`);
    }
  }

  #message(event: EventOf<'message'>, signal: AbortSignal): Promise<void> {
    const { dispatch, typing, unsettled } = this.#parts;
    typing.ended(event);
    return unsettled.until(event, () =>
      dispatch.send(event, signal, (attempt, peer) => this.#inSomeForm(event, attempt, peer)),
    );
  }

  /** Down from the richest form until one is taken; what made the difference is remembered. */
  async #inSomeForm(event: EventOf<'message'>, attempt: Attempt, peer: string): Promise<SipResponse> {
    let form = saysMoreThanText(event) ? await this.#richest(event, peer) : plainForm;
    let refusal: Refusal | undefined;
    for (;;) {
      const simpler = simplerThan(form);
      const answer = attempt((context) => fromMessage(event, form, context));
      if (!simpler) return this.#learnt(peer, await answer, form, refusal);
      const response = await answer.catch(noneWhenTooLarge);
      if (response && !isFormRefused(response)) return this.#learnt(peer, response, form, refusal);
      if (response) this.#parts.refused.add(event.id);
      if (response && isTypeRefused(response)) refusal = { of: form, response };
      form = simpler;
    }
  }

  /** Only a refusal teaches anything: that of the richer form, where there was one. */
  async #learnt(peer: string, response: SipResponse, form: Form, refusal?: Refusal): Promise<SipResponse> {
    const telling = refusal?.response ?? response;
    if (telling.status < 300) return response;
    const sent = refusal && response.status < 300 ? countedOn(refusal.of, form) : [];
    await this.#parts.peers.learn(peer, saidInRefusal(telling, 'MESSAGE', sent), String(telling.status));
    return response;
  }

  async #richest(event: EventOf<'message'>, peer: string): Promise<Form> {
    const { peers } = this.#parts;
    const { cpim, html } = this.#options;
    const takesCpim = cpim && asksReceipts(event) && (await peers.takes(peer, 'cpim')) !== false;
    // Nobody gets markup who has not said that they take it.
    const takesHtml = html && event.html !== undefined && (await peers.takes(peer, 'html')) === true;
    if (!takesHtml) return { ...plainForm, cpim: takesCpim };
    return { cpim: takesCpim, html: (await peers.takes(peer, 'multipart')) === true ? 'alternative' : 'only' };
  }
}

interface Refusal {
  of: Form;
  response: SipResponse;
}

function saysMoreThanText(event: EventOf<'message'>): boolean {
  return event.html !== undefined || asksReceipts(event);
}

function isFormRefused(response: SipResponse): boolean {
  return isTypeRefused(response) || response.status === 413 || response.status === 513;
}

// RFC 3428 s.8: too long for UDP where TCP is refused; without markup and envelope it may fit.
function noneWhenTooLarge(error: unknown): undefined {
  if (!(error instanceof GatewayError && error.reason === 'too-large')) throw error;
}

/** What stands in the one form and no longer in the next. */
function countedOn(refused: Form, taken: Form): Ability[] {
  if (refused.cpim && !taken.cpim) return ['cpim'];
  return refused.html === 'alternative' ? ['multipart'] : ['html'];
}
