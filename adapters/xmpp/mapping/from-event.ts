// An event -> the stanza that says it on XMPP.
import { type GatewayEvent, jidOf, type Message, type Receipt, type Typing } from '../../../src/contract/index.ts';
import { enclosedInWords } from '../../../src/formats/data-url.ts';
import { type XmlElement, xml } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';
import { errorElement } from '../errors.ts';
import { delayOf } from './delay.ts';
import { refuseVanishing } from './people.ts';
import { fromPresence, fromSubscription } from './presence.ts';

export interface Style {
  /** Type of content messages. */
  receivedAs: 'chat' | 'normal';
  /** Whether the sender's network can say that somebody is typing, so that clients may be invited to (XEP-0085 s.4.1). */
  hasChatStates: boolean;
  /** What the sender's presence says of what contacts of that domain can do (XEP-0115). */
  caps?: XmlElement | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

/** Undefined when XMPP has no word for it. Throws GatewayError `malformed` for an address that a server chokes on. */
export function fromEvent(event: GatewayEvent, style: Style): XmlElement | undefined {
  switch (event.type) {
    case 'message':
      return fromMessage(event, style);
    case 'receipt':
      return fromReceipt(event, style);
    case 'typing':
      return stanza(event, 'chat', chatState(event), hint('no-store'));
    case 'presence':
      return fromPresence(event, style.now, style.caps);
    case 'subscription':
      return fromSubscription(event);
    default:
      return undefined;
  }
}

function fromMessage(event: Message, style: Style): XmlElement {
  const { receivedAs, hasChatStates, now } = style;
  return stanza(
    event,
    receivedAs,
    ...texts('subject', event.subject ?? {}),
    ...bodies(event),
    event.thread === undefined ? undefined : xml('thread', ns.component, {}, event.thread),
    ...(event.attachments ?? []).map(({ url }) => xml('x', ns.oob, {}, xml('url', ns.oob, {}, url))),
    ...references(event),
    event.wants.includes('delivered') ? xml('request', ns.receipts) : undefined,
    event.wants.includes('displayed') ? xml('markable', ns.markers) : undefined,
    hasChatStates && receivedAs === 'chat' ? xml('active', ns.chatStates) : undefined,
    xml('origin-id', ns.stanzaIds, { id: event.id }),
    delayOf(event, now),
  );
}

function bodies({ text, attachments = [], retracts }: Message): XmlElement[] {
  // XEP-0363: a client shows a file only when its URL stands in the body as well. A data: URL none of them shows.
  const urls = attachments.map((attachment) => enclosedInWords(attachment) ?? attachment.url).join('\n');
  const said = Object.entries(text).filter(([, words]) => words !== '');
  if (said.length > 0) {
    return texts('body', Object.fromEntries(said.map(([lang, words]) => [lang, urls ? `${words}\n${urls}` : words])));
  }
  if (urls !== '') return texts('body', { '': urls });
  return retracts === undefined ? [] : texts('body', { en: 'I took back an earlier message.' });
}

function references({ text, to, replyTo, replaces, retracts, reaction }: Message): Array<XmlElement | undefined> {
  const isSilent = Object.values(text).every((words) => words === '');
  return [
    replyTo === undefined ? undefined : xml('reply', ns.reply, { to: jidOf(to), id: replyTo }),
    replaces === undefined ? undefined : xml('replace', ns.correct, { id: replaces }),
    retracts === undefined ? undefined : xml('retract', ns.retract, { id: retracts }),
    retracts === undefined || !isSilent ? undefined : xml('fallback', ns.fallback, { for: ns.retract }),
    reaction && xml('reactions', ns.reactions, { id: reaction.of }, ...reaction.emoji.map(emojiElement)),
    retracts === undefined && reaction === undefined ? undefined : hint('store'),
  ];
}

const emojiElement = (emoji: string) => xml('reaction', ns.reactions, {}, emoji);

function fromReceipt(event: Receipt, { receivedAs }: Style): XmlElement | undefined {
  const { state, of: id } = event;
  if (state === 'delivered') return stanza(event, receivedAs, xml('received', ns.receipts, { id }), hint('store'));
  if (state === 'displayed') return stanza(event, receivedAs, xml('displayed', ns.markers, { id }), hint('store'));
  // XMPP has no tick for "the next network took it", and none for "nobody can say any more".
  if (state === 'sent' || state === 'unknown') return undefined;
  const reason = state === 'expired' ? 'expired' : (event.reason ?? 'internal');
  return stanza({ ...event, id }, 'error', errorElement(reason, event.text, event.fault));
}

const chatState = ({ state }: Typing) => xml(state, ns.chatStates);

/** XEP-0334: whether archives and offline stores keep it. */
const hint = (name: 'store' | 'no-store') => xml(name, ns.hints);

function texts(name: 'body' | 'subject', byLanguage: Message['text']): XmlElement[] {
  return Object.entries(byLanguage).map(([lang, text]) =>
    xml(name, ns.component, { 'xml:lang': lang === '' ? undefined : lang }, text),
  );
}

function stanza(
  { from, to, id }: Pick<GatewayEvent, 'from' | 'to' | 'id'>,
  type: string,
  ...children: Array<XmlElement | undefined>
): XmlElement {
  refuseVanishing(from);
  refuseVanishing(to);
  return xml('message', ns.component, { from: jidOf(from), to: jidOf(to), id, type }, ...children);
}
