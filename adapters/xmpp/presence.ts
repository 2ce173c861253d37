// Presence stanzas on their way to the hub, and what a component answers by itself: for its own domain (XEP-0100), and for
// people whose network has no presence, so that clients write to them without a warning.
import { randomUUID } from 'node:crypto';
import { bareAddress, type Draft, type DraftOf, type GatewayError, type Hub } from '../../src/contract/index.ts';
import type { XmlElement } from '../../src/formats/xml.ts';
import { readError } from './errors.ts';
import type { Heard } from './heard.ts';
import type { Inbox } from './inbox.ts';
import { answeredNews, kinds, newsOf, questionAbout } from './mapping/extended-presence.ts';
import { peopleOf } from './mapping/people.ts';
import { toAnswer, toPresenceEvent } from './mapping/presence.ts';
import { errorReply, reply } from './replies.ts';
import type { Session } from './session.ts';
import type { Told } from './told.ts';
import { traceOf } from './trace.ts';
import type { Pair, Watches } from './watches.ts';

export interface PresenceParts {
  readonly hub: Hub;
  readonly inbox: Inbox;
  readonly session: Pick<Session, 'answer' | 'refused'>;
  readonly watches: Watches;
  readonly told: Told;
  readonly heard: Heard;
}

type Said = DraftOf<'presence'> | DraftOf<'subscription'>;

export class PresenceDesk {
  readonly #parts: PresenceParts;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
  }

  /** Throws GatewayError for a stanza that makes no sense. */
  take(stanza: XmlElement): void {
    const { type, to = '', from = '' } = stanza.attributes;
    if (type === 'error') {
      this.#onError(stanza);
    } else if (!isPerson(to)) {
      // Two gateways that greet each other would never stop.
      if (isPerson(from)) this.#answer(stanza, gatewayAnswers);
    } else {
      const said = toPresenceEvent(stanza, this.#parts.hub.now());
      if (said) this.publish(said, stanza, (error) => this.#onRefusal(stanza, error));
    }
  }

  /** Asks for what a person published while nobody here listened, or will not be told of (XEP-0163 s.4.3). */
  askNews({ watcher, presentity }: Pair): void {
    for (const kind of kinds) this.#parts.session.answer(questionAbout(kind, randomUUID(), watcher, presentity));
  }

  /**
   * A notification of PEP (XEP-0163), or the answer to a question about it: people can lie about nobody but themselves, so who
   * asked is not remembered. Throws GatewayError `malformed` for one from or to nobody.
   */
  takeNews(stanza: XmlElement): void {
    const all = stanza.name === 'iq' ? answeredNews(stanza) : newsOf(stanza);
    if (all.length === 0) return;
    const { from, to } = peopleOf(stanza);
    const pair = { watcher: bareAddress(to), presentity: bareAddress(from) };
    const { hub, inbox, watches, heard } = this.#parts;
    const publish = async (said: DraftOf<'presence'>) => {
      const { id } = await hub.publish(said satisfies Draft);
      hub.trace.hop(id, traceOf(stanza, 'inbound'));
    };
    for (const news of all) {
      const work = async () => {
        // Nothing is kept of strangers.
        if (await watches.isApproved(pair)) await heard.take(pair, news, publish);
      };
      // Nobody answers a headline (RFC 6121 s.5.2.2).
      inbox.take(`${pair.presentity}|${pair.watcher}`, work, () => {});
    }
  }

  /** After everything else between the two. `stanza` says it, where there is one. */
  publish(said: Said, stanza?: XmlElement, refused: (error: GatewayError) => void = () => {}): void {
    const { inbox, hub, watches, told, heard } = this.#parts;
    const presentity = bareAddress(said.from);
    const pair = { presentity, watcher: said.to };
    watches.heard(presentity, said.to);
    inbox.take(
      `${presentity}|${said.to}`,
      async () => {
        if (said.type === 'subscription') {
          await watches.answered(said.action, pair);
          if (said.action === 'deny') await heard.forget(pair);
          if (said.action === 'fetch') told.asked({ watcher: presentity, presentity: said.to });
        }
        const whole = said.type === 'presence' ? await heard.complete(said) : said;
        const { id } = await hub.publish(whole satisfies Draft);
        if (stanza) hub.trace.hop(id, traceOf(stanza, 'inbound'));
      },
      refused,
    );
  }

  // What we wrote comes back (RFC 6120 s.8.3): the end of a delivery under way, and where it was a question the answer.
  #onError(stanza: XmlElement): void {
    const { id } = stanza.attributes;
    if (!id) return;
    const error = readError(stanza);
    this.#parts.session.refused(id, error);
    const said = toAnswer(stanza, error);
    if (said) this.publish(said, stanza);
  }

  #onRefusal(stanza: XmlElement, error: GatewayError): void {
    const { hub, session } = this.#parts;
    const type = stanza.attributes.type ?? 'available';
    if (error.reason === 'unsupported') {
      this.#answer(stanza, answersForTheSilent);
      return;
    }
    hub.metrics.count('stanzas_refused_total', { reason: error.reason });
    // What goes away or says no needs no error; presence that failed for now is said again soon enough.
    if (!questions.has(type) && !(type === 'available' && error.isFinal)) return;
    const answer = errorReply(stanza, error.reason, error.message);
    if (answer) session.answer(answer);
    // Without it a request that can never be granted stays open in the roster.
    if (type === 'subscribe' && error.isFinal) this.#answer(stanza, denial);
  }

  #answer(presence: XmlElement, answers: Answers): void {
    for (const answer of answerPresence(presence, answers)) this.#parts.session.answer(answer);
  }
}

const isPerson = (jid: string) => /^[^/]*@/.test(jid);

type Answers = ReadonlyMap<string, readonly string[]>;

const questions: ReadonlySet<string> = new Set(['subscribe', 'probe']);
const denial: Answers = new Map([['subscribe', ['unsubscribed']]]);

export const answersForTheSilent: Answers = new Map([
  ['subscribe', ['subscribed', 'available']],
  ['probe', ['available']],
  ['unsubscribe', ['unsubscribed', 'unavailable']],
]);

/** XEP-0100 s.4.4, s.4.5: to log in and out is to be greeted back. */
const gatewayAnswers: Answers = new Map([
  ...answersForTheSilent,
  ['available', ['available']],
  ['unavailable', ['unavailable']],
]);

/** The stanzas that answer a presence stanza (RFC 6121 s.3, s.4.3). */
export function answerPresence(presence: XmlElement, answers: Answers): XmlElement[] {
  // Subscriptions are between bare JIDs (RFC 6121 s.3.1.2).
  const to = presence.attributes.to?.replace(/\/.*$/s, '');
  const head = { name: 'presence', attributes: { ...presence.attributes, ...(to === undefined ? {} : { to }) } };
  const types = answers.get(presence.attributes.type ?? 'available') ?? [];
  return types
    .map((type) => reply(head, type === 'available' ? undefined : type))
    .filter((stanza) => stanza !== undefined);
}
