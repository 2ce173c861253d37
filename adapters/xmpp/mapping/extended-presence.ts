// Mood and activity: words of RPID (RFC 4480) in events <-> what XEP-0107 and XEP-0108 say in a notification of PEP (XEP-0163).
import { type Address, bareAddress, jidOf, type Presence } from '../../../src/contract/index.ts';
import { moodWords } from '../../../src/formats/pidf/rpid-words.ts';
import { childOf, childrenOf, type XmlElement, xml } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';
import { refuseVanishing } from './people.ts';

export const kinds = ['mood', 'activity'] as const;
export type Kind = (typeof kinds)[number];
/** At most one word of each kind, as an account has it. */
export type Extended = Partial<Record<Kind, string>>;

/** `word` is undefined where it was taken back. */
export interface News {
  readonly kind: Kind;
  readonly word: string | undefined;
}

// XEP-0107 s.3 has all moods of RFC 4480 under the same names, and these; RPID says them as <other/>.
const moods: ReadonlySet<string> = new Set([
  ...moodWords,
  ...(
    'amorous aroused cautious confident contemplative crazy creative dejected dismayed envious grateful grieving hopeful ' +
    'intoxicated lost lucky outraged relaxed satisfied spontaneous strong thankful tired weak'
  ).split(' '),
]);

// XEP-0108 s.4 for what it lists, the nearest word of s.3 for the others. Not here: away and busy are <show/>; looking-for-work,
// performance, permanent-absence, presentation, spectator and worship have no word.
const activities: ReadonlyMap<string, readonly [general: string, specific?: string]> = new Map([
  ['appointment', ['having_appointment']],
  ['breakfast', ['eating', 'having_breakfast']],
  ['dinner', ['eating', 'having_dinner']],
  ['holiday', ['inactive', 'scheduled_holiday']],
  ['in-transit', ['traveling']],
  ['meal', ['eating']],
  ['meeting', ['working', 'in_a_meeting']],
  ['on-the-phone', ['talking', 'on_the_phone']],
  ['playing', ['relaxing', 'gaming']],
  ['shopping', ['relaxing', 'shopping']],
  ['sleeping', ['inactive', 'sleeping']],
  ['steering', ['traveling', 'driving']],
  ['travel', ['traveling', 'on_a_trip']],
  ['tv', ['relaxing', 'watching_tv']],
  ['vacation', ['inactive', 'on_vacation']],
  ['working', ['working']],
  // Without a word in RPID, which says them as <other/>.
  ['doing-chores', ['doing_chores']],
  ['drinking', ['drinking']],
  ['exercising', ['exercising']],
  ['grooming', ['grooming']],
  ['inactive', ['inactive']],
  ['relaxing', ['relaxing']],
  ['talking', ['talking']],
]);
const wordOf: ReadonlyMap<string, string> = new Map([...activities].map(([word, path]) => [path.join('/'), word]));

/** The first mood and the first activity for which XMPP has a word. */
export function extendedOf(event: Pick<Presence, 'moods' | 'activities'>): Extended {
  const mood = event.moods?.find((word) => moods.has(word));
  const activity = event.activities?.find((word) => activities.has(word));
  return { ...(mood !== undefined && { mood }), ...(activity !== undefined && { activity }) };
}

/** As fields of a presence event. */
export function fieldsOf({ mood, activity }: Extended): Pick<Presence, 'moods' | 'activities'> {
  return { ...(mood !== undefined && { moods: [mood] }), ...(activity !== undefined && { activities: [activity] }) };
}

/** Empty where a notification is of something else, or in words that nobody knows. */
export function newsOf(notification: XmlElement): News[] {
  const event = childOf(notification, 'event', ns.pubsubEvent);
  return event ? childrenOf(event, undefined, ns.pubsubEvent).flatMap(newsIn) : [];
}

/** What is written in front of the id of a question, and comes back with the answer. */
const asked = (kind: Kind) => `ask-${kind}-`;

/** XEP-0060 s.6.5.7: what was published last, asked of the account's server. Throws as fromNews does. */
export function questionAbout(kind: Kind, id: string, from: Address, to: Address): XmlElement {
  const items = xml('items', ns.pubsub, { node: ns[kind], max_items: '1' });
  return toAccount('iq', { id: `${asked(kind)}${id}`, type: 'get' }, from, to, xml('pubsub', ns.pubsub, {}, items));
}

/** Empty for what answers no question of that kind, or leaves it open. */
export function answeredNews(answer: XmlElement): News[] {
  const { id = '', type } = answer.attributes;
  const kind = kinds.find((one) => id.startsWith(asked(one)));
  if (!kind) return [];
  const error = childOf(answer, 'error');
  // XEP-0060 s.6.5.9.11: there is no such node, so nothing was ever published.
  if (error) return childOf(error, 'item-not-found', ns.stanzaErrors) ? [{ kind, word: undefined }] : [];
  const items = childOf(childOf(answer, 'pubsub', ns.pubsub) ?? answer, 'items', ns.pubsub);
  if (type !== 'result' || items?.attributes.node !== ns[kind]) return [];
  return childOf(items, 'item') ? newsIn(items) : [{ kind, word: undefined }];
}

function newsIn(said: XmlElement): News[] {
  const kind = kinds.find((one) => ns[one] === said.attributes.node);
  if (!kind) return [];
  if (said.name === 'purge' || said.name === 'delete') return [{ kind, word: undefined }];
  if (said.name !== 'items') return [];
  const item = childrenOf(said, 'item').at(-1);
  if (!item) return childOf(said, 'retract') ? [{ kind, word: undefined }] : [];
  const payload = childOf(item, kind, ns[kind]);
  if (!payload) return [];
  const general = childrenOf(payload, undefined, ns[kind]).find(({ name }) => name !== 'text');
  return [{ kind, word: general && (kind === 'mood' ? moodIn(general) : activityIn(general)) }];
}

const moodIn = ({ name }: XmlElement) => (moods.has(name) ? name : undefined);

function activityIn(general: XmlElement): string | undefined {
  const [specific] = childrenOf(general, undefined, ns.activity);
  return wordOf.get(`${general.name}/${specific?.name}`) ?? wordOf.get(general.name);
}

/** Throws GatewayError `malformed` for an address that a server chokes on. */
export function fromNews({ kind, word }: News, id: string, from: Address, to: Address): XmlElement {
  const [outer, inner] = word === undefined ? [] : kind === 'mood' ? [word] : (activities.get(word) ?? []);
  const specific = inner === undefined ? [] : [xml(inner, ns[kind])];
  const said = xml(kind, ns[kind], {}, ...(outer === undefined ? [] : [xml(outer, ns[kind], {}, ...specific)]));
  const items = xml('items', ns.pubsubEvent, { node: ns[kind] }, xml('item', ns.pubsubEvent, { id: 'current' }, said));
  return toAccount('message', { id, type: 'headline' }, from, to, xml('event', ns.pubsubEvent, {}, items));
}

/** XEP-0163 s.4.3: what is an account's comes from the bare JID. */
function toAccount(
  name: 'iq' | 'message',
  attributes: Record<string, string>,
  from: Address,
  to: Address,
  payload: XmlElement,
): XmlElement {
  refuseVanishing(from);
  refuseVanishing(to);
  const people = { from: jidOf(bareAddress(from)), to: jidOf(bareAddress(to)) };
  return xml(name, ns.component, { ...people, ...attributes }, payload);
}
