// A message stanza -> the drafts that it stands for: at most one message, the receipts and the chat state in it.
import { bareAddress, type Draft, type DraftOf, GatewayError } from '../../../src/contract/index.ts';
import { childOf, childrenOf, textOf, type XmlElement } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';
import { attachmentsOf, type Texts, textsOf, withoutFallbacks, withoutUrls } from './bodies.ts';
import { saidAt } from './delay.ts';
import { type People, peopleOf } from './people.ts';

/**
 * `now` in milliseconds since 1970. Empty when the stanza says nothing that another network could carry.
 * Throws GatewayError: `malformed` addresses, `unsupported` encryption or group chat.
 */
export function toEvents(stanza: XmlElement, now: number): Draft[] {
  const { type } = stanza.attributes;
  // RFC 6121 s.5.2.2: nobody answers a headline; copies of what was said elsewhere (XEP-0280) are never for a gateway.
  if (type === 'headline' || childrenOf(stanza, undefined, ns.carbons).some(({ name }) => name !== 'private'))
    return [];
  const people = peopleOf(stanza);
  if (type === 'groupchat') throw new GatewayError('unsupported', 'there are no rooms here');
  refuseEncrypted(stanza);
  const message = messageOf(stanza, people, now);
  const receipts = receiptsOf(stanza, people);
  if (message) return [message, ...receipts];
  return receipts.length > 0 ? receipts : typingOf(stanza, people);
}

function messageOf(stanza: XmlElement, people: People, now: number): DraftOf<'message'> | undefined {
  const references = referencesOf(stanza);
  const attachments = attachmentsOf(stanza);
  const understood = new Set<string>(childrenOf(stanza).map((child) => child.ns));
  const text = withoutUrls(withoutFallbacks(stanza, textsOf(stanza, 'body'), understood), attachments);
  const subject = textsOf(stanza, 'subject');
  const words: { text: Texts; subject?: Texts } = isEmpty(text) ? { text: subject } : { text };
  if (!isEmpty(text) && !isEmpty(subject)) words.subject = subject;
  const speaks = !isEmpty(words.text) || attachments.length > 0;
  if (!speaks && references.retracts === undefined && references.reaction === undefined) return undefined;
  const draft: DraftOf<'message'> = { type: 'message', ...people, ...words, ...references, wants: wantsOf(stanza) };
  if (stanza.attributes.id) draft.nativeId = stanza.attributes.id;
  if (attachments.length > 0) draft.attachments = attachments;
  const thread = textOf(childOf(stanza, 'thread', stanza.ns));
  if (thread !== '') draft.thread = thread;
  const at = saidAt(stanza, now);
  if (at !== undefined) draft.at = at;
  const origin = childOf(stanza, 'origin-id', ns.stanzaIds)?.attributes.id;
  // XEP-0359 s.3.2: an origin-id is unique for its sender, which a plain stanza id need not be.
  if (origin) draft.dedupeKey = `${bareAddress(people.from)}|${bareAddress(people.to)}|${origin.slice(0, 256)}`;
  return draft;
}

type References = Pick<DraftOf<'message'>, 'replyTo' | 'replaces' | 'retracts' | 'reaction'>;

function referencesOf(stanza: XmlElement): References {
  const references: References = {};
  const replyTo = childOf(stanza, 'reply', ns.reply)?.attributes.id;
  if (replyTo) references.replyTo = replyTo;
  const replaces = childOf(stanza, 'replace', ns.correct)?.attributes.id;
  if (replaces) references.replaces = replaces;
  const retracts = retractedBy(stanza);
  if (retracts) references.retracts = retracts;
  const reactions = childOf(stanza, 'reactions', ns.reactions);
  if (reactions?.attributes.id) {
    const emoji = childrenOf(reactions, 'reaction').map((reaction) => textOf(reaction).trim());
    references.reaction = { of: reactions.attributes.id, emoji: emoji.filter((one) => one !== '') };
  }
  return references;
}

/** XEP-0424, today's form and the one of 2019 that many clients still send. */
function retractedBy(stanza: XmlElement): string | undefined {
  const today = childOf(stanza, 'retract', ns.retract);
  if (today) return today.attributes.id;
  const fastening = childOf(stanza, 'apply-to', ns.fasten);
  return fastening && childOf(fastening, 'retract', ns.retractBefore) ? fastening.attributes.id : undefined;
}

function receiptsOf(stanza: XmlElement, people: People): DraftOf<'receipt'>[] {
  const told: DraftOf<'receipt'>[] = [];
  const tell = (state: 'delivered' | 'displayed', element: XmlElement | undefined) => {
    const of = element?.attributes.id;
    if (of) told.push({ type: 'receipt', ...people, of, state });
  };
  tell('delivered', childOf(stanza, 'received', ns.receipts) ?? childOf(stanza, 'received', ns.markers));
  tell('displayed', childOf(stanza, 'displayed', ns.markers) ?? childOf(stanza, 'acknowledged', ns.markers));
  return told;
}

// `active` without a body: what was being written is gone, or the window was only opened.
const typingStates: Readonly<Record<string, DraftOf<'typing'>['state']>> = {
  composing: 'composing',
  paused: 'paused',
  active: 'paused',
  inactive: 'paused',
  gone: 'gone',
};

function typingOf(stanza: XmlElement, people: People): DraftOf<'typing'>[] {
  const [said] = childrenOf(stanza, undefined, ns.chatStates);
  if (!said || !Object.hasOwn(typingStates, said.name)) return [];
  return [{ type: 'typing', ...people, state: typingStates[said.name] as DraftOf<'typing'>['state'] }];
}

function wantsOf(stanza: XmlElement): DraftOf<'message'>['wants'] {
  const wants: DraftOf<'message'>['wants'] = [];
  // Without an id there is nothing that a receipt could name.
  if (!stanza.attributes.id) return wants;
  const markable = childOf(stanza, 'markable', ns.markers);
  if (childOf(stanza, 'request', ns.receipts)) wants.push('delivered');
  if (markable) wants.push('displayed');
  return wants;
}

function refuseEncrypted(stanza: XmlElement): void {
  const encrypted = childrenOf(stanza).find(
    (child) =>
      (child.name === 'encrypted' && (child.ns === ns.omemo || child.ns.startsWith('urn:xmpp:omemo:'))) ||
      (child.name === 'openpgp' && child.ns === ns.openPgp) ||
      (child.name === 'x' && child.ns === ns.legacyPgp),
  );
  const isMarked = childOf(stanza, 'encryption', ns.encryption);
  // OMEMO also exchanges keys in messages that hold nothing for a person.
  const isContent = encrypted && (childOf(stanza, 'body', stanza.ns) ?? childOf(encrypted, 'payload'));
  if (!isMarked && !isContent) return;
  throw new GatewayError(
    'unsupported',
    'this contact is on a network without encryption: switch OMEMO, OpenPGP or OTR off',
  );
}

const isEmpty = (texts: Texts) => Object.values(texts).every((text) => text === '');
