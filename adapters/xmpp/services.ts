// Questions that a component answers itself: who it is and what it can (XEP-0030), ping (0199), what it says of that in presence (0115), version (0092), time (0202).
import { createHash } from 'node:crypto';
import type { GatewayDomain } from '../../src/contract/index.ts';
import { childrenOf, type XmlElement, xml } from '../../src/formats/xml.ts';
import { ns } from './codec/namespaces.ts';
import { notUnderstood } from './errors.ts';
import { errorReply, reply } from './replies.ts';

/** Answers an IQ of type get or set. `now` in milliseconds since 1970. */
export function answerIq(iq: XmlElement, at: Shown, now: number): XmlElement | undefined {
  const [query] = childrenOf(iq);
  const answer = iq.attributes.type === 'get' && query ? answerTo(query, iq.attributes.to ?? '', at, now) : undefined;
  if (answer === 'no such node') return errorReply(iq, 'not-found');
  if (answer) return reply(iq, 'result', ...(answer === 'nothing' ? [] : [answer]));
  return reply(iq, 'error', notUnderstood);
}

function answerTo(
  query: XmlElement,
  to: string,
  at: Shown,
  now: number,
): XmlElement | 'nothing' | 'no such node' | undefined {
  const isDisco = query.ns === ns.discoInfo || query.ns === ns.discoItems;
  // XEP-0050 s.3.2: that there are no commands is no mistake of whoever asks (Cheogram does before it registers somebody).
  if (query.ns === ns.discoItems && query.attributes.node === ns.commands)
    return xml('query', ns.discoItems, { node: ns.commands });
  const { node } = query.attributes;
  if (query.ns === ns.discoInfo && node && to.includes('@'))
    return node === nodeOf(person(to, at)) ? info(person(to, at), node) : 'no such node';
  if (isDisco && node) return 'no such node';
  switch (`${query.ns} ${query.name}`) {
    case `${ns.discoInfo} query`:
      return info(to.includes('@') ? person(to, at) : gateway(at));
    case `${ns.discoItems} query`:
      return xml('query', ns.discoItems);
    case `${ns.ping} ping`:
      return 'nothing';
    case `${ns.version} query`:
      return xml('query', ns.version, {}, text('name', ns.version, 'Dragoman'), text('version', ns.version, '0.1'));
    case `${ns.time} time`:
      return time(now);
    default:
      return undefined;
  }
}

/** `offers`: the features of the domain itself that an operator may switch off. */
type Shown = Pick<GatewayDomain, 'domain' | 'shows'> & { readonly offers?: readonly string[] };

interface Entity {
  identities: ReadonlyArray<readonly [category: string, type: string]>;
  name?: string;
  features: readonly string[];
}

const own = [ns.discoInfo, ns.discoItems, ns.ping, ns.version, ns.time];

/** XEP-0100 s.4.1: what kind of gateway; the types are those of the XMPP registrar, which has none for IMPS. */
function gateway({ domain, shows, offers = [] }: Shown): Entity {
  const types = new Set(shows.map((scheme) => (scheme === 'tel' ? 'sms' : scheme === 'wv' ? 'imps' : 'simple')));
  return {
    identities: [...types].map((type) => ['gateway', type] as const),
    name: domain,
    features: [...own, ...offers],
  };
}

/** A person of another network, with what that network can carry. */
function person(to: string, { shows }: Shown): Entity {
  const bare = to.replace(/\/.*$/s, '');
  const isNumber = shows.includes('tel') && (shows.length === 1 || bare.startsWith('+'));
  const identities = [isNumber ? (['client', 'sms'] as const) : (['client', 'phone'] as const)];
  const features = isNumber ? [ns.receipts, ns.oob] : personal;
  // Without a name, so that servers ask once and not once a person.
  return { identities, features: [...own, ...features] };
}

// XEP-0163 s.4.1: whose server publishes a mood tells those who say that they want to know.
const personal = [
  ...[ns.receipts, ns.oob, ns.markers, ns.chatStates, ns.correct],
  ...[ns.caps, `${ns.mood}+notify`, `${ns.activity}+notify`],
];

/** XEP-0115: the element in the presence of a contact by which servers know what to ask, once for all contacts that are alike. */
export function capsOf(jid: string, at: Pick<GatewayDomain, 'domain' | 'shows'>): XmlElement {
  return xml('c', ns.caps, { hash: 'sha-1', node: capsNode, ver: verificationOf(person(jid, at)) });
}

const capsNode = 'urn:dragoman:gateway';
const nodeOf = (entity: Entity) => `${capsNode}#${verificationOf(entity)}`;

/** XEP-0115 s.5.1, of an entity without extended information. */
export function verificationOf({ identities, name = '', features }: Entity): string {
  const said = [
    ...identities.map(([category, type]) => `${category}/${type}//${name}<`).sort(),
    ...features.map((feature) => `${feature}<`).sort(),
  ];
  return createHash('sha1').update(said.join('')).digest('base64');
}

function info({ identities, name, features }: Entity, node?: string): XmlElement {
  return xml(
    'query',
    ns.discoInfo,
    { node },
    ...identities.map(([category, type]) => xml('identity', ns.discoInfo, { category, type, name })),
    ...features.map((feature) => xml('feature', ns.discoInfo, { var: feature })),
  );
}

function time(now: number): XmlElement {
  const utc = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  return xml('time', ns.time, {}, text('tzo', ns.time, '+00:00'), text('utc', ns.time, utc));
}

const text = (name: string, namespace: string, words: string) => xml(name, namespace, {}, words);
