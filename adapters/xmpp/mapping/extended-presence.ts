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
  refuseVanishing(from);
  refuseVanishing(to);
  const [outer, inner] = word === undefined ? [] : kind === 'mood' ? [word] : (activities.get(word) ?? []);
  const specific = inner === undefined ? [] : [xml(inner, ns[kind])];
  const said = xml(kind, ns[kind], {}, ...(outer === undefined ? [] : [xml(outer, ns[kind], {}, ...specific)]));
  const items = xml('items', ns.pubsubEvent, { node: ns[kind] }, xml('item', ns.pubsubEvent, { id: 'current' }, said));
  // XEP-0163 s.4.3: from the account, so from the bare JID.
  const people = { from: jidOf(bareAddress(from)), to: jidOf(bareAddress(to)) };
  return xml('message', ns.component, { ...people, id, type: 'headline' }, xml('event', ns.pubsubEvent, {}, items));
}
