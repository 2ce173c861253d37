// A MESSAGE on its way in: who it is from, what it says, and the answer its sender gets, which is never more than the truth.
import {
  type Address,
  bareAddress,
  type DraftOf,
  type Hub,
  type Receipt,
  splitAddress,
} from '../../src/contract/index.ts';
import type { AskedStore } from './asked.ts';
import type { SipRequest } from './codec/message.ts';
import { type Answer, type Inbound, oneLine } from './endpoint.ts';
import { refusalOf, statusOf } from './errors.ts';
import type { Guard } from './guard.ts';
import { type Holds, holdKey } from './holds.ts';
import { isAnonymous, type PeopleOptions, peopleOf, speaksAs } from './mapping/addresses.ts';
import { type Asked, incomingOf, type People, toIncoming } from './mapping/inbound.ts';
import type { Peers } from './peers.ts';
import { Recent } from './recent.ts';
import type { Relay } from './relay.ts';
import type { TypingWatch } from './typing-watch.ts';
import type { Unsettled } from './unsettled.ts';
import { traceMessage } from './wire-trace.ts';

export interface InboxOptions {
  recipient: PeopleOptions['recipient'];
  domains: ReadonlySet<string>;
  isOurContact: PeopleOptions['isOurContact'];
  nativeDomains: ReadonlySet<string>;
  holdMs: number;
  force200: boolean;
}

export interface InboxParts {
  hub: Hub;
  holds: Holds;
  asked: AskedStore;
  typing: TypingWatch;
  peers: Peers;
  peerOf(address: Address): string;
  /** Messages of ours of which a form was refused. */
  refused: Recent;
  guard: Guard;
  relay: Relay;
  unsettled: Unsettled;
}

export class Inbox {
  readonly #options: InboxOptions;
  readonly #parts: InboxParts;
  /** What messages were called. */
  readonly #named = new Recent();

  constructor(options: InboxOptions, parts: InboxParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** MESSAGE. Throws SipParseError and GatewayError. */
  async handle(inbound: Inbound): Promise<Answer> {
    const { request, isTrusted, user } = inbound;
    const { recipient, domains, nativeDomains, isOurContact } = this.#options;
    const { hub, typing, guard, relay } = this.#parts;
    const people = peopleOf(request, { recipient, domains, isTrusted, isOurContact });
    if (user !== undefined && !speaksAs(user, people.from, nativeDomains))
      return { status: 403, reason: 'Not Your Address' };
    const refusal = guard.refusal(inbound, people);
    if (refusal) return refusal;
    const isNeighbour = nativeDomains.has(splitAddress(people.to).domain);
    if (isNeighbour && !this.#isForHub(request, people)) {
      const relayed = await relay.pass(inbound, people.to);
      if (relayed) return relayed;
    }
    const incoming = toIncoming(request, people, hub.now());
    const pair = `${bareAddress(people.from)}|${bareAddress(people.to)}`;
    switch (incoming.kind) {
      case 'message':
        typing.forget(pair);
        if (isNeighbour) this.#parts.unsettled.taken(people);
        return this.#message(inbound, incoming.draft, incoming.asked);
      case 'receipt':
        if (incoming.isOfRich && (await this.#wasRefused(incoming.draft))) return { status: 200 };
        await hub.publish(incoming.draft);
        if (incoming.isBare) await this.#parts.peers.learnMore(this.#parts.peerOf(people.from), 'bareImdn', 'its own');
        return { status: 200 };
      case 'typing':
        await this.#typing(incoming.draft, pair, incoming.refreshMs);
        return { status: 200 };
      case 'nothing':
        return { status: 200 };
    }
  }

  /** What must not be relayed though a phone is there. */
  #isForHub(request: SipRequest, people: People): boolean {
    const { hub, unsettled } = this.#parts;
    const isBehind = unsettled.has(people.from, people.to);
    if (!isBehind && isPlain(request)) return false;
    const incoming = incomingOf(request, people, hub.now());
    if (incoming?.kind === 'message') return isBehind;
    // The hub alone knows what the sender called a message that we wrote, though a phone of ours may have its sender's address.
    return incoming?.kind === 'receipt' && incoming.isOfRich;
  }

  async #message({ request }: Inbound, draft: DraftOf<'message'>, asked: Asked | undefined): Promise<Answer> {
    const { hub, holds, asked: store } = this.#parts;
    const { holdMs, force200 } = this.#options;
    const nativeId = draft.nativeId ?? '';
    if (asked && !isAnonymous(draft.from)) await store.keep(draft.from, nativeId, asked);
    if (holdMs > 0 && !draft.wants.includes('delivered')) draft.wants.push('delivered');
    const key = holdKey(draft.from, nativeId);
    // Of several messages with one Call-ID (RFC 7572 s.4 makes a thread of it) a receipt does not say which it is for.
    const hold = holdMs > 0 && !this.#named.has(key) ? holds.open(key) : undefined;
    try {
      const { id, isRepeat } = await hub.publish(draft);
      this.#named.add(key);
      traceMessage(hub, id, 'inbound', request);
      const receipt = isRepeat ? undefined : await hold?.wait(holdMs);
      return { ...(receipt ? answerOf(receipt, draft.to) : { status: force200 ? 200 : 202 }), event: id };
    } finally {
      hold?.close();
    }
  }

  // RFC 5438 s.12.1.3.1: of an attempt that was refused the response has told us, and a simpler one has followed it.
  async #wasRefused({ from, of, state }: DraftOf<'receipt'>): Promise<boolean> {
    const { refused, peers, peerOf } = this.#parts;
    if (state !== 'failed') return false;
    return refused.has(of) || (await peers.takes(peerOf(from), 'cpim')) === false;
  }

  async #typing(draft: DraftOf<'typing'>, pair: string, refreshMs: number): Promise<void> {
    const { hub, typing } = this.#parts;
    typing.forget(pair);
    await hub.publish(draft);
    if (draft.state !== 'composing') return;
    typing.watch(pair, refreshMs, () => {
      hub
        .publish({ ...draft, state: 'paused' })
        .catch((error: Error) => hub.log.debug({ why: error.message }, 'typing'));
    });
  }
}

function isPlain({ headers }: SipRequest): boolean {
  return /^text\//i.test(headers.get('Content-Type') ?? '');
}

/** Proof that came in time. */
function answerOf({ state, reason, text, fault }: Receipt, to: Address): Answer {
  if (state === 'delivered' || state === 'displayed') return { status: 200 };
  const refusal = fault
    ? refusalOf(fault, splitAddress(to).resource !== undefined)
    : { status: statusOf(reason ?? (state === 'expired' ? 'expired' : 'unavailable')) };
  return text === undefined ? refusal : { ...refusal, reason: oneLine(text) };
}
