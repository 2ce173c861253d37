// One component domain: its session, what arrives over it on the way to the hub, and what it answers by itself.
import { randomUUID } from 'node:crypto';
import {
  type Address,
  asGatewayError,
  bareAddress,
  type Draft,
  GatewayError,
  type GatewayEvent,
  type Hub,
  jidOf,
  type Presence,
  type Published,
  type Subscription,
} from '../../src/contract/index.ts';
import { childOf, serializeXml, type XmlElement } from '../../src/formats/xml.ts';
import type { StanzaHead } from '../../src/formats/xml-stream.ts';
import { SparingLog } from '../../src/guards/sparing-log.ts';
import type { Clock } from './clock.ts';
import { ns } from './codec/namespaces.ts';
import { encodeStanza } from './codec/stream.ts';
import { barrierPeer, type ComponentOptions, type XmppOptions } from './config.ts';
import type { ConnectionOptions } from './connection.ts';
import { readError } from './errors.ts';
import { Heard } from './heard.ts';
import { Inbox } from './inbox.ts';
import { fromNews, type News } from './mapping/extended-presence.ts';
import { oneEach } from './mapping/multicast.ts';
import { peopleOf } from './mapping/people.ts';
import { fromPresence, fromSubscription } from './mapping/presence.ts';
import { toEvents } from './mapping/to-events.ts';
import { PresenceDesk } from './presence.ts';
import { Registrations } from './registration.ts';
import { errorReply } from './replies.ts';
import { answerIq, capsOf } from './services.ts';
import { Session, type SessionOptions, type SessionState } from './session.ts';
import { Shown } from './shown.ts';
import { Told } from './told.ts';
import { hiddenIn } from './trace.ts';
import { Watches } from './watches.ts';

export class Component {
  options: ComponentOptions;
  readonly session: Session;
  readonly #hub: Hub;
  readonly #log: SparingLog;
  #maxRecipients: number;
  readonly #inbox: Inbox;
  readonly #presence: PresenceDesk;
  readonly watches: Watches;
  readonly registrations: Registrations;
  readonly #shown: Shown;
  readonly #told: Told;
  readonly #heard: Heard;

  constructor(
    options: XmppOptions,
    component: ComponentOptions,
    hub: Hub,
    clock: Clock,
    onState: (state: SessionState, why?: string) => void,
  ) {
    this.options = component;
    this.#hub = hub;
    this.#log = new SparingLog(hub.log, () => hub.now());
    this.#maxRecipients = options.maxRecipients;
    this.registrations = new Registrations(component.domain, hub, () => this.options.registration);
    this.session = new Session(
      sessionOptions(options, component),
      {
        onStanza: (stanza) => this.#onStanza(stanza),
        onSkipped: (stanza, why) => this.#refuseUnread(stanza, new GatewayError('too-large', why.message)),
        onState: (state, why) => {
          onState(state, why);
          if (state === 'up') this.#onUp();
        },
        trace: hub.trace,
      },
      clock,
    );
    this.#inbox = new Inbox(options, this.session, clock);
    this.#shown = new Shown(component.domain, hub.state);
    this.#told = new Told(component.domain, hub.state);
    this.#heard = new Heard(component.domain, hub.state);
    this.watches = new Watches(component.domain, {
      state: hub.state,
      clock,
      say: (action, from, to) => this.#say(action, from, to),
      askMore: (pair) => this.#presence.askNews(pair),
      conclude: (said) => this.#presence.publish(said),
    });
    this.#presence = new PresenceDesk({
      hub,
      inbox: this.#inbox,
      session: this.session,
      watches: this.watches,
      told: this.#told,
      heard: this.#heard,
    });
  }

  /** Other options of the same component under the same secret. */
  configure(options: XmppOptions, component: ComponentOptions): void {
    this.options = component;
    this.#maxRecipients = options.maxRecipients;
    this.session.configure(sessionOptions(options, component));
    this.#inbox.configure(options);
    // One after the other with who registers meanwhile.
    const open = () => this.registrations.open();
    this.#inbox.take('registrations', open, ({ message: why }) => {
      this.#hub.log.warn({ why }, 'registrations are not up to date');
    });
  }

  /** What has arrived is published, or its sender told, before we say goodbye; so is what arrives meanwhile. */
  async stop(): Promise<void> {
    this.watches.stop();
    await this.#inbox.stop();
    await this.session.stop();
    await this.#inbox.stop();
  }

  /** What the presence of a contact of this domain says of its abilities. */
  caps(contact: Address): XmlElement {
    return capsOf(jidOf(contact), this.options);
  }

  /** Writes what an event says; resolves when the server has taken it. Rejects as Session.send does. */
  write(event: GatewayEvent, id: string, wire: string, signal: AbortSignal): Promise<void> {
    const written = () => this.session.send(id, wire, signal);
    if (event.type === 'subscription') return this.#writeSubscription(event, written);
    if (event.type !== 'presence') return written();
    const shown = () => this.#writePresence(event, written, signal);
    return this.#told.carry(event, shown, (news) => this.#tell(event, news, signal));
  }

  async #writeSubscription(event: Subscription, written: () => Promise<void>): Promise<void> {
    const { action, from, to } = event;
    if (action === 'cancel') await this.#heard.forget({ watcher: bareAddress(from), presentity: bareAddress(to) });
    await this.watches.carry(event, written);
  }

  #writePresence(event: Presence, written: () => Promise<void>, signal: AbortSignal): Promise<void> {
    return this.#shown.carry(event, written, (device) => {
      const gone = fromPresence(
        { ...event, id: randomUUID(), from: device, availability: 'unavailable' },
        this.#hub.now(),
      );
      return this.session.send(gone.attributes.id ?? '', encodeStanza(gone), signal);
    });
  }

  // Whoever has no use for moods drops them; to be told costs nobody a question (XEP-0115) and us no memory.
  async #tell({ id, from, to }: Presence, news: News, signal: AbortSignal): Promise<void> {
    const stanza = fromNews(news, `${newsId}${randomUUID()}`, from, to);
    const wire = encodeStanza(stanza);
    this.#hub.trace.hop(id, { direction: 'outbound', what: 'message headline', wire, hidden: hiddenIn(wire) });
    try {
      await this.session.send(stanza.attributes.id ?? '', wire, signal);
    } catch (error) {
      // The presence it belongs to has arrived.
      if (asGatewayError(error).reason === 'unavailable') throw error;
    }
  }

  // Presence that came while we were away came to nobody.
  #onUp(): void {
    this.watches
      .refresh()
      .catch((error: Error) => this.#hub.log.warn({ why: error.message }, 'presence is not up to date'));
  }

  #say(action: 'request' | 'fetch', from: Address, to: Address): Promise<void> {
    const stanza = fromSubscription({ id: randomUUID(), from, to, action });
    return this.session.send(stanza.attributes.id ?? '', encodeStanza(stanza));
  }

  #onStanza(stanza: XmlElement): void {
    this.#guarded(stanza, () => this.#read(stanza));
  }

  /** Whatever a stanza does to us, its sender hears of it and the next one is read. */
  #guarded(stanza: XmlElement, read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof GatewayError)) this.#hub.log.error({ error, stanza: stanza.name }, 'a stanza we fail at');
      this.#refuseUnread(stanza, asGatewayError(error));
    }
  }

  /** What the hub never saw, and so says nothing of. */
  #refuseUnread(stanza: StanzaHead, error: GatewayError): void {
    const { reason, message: why } = error;
    const from = stanza.attributes.from?.slice(0, 100);
    this.#log.warn(reason, { component: this.options.domain, stanza: stanza.name, from, reason, why }, 'refused');
    this.#refuse(stanza, error);
  }

  #read(stanza: XmlElement): void {
    const { name, attributes } = stanza;
    if (name === 'message') {
      if (attributes.type === 'error') this.#onBounce(stanza);
      else if (childOf(stanza, 'event', ns.pubsubEvent)) this.#presence.takeNews(stanza);
      else this.#onMessage(stanza);
    } else if (name === 'presence') {
      this.#presence.take(stanza);
    } else if (name === 'iq') this.#onIq(stanza);
  }

  #onIq(iq: XmlElement): void {
    const { type } = iq.attributes;
    if (type === 'result' || type === 'error') this.#presence.takeNews(iq);
    else if (this.registrations.concerns(iq)) {
      const answer = async () => this.#answer(await this.registrations.answer(iq));
      this.#inbox.take('registrations', answer, (error) => this.#refuse(iq, error));
    } else this.#answer(answerIq(iq, { ...this.options, offers: this.#offers() }, this.#hub.now()));
  }

  #offers(): string[] {
    return [...(this.registrations.isOffered ? [ns.register] : []), ...(this.#maxRecipients > 0 ? [ns.addresses] : [])];
  }

  #answer(answer: XmlElement | undefined): void {
    if (answer) this.session.answer(answer);
  }

  #onMessage(stanza: XmlElement): void {
    for (const one of oneEach(stanza, this.options, this.#maxRecipients)) {
      this.#guarded(one, () => this.#onMessageTo(one));
    }
  }

  #onMessageTo(stanza: XmlElement): void {
    const drafts = toEvents(stanza, this.#hub.now());
    const [first] = drafts;
    if (!first) return;
    const pair = `${bareAddress(first.from)}|${bareAddress(first.to)}`;
    for (const draft of drafts) {
      const publish = async () => this.#traced(await this.#hub.publish(draft), draft, stanza);
      this.#inbox.take(pair, publish, (error) => {
        // Receipts and chat states are told to nobody when they fail: their sender did not write them.
        if (draft.type === 'message') this.#refuse(stanza, error);
      });
    }
  }

  // What we wrote comes back (RFC 6120 s.8.3): the answer to a delivery under way, or news of an older one.
  #onBounce(stanza: XmlElement): void {
    const { id } = stanza.attributes;
    if (!id) return;
    const error = readError(stanza);
    if (this.session.refused(id, error) || id.startsWith(newsId)) return;
    const { reason, message: text, fault } = error;
    const draft: Draft = {
      type: 'receipt',
      ...peopleOf(stanza),
      of: id,
      state: 'failed',
      reason,
      text,
      ...(fault && { fault }),
    };
    this.#inbox.take(
      id,
      async () => this.#traced(await this.#hub.publish(draft), draft, stanza),
      () => {},
    );
  }

  #traced(published: Published, draft: Draft, stanza: XmlElement): void {
    const wire = serializeXml(stanza, ns.component);
    const what = stanza.attributes.type === 'error' ? 'message error' : `message ${draft.type}`;
    this.#hub.trace.hop(published.id, { direction: 'inbound', what, wire, hidden: hiddenIn(wire) });
  }

  #refuse(stanza: StanzaHead, error: GatewayError): void {
    const { reason, message, fault } = error;
    this.#hub.metrics.count('stanzas_refused_total', { reason });
    const answer = errorReply(stanza, reason, message, fault);
    if (!answer) return;
    if (stanza.name === 'message') this.session.owe(answer);
    else this.session.answer(answer);
  }
}

const newsId = 'pep-';

function sessionOptions(options: XmppOptions, component: ComponentOptions): SessionOptions {
  const peer = barrierPeer(options, component.domain);
  return { ...options, ...connectionOptions(options, component), barrierPeer: peer };
}

export function connectionOptions(options: XmppOptions, { domain, secret }: ComponentOptions): ConnectionOptions {
  const { host, port, tls, connectTimeoutMs, maxStanzaBytes, maxDepth } = options;
  const limits = { maxLength: maxStanzaBytes, maxDepth, maxAttributes: 64 };
  return { host, port, tls, domain, secret, connectTimeoutMs, limits };
}
