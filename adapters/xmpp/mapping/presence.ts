// Presence and subscription stanzas <-> events (RFC 6121 s.3, s.4; RFC 8048). Presence is that of one device: the resource.
import {
  type Address,
  bareAddress,
  type DraftOf,
  GatewayError,
  jidOf,
  type Presence,
  type Subscription,
} from '../../../src/contract/index.ts';
import { childOf, textOf, type XmlElement, xml } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';
import { type Texts, textsOf } from './bodies.ts';
import { delayOf, saidAt } from './delay.ts';
import { peopleOf, refuseVanishing } from './people.ts';

// RFC 6121 s.4.7.2.1; availability that has no <show/> is in the stanza's type.
const shows = [
  ['chat', 'chat'],
  ['away', 'away'],
  ['xa', 'extended-away'],
  ['dnd', 'busy'],
] as const;
const availabilityOf: ReadonlyMap<string, Presence['availability']> = new Map(shows);
const showOf: ReadonlyMap<string, string> = new Map(shows.map(([show, availability]) => [availability, show]));

// RFC 6121 s.4.7.1.
const types = [
  ['subscribe', 'request'],
  ['subscribed', 'approve'],
  ['unsubscribe', 'cancel'],
  ['unsubscribed', 'deny'],
  ['probe', 'fetch'],
] as const;
const actionOf: ReadonlyMap<string, Subscription['action']> = new Map(types);
const typeOf = Object.fromEntries(types.map(([type, action]) => [action, type])) as Record<
  Subscription['action'],
  string
>;

// What comes back under such an id was a question, so that the error is its answer.
const questions: Partial<Record<Subscription['action'], string>> = { request: 'ask-', fetch: 'probe-' };

/**
 * `now` in milliseconds since 1970. Undefined for a type that RFC 6121 does not know, and for errors.
 * Throws GatewayError: `malformed` addresses, `unsupported` rooms.
 */
export function toPresenceEvent(
  stanza: XmlElement,
  now: number,
): DraftOf<'presence'> | DraftOf<'subscription'> | undefined {
  const { type } = stanza.attributes;
  const action = actionOf.get(type ?? '');
  if (!action && type !== undefined && type !== 'unavailable') return undefined;
  const { from, to } = peopleOf(stanza);
  if (!action) return presenceOf(stanza, { from, to: bareAddress(to) }, now);
  // Subscriptions are between bare JIDs (RFC 6121 s.3.1.2).
  const draft: DraftOf<'subscription'> = {
    type: 'subscription',
    from: bareAddress(from),
    to: bareAddress(to),
    action,
  };
  const [words] = Object.values(textsOf(stanza, 'status'));
  if (action === 'request' && words) draft.text = words;
  return draft;
}

function presenceOf(stanza: XmlElement, people: { from: Address; to: Address }, now: number): DraftOf<'presence'> {
  if (childOf(stanza, 'x', ns.rooms)) throw new GatewayError('unsupported', 'there are no rooms here');
  const isAway = stanza.attributes.type === 'unavailable';
  const show = textOf(childOf(stanza, 'show', stanza.ns)).trim();
  const draft: DraftOf<'presence'> = {
    type: 'presence',
    ...people,
    availability: isAway ? 'unavailable' : (availabilityOf.get(show) ?? 'available'),
  };
  const notes = Object.entries(textsOf(stanza, 'status')).filter(([, text]) => text !== '');
  if (notes.length > 0) draft.notes = Object.fromEntries(notes);
  const at = saidAt(stanza, now);
  if (at !== undefined) draft.at = at;
  if (isAway) return draft;
  const priority = /^\s*([+-]?\d{1,3})\s*$/.exec(textOf(childOf(stanza, 'priority', stanza.ns)))?.[1];
  if (priority !== undefined && Math.abs(Number(priority) + 0.5) < 128) draft.priority = Number(priority);
  const idleSince = Date.parse(childOf(stanza, 'idle', ns.idle)?.attributes.since ?? '');
  if (idleSince > 0 && idleSince <= now) draft.idleSince = new Date(idleSince).toISOString();
  return draft;
}

/** Nobody is there, or nobody knows: a contact must not stand there as available. */
export function isGone({ availability }: Pick<Presence, 'availability'>): boolean {
  return availability === 'unavailable' || availability === 'unknown';
}

/**
 * Throws GatewayError `malformed` for an address that a server chokes on. `now` in milliseconds since 1970. `caps` says what a
 * contact who is there can do (XEP-0115).
 */
export function fromPresence(event: Presence, now: number, caps?: XmlElement): XmlElement {
  const { availability, priority, idleSince } = event;
  const isHere = !isGone(event);
  const show = showOf.get(availability);
  return stanzaOf(
    event.from,
    bareAddress(event.to),
    { id: event.id, type: isHere ? undefined : 'unavailable' },
    show === undefined ? undefined : xml('show', ns.component, {}, show),
    ...(availability === 'unknown' ? [] : statuses(event)),
    isHere && priority !== undefined ? xml('priority', ns.component, {}, String(priority)) : undefined,
    isHere && idleSince !== undefined ? xml('idle', ns.idle, { since: idleSince }) : undefined,
    isHere ? caps : undefined,
    delayOf(event, now),
  );
}

/** Throws GatewayError `malformed` for an address that a server chokes on. */
export function fromSubscription({
  id,
  from,
  to,
  action,
  text,
}: Pick<Subscription, 'id' | 'from' | 'to' | 'action' | 'text'>): XmlElement {
  return stanzaOf(
    bareAddress(from),
    bareAddress(to),
    { id: `${questions[action] ?? ''}${id}`, type: typeOf[action] },
    action === 'request' && text ? xml('status', ns.component, {}, text) : undefined,
  );
}

/** What an error stanza means that answers a question of ours. */
export function toAnswer(
  stanza: XmlElement,
  error: GatewayError,
): DraftOf<'presence'> | DraftOf<'subscription'> | undefined {
  const { id = '' } = stanza.attributes;
  const [request, fetch] = [questions.request ?? '', questions.fetch ?? ''];
  if (!id.startsWith(fetch) && !(id.startsWith(request) && error.isFinal)) return undefined;
  const { from, to } = peopleOf(stanza);
  const people = { from: bareAddress(from), to: bareAddress(to) };
  // A server that cannot be found today may be there tomorrow: only a request is refused by that.
  if (id.startsWith(fetch)) return { type: 'presence', ...people, availability: 'unknown' };
  return { type: 'subscription', ...people, action: 'deny' };
}

/** What people are told of a person without words of that person's own: what the activities say. */
function statuses({ notes = {}, activities = [] }: Presence): XmlElement[] {
  const said: Texts = Object.keys(notes).length > 0 ? notes : { en: activities.join(', ').replaceAll('-', ' ') };
  return Object.entries(said)
    .filter(([, text]) => text !== '')
    .map(([lang, text]) => xml('status', ns.component, { 'xml:lang': lang === '' ? undefined : lang }, text));
}

function stanzaOf(
  from: Address,
  to: Address,
  attributes: Record<string, string | undefined>,
  ...children: Array<XmlElement | undefined>
): XmlElement {
  refuseVanishing(from);
  refuseVanishing(to);
  return xml('presence', ns.component, { from: jidOf(from), to: jidOf(to), ...attributes }, ...children);
}
