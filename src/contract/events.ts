// The events that cross the queue: plain JSON, versioned, discriminated by `type` (RFC 2778 words).
// A thing is an event when two networks can say it; until then it stays inside its adapter.
import { z } from 'zod';
import { type Address, parseAddress } from './address.ts';
import { failureConditions, failureReasons, GatewayError } from './errors.ts';

/** Texts by BCP 47 language tag; the empty tag is "language unknown". */
const texts = z.record(z.string(), z.string());

const address = z.string().transform((text, context): Address => {
  try {
    return parseAddress(text);
  } catch {
    context.addIssue({ code: 'custom', message: `not an address: ${text.slice(0, 80)}` });
    return z.NEVER;
  }
});

const instant = z.iso.datetime();

const envelope = {
  v: z.literal(1),
  /** Ours: a letter, then letters and digits; safe as a stanza id, a SIP token and a BullMQ job id. */
  id: z.string().regex(/^[a-z][a-z0-9]{7,63}$/),
  /** The instance that heard it. */
  origin: z.string(),
  /** One id for everything that follows from one message, its receipts included. */
  trace: z.string(),
  /** When the sender said it, or when we heard it: ISO 8601, UTC. */
  at: instant,
  from: address,
  to: address,
  /** `from` and `to` as the origin network wrote them, so that an answer can be addressed there. */
  source: z.object({ from: address, to: address }),
  /** What the origin network calls it; opaque to everybody else. */
  nativeId: z.string().optional(),
  /** Events of one conversation keep their order. */
  conversation: z.string(),
  /** How many gateways it has passed; the loop guard. */
  hops: z.number().int().nonnegative(),
  expiresAt: instant.optional(),
  /** Other instances that could take it, in order: the hub's own note. */
  via: z.array(z.string()).optional(),
};

const attachment = z.object({
  url: z.string(),
  name: z.string().optional(),
  mediaType: z.string().optional(),
  bytes: z.number().int().nonnegative().optional(),
});

/** What only short messages have: carried between networks that have them, left out elsewhere. */
const sms = z.object({
  /** GSM 03.38 message class; 0 is flash. */
  messageClass: z.number().int().min(0).max(3).optional(),
  serviceType: z.string().max(5).optional(),
  protocolId: z.number().int().min(0).max(255).optional(),
  replaceIfPresent: z.boolean().optional(),
  /** Elements of the user data header that nobody here understands, one after the other without the length octet. */
  udh: z.hex().optional(),
  /**
   * Octets that are no text (ring tones, WAP push, SIM data), beside the elements of their header; then `text` is empty
   * and an attachment says it to others.
   */
  binary: z
    .object({ data: z.base64(), udh: z.hex().optional(), dataCoding: z.number().int().min(0).max(255) })
    .optional(),
  /** SMPP optional parameters nobody here understands, by tag: `{ '0x1401': '0a0b' }`. */
  tlvs: z.record(z.string().regex(/^0x[0-9a-f]{4}$/), z.hex()).optional(),
});

const bodies = {
  message: {
    /** May be empty when there is an attachment or a reaction. */
    text: texts,
    subject: texts.optional(),
    /** Groups messages for people (XMPP thread); carried where the far network can. */
    thread: z.string().optional(),
    html: z.string().optional(),
    attachments: z.array(attachment).optional(),
    /** Ids of other messages: native ids in a draft and at an adapter, event ids between the two. */
    replyTo: z.string().optional(),
    replaces: z.string().optional(),
    retracts: z.string().optional(),
    reaction: z.object({ of: z.string(), emoji: z.array(z.string()) }).optional(),
    /** Which receipts the sender asked for. Failures are told unasked. */
    wants: z.array(z.enum(['sent', 'delivered', 'displayed'])),
    priority: z.enum(['low', 'normal', 'urgent', 'emergency']).optional(),
    /** Not to be delivered before: the hub keeps it until then, and `Hub.withdraw` takes it back. */
    notBefore: instant.optional(),
    sms: sms.optional(),
  },
  receipt: {
    /** The message it speaks of: native id in a draft and at an adapter. */
    of: z.string(),
    /** `sent`: the next network took it. `delivered`: it is on the recipient's device. `unknown`: nobody can say any more. */
    state: z.enum(['sent', 'delivered', 'displayed', 'failed', 'expired', 'unknown']),
    reason: z.enum(failureReasons).optional(),
    /** Of a failure: what the network that refused it calls it, where it has a finer word. */
    fault: z.object({ condition: z.enum(failureConditions), movedTo: z.string().max(2048).optional() }).optional(),
    /** In words, for the person who sent it. */
    text: z.string().optional(),
  },
  typing: { state: z.enum(['composing', 'paused', 'gone']) },
  /**
   * How one device of a person is (`from` names the device: XMPP resource, PIDF tuple), or the person as a whole (bare
   * `from`; `unavailable` then means every device). Meant for the one watcher in `to` and for nobody else.
   */
  presence: {
    /** `unknown`: the network says nothing of it (no device heard of, or a watcher who is not told). */
    availability: z.enum(['available', 'chat', 'away', 'extended-away', 'busy', 'unavailable', 'unknown']),
    notes: texts.optional(),
    /** -128 to 127, as XMPP counts (RFC 6121 s.4.7.2.3); below 0 the device takes no messages. */
    priority: z.number().int().min(-128).max(127).optional(),
    /** RPID names (RFC 4480 s.3.2, s.3.6): `on-the-phone`, `meeting`; `happy`. */
    activities: z.array(z.string()).optional(),
    moods: z.array(z.string()).optional(),
    /** Since when nobody has touched the device. */
    idleSince: instant.optional(),
    /** What the person calls the device, or where it answers. */
    device: z.object({ name: z.string().optional(), contact: z.string().optional() }).optional(),
    /** XML elements that nobody here understands, for networks that speak the same format. */
    extensions: z.array(z.string()).optional(),
  },
  /**
   * To a presentity: `request` (asks to watch, for ever where the network can), `cancel`, `fetch` (wants the state now;
   * answered by `presence`). To a watcher: `approve`, `deny` (also: an approval is taken back). RFC 8048 s.5.1.
   */
  subscription: {
    action: z.enum(['request', 'approve', 'deny', 'cancel', 'fetch']),
    /** How long a watcher who must refresh will be there. */
    expiresMs: z.number().int().nonnegative().optional(),
    /** What the person who asks says of it, in words. */
    text: z.string().optional(),
  },
  membership: {
    action: z.enum(['join', 'leave', 'invite', 'remove', 'nick', 'subject']),
    nick: z.string().optional(),
    text: z.string().optional(),
  },
  registration: { state: z.enum(['online', 'offline']) },
};

const schemas = {
  message: z.object({ ...envelope, type: z.literal('message'), ...bodies.message }),
  receipt: z.object({ ...envelope, type: z.literal('receipt'), ...bodies.receipt }),
  typing: z.object({ ...envelope, type: z.literal('typing'), ...bodies.typing }),
  presence: z.object({ ...envelope, type: z.literal('presence'), ...bodies.presence }),
  subscription: z.object({ ...envelope, type: z.literal('subscription'), ...bodies.subscription }),
  membership: z.object({ ...envelope, type: z.literal('membership'), ...bodies.membership }),
  registration: z.object({ ...envelope, type: z.literal('registration'), ...bodies.registration }),
};

const anyEvent = z.discriminatedUnion('type', [
  schemas.message,
  schemas.receipt,
  schemas.typing,
  schemas.presence,
  schemas.subscription,
  schemas.membership,
  schemas.registration,
]);

export type Message = z.output<typeof schemas.message>;
export type Receipt = z.output<typeof schemas.receipt>;
export type Typing = z.output<typeof schemas.typing>;
export type Presence = z.output<typeof schemas.presence>;
export type Subscription = z.output<typeof schemas.subscription>;
export type Membership = z.output<typeof schemas.membership>;
export type Registration = z.output<typeof schemas.registration>;

/** Everything that crosses the queue. */
export type GatewayEvent = z.output<typeof anyEvent>;
export type EventType = GatewayEvent['type'];
export type EventOf<T extends EventType> = Extract<GatewayEvent, { type: T }>;
export type SmsHints = z.output<typeof sms>;
export type ReceiptState = Receipt['state'];

type Stamped = 'v' | 'id' | 'origin' | 'trace' | 'at' | 'source' | 'conversation' | 'hops' | 'via';

/**
 * What an adapter publishes: an event that the hub has yet to stamp. Addresses are those of the adapter's own network.
 * `dedupeKey` is set where the network repeats itself (retransmission, redelivery) and the key tells two messages apart
 * for ever: the hub then lets each key through once.
 */
export type DraftOf<T extends EventType> = Omit<EventOf<T>, Stamped> & {
  at?: string;
  conversation?: string;
  hops?: number;
  dedupeKey?: string;
};
export type Draft = { [T in EventType]: DraftOf<T> }[EventType];

/** Validates what comes back from the queue. Throws GatewayError `malformed` naming the first fault. */
export function parseEvent(json: unknown): GatewayEvent {
  const parsed = anyEvent.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new GatewayError('malformed', `event: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
}
