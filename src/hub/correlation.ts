// Which message a receipt, a reply or a correction speaks of: the ids of one network <-> the ids of another, through the
// event id. Every question is one key, however many messages are outstanding.
import {
  type Address,
  bareAddress,
  type GatewayEvent,
  type Message,
  type ReceiptState,
  type State,
} from '../contract/index.ts';

/** What is remembered of each message, to send its receipts home. */
export interface Remembered {
  readonly origin: string;
  readonly nativeId?: string | undefined;
  /** As the origin wrote them. */
  readonly source: { readonly from: Address; readonly to: Address };
  /** Where it went, and to whom there: who else may speak of it is nobody. */
  readonly instance: string;
  readonly to: Address;
  readonly wants: Message['wants'];
  readonly trace: string;
  readonly conversation: string;
}

export class Correlation {
  readonly #state: State;
  readonly #ttlMs: number;

  constructor(state: State, ttlMs: number) {
    this.#state = state;
    this.#ttlMs = ttlMs;
  }

  /** Called with each message as it is queued. */
  async remember(event: Message, instance: string): Promise<void> {
    const { origin, nativeId, source, to, wants, trace, conversation } = event;
    const remembered: Remembered = { origin, nativeId, source, instance, to, wants, trace, conversation };
    const writes = [this.#state.set(`message/${event.id}`, JSON.stringify(remembered), this.#ttlMs)];
    if (nativeId !== undefined) writes.push(this.#link(origin, nativeId, event.id, source.from));
    await Promise.all(writes);
  }

  /** Called when a network that chooses ids itself took the message. */
  async link(instance: string, nativeId: string, event: Message): Promise<void> {
    await Promise.all([
      this.#link(instance, nativeId, event.id),
      this.#state.set(`native-of/${instance}/${event.id}`, nativeId, this.#ttlMs),
    ]);
  }

  /**
   * The message that `instance` means by an id: an event id that we put on its wire, or one of its own.
   * XMPP ids are unique only per sender, so a sender's own message is found with `writer`.
   */
  async find(instance: string, id: string, writer?: Address): Promise<{ id: string; message: Remembered } | undefined> {
    const direct = await this.#message(id);
    if (direct) return { id, message: direct };
    const event =
      (await this.#state.get(nativeKey(instance, id))) ??
      (writer === undefined ? undefined : await this.#state.get(nativeKey(instance, id, writer)));
    if (event === undefined) return undefined;
    const message = await this.#message(event);
    return message && { id: event, message };
  }

  /** What `instance` calls the message with that event id. */
  async nativeId(instance: string, eventId: string): Promise<string> {
    const message = await this.#message(eventId);
    if (message?.origin === instance) return message.nativeId ?? eventId;
    return (await this.#state.get(`native-of/${instance}/${eventId}`)) ?? eventId;
  }

  /** The event with the ids it speaks of as `instance` calls them. */
  async toNativeIds(instance: string, event: GatewayEvent): Promise<GatewayEvent> {
    return event.type === 'message' ? renamed(event, (id) => this.nativeId(instance, id)) : event;
  }

  /**
   * The other way round. An id that nobody remembers is kept, so that the far side still sees that it is an answer or a
   * correction.
   */
  toEventIds(instance: string, event: Message): Promise<Message> {
    return renamed(event, async (id) => (await this.find(instance, id, event.source.from))?.id ?? id);
  }

  /** Whether the hub has let this dedupe key through before; `seen` says it has. */
  async isRepeat(eventId: string): Promise<boolean> {
    return (await this.#state.get(`seen/${eventId}`)) !== undefined;
  }

  async seen(eventId: string): Promise<void> {
    await this.#state.set(`seen/${eventId}`, '1', this.#ttlMs);
  }

  /** How the message ended so far. */
  async outcome(eventId: string): Promise<ReceiptState | undefined> {
    return (await this.#state.get(`outcome/${eventId}`)) as ReceiptState | undefined;
  }

  async setOutcome(eventId: string, state: ReceiptState): Promise<void> {
    await this.#state.set(`outcome/${eventId}`, state, this.#ttlMs);
  }

  /** Keeps a receipt that came before the network's own answer named the id. */
  async keepEarly(instance: string, nativeId: string, receipt: string): Promise<void> {
    await this.#state.set(`early/${instance}/${nativeId}`, receipt, earlyMs);
  }

  async takeEarly(instance: string, nativeId: string): Promise<string | undefined> {
    return this.#state.take(`early/${instance}/${nativeId}`);
  }

  async #message(eventId: string): Promise<Remembered | undefined> {
    const found = await this.#state.get(`message/${eventId}`);
    return found === undefined ? undefined : (JSON.parse(found) as Remembered);
  }

  #link(instance: string, nativeId: string, eventId: string, writer?: Address): Promise<void> {
    return this.#state.set(nativeKey(instance, nativeId, writer), eventId, this.#ttlMs);
  }
}

const earlyMs = 10 * 60_000;

/** The message with every id in it that names another message put through `rename`. */
async function renamed(event: Message, rename: (id: string) => Promise<string>): Promise<Message> {
  const { replyTo, replaces, retracts, reaction } = event;
  if ((replyTo ?? replaces ?? retracts ?? reaction) === undefined) return event;
  const out: Message = { ...event };
  if (replyTo !== undefined) out.replyTo = await rename(replyTo);
  if (replaces !== undefined) out.replaces = await rename(replaces);
  if (retracts !== undefined) out.retracts = await rename(retracts);
  if (reaction !== undefined) out.reaction = { ...reaction, of: await rename(reaction.of) };
  return out;
}

function nativeKey(instance: string, nativeId: string, writer?: Address): string {
  return `native/${instance}/${writer === undefined ? '' : bareAddress(writer)}/${nativeId.slice(0, 256)}`;
}
