// One table: stanza error conditions (RFC 6120 s.8.3.3) <-> FailureReason, in the sense of RFC 7247 s.7.
import { type FailureReason, GatewayError, passingReasons } from '../../src/contract/index.ts';
import { childOf, childrenOf, textOf, type XmlElement, xml } from '../../src/formats/xml.ts';
import { ns } from './codec/namespaces.ts';

type ErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';

const conditions: Readonly<Record<FailureReason, readonly [condition: string, type: ErrorType]>> = {
  malformed: ['bad-request', 'modify'],
  unsupported: ['feature-not-implemented', 'cancel'],
  'not-found': ['item-not-found', 'cancel'],
  'not-allowed': ['forbidden', 'auth'],
  'too-large': ['policy-violation', 'modify'],
  expired: ['remote-server-timeout', 'wait'],
  throttled: ['resource-constraint', 'wait'],
  unreachable: ['remote-server-timeout', 'wait'],
  unavailable: ['recipient-unavailable', 'wait'],
  internal: ['internal-server-error', 'cancel'],
};

// What a server means by a condition: final unless it says `type="wait"`.
const reasons: Readonly<Record<string, FailureReason>> = {
  'bad-request': 'malformed',
  conflict: 'not-allowed',
  'feature-not-implemented': 'unsupported',
  forbidden: 'not-allowed',
  gone: 'not-found',
  'internal-server-error': 'unavailable',
  'item-not-found': 'not-found',
  'jid-malformed': 'malformed',
  'not-acceptable': 'not-allowed',
  'not-allowed': 'not-allowed',
  'not-authorized': 'not-allowed',
  'payment-required': 'not-allowed',
  'policy-violation': 'not-allowed',
  'recipient-unavailable': 'unavailable',
  redirect: 'not-found',
  'registration-required': 'not-allowed',
  'remote-server-not-found': 'not-found',
  'remote-server-timeout': 'unreachable',
  'resource-constraint': 'throttled',
  // What Prosody and ejabberd say of an account that does not exist (RFC 6121 s.8.5.1), or keeps no offline messages.
  'service-unavailable': 'not-found',
  'subscription-required': 'not-allowed',
  'undefined-condition': 'unsupported',
  'unexpected-request': 'malformed',
};

const passing: ReadonlySet<string> = new Set(passingReasons);

/** The `<error/>` child of an error stanza. `text` is for people. */
export function errorElement(reason: FailureReason, text?: string): XmlElement {
  const [condition, type] = conditions[reason];
  const words = text === undefined ? undefined : xml('text', ns.stanzaErrors, { 'xml:lang': 'en' }, text);
  return xml('error', ns.component, { type }, xml(condition, ns.stanzaErrors), words);
}

/** RFC 6120 s.8.4: the answer to a question that we do not understand. */
export const notUnderstood = xml(
  'error',
  ns.component,
  { type: 'cancel' },
  xml('service-unavailable', ns.stanzaErrors),
);

/** What an error stanza tells us. */
export function readError(stanza: XmlElement): GatewayError {
  const error = childOf(stanza, 'error');
  const parts = error ? childrenOf(error, undefined, ns.stanzaErrors) : [];
  const condition = parts.find(({ name }) => name !== 'text')?.name ?? 'undefined-condition';
  const said = textOf(parts.find(({ name }) => name === 'text')).trim();
  const named = Object.hasOwn(reasons, condition) ? (reasons[condition] as FailureReason) : 'unsupported';
  const mayPass = error?.attributes.type === 'wait';
  const reason = mayPass && !passing.has(named) ? 'unavailable' : named;
  return new GatewayError(reason, said === '' ? condition : said.slice(0, 500), { native: condition });
}
