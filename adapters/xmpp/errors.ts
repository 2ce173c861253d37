// Stanza error conditions (RFC 6120 s.8.3.3) <-> FailureReason, in the sense of RFC 7247 s.7. A failure that has a condition
// already is told with it.
import {
  type FailureCondition,
  type FailureReason,
  type Fault,
  failureConditions,
  GatewayError,
  passingReasons,
} from '../../src/contract/index.ts';
import { childOf, childrenOf, textOf, type XmlElement, xml } from '../../src/formats/xml.ts';
import { ns } from './codec/namespaces.ts';

type ErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';

const conditions: Readonly<Record<FailureReason, FailureCondition>> = {
  malformed: 'bad-request',
  unsupported: 'feature-not-implemented',
  'not-found': 'item-not-found',
  'not-allowed': 'forbidden',
  'too-large': 'policy-violation',
  expired: 'remote-server-timeout',
  throttled: 'resource-constraint',
  unreachable: 'remote-server-timeout',
  unavailable: 'recipient-unavailable',
  internal: 'internal-server-error',
};

/** RFC 6120 s.8.3.3, each with the type it is said to have there. */
const types: Readonly<Record<FailureCondition, ErrorType>> = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'cancel',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'recipient-unavailable': 'wait',
  redirect: 'modify',
  'registration-required': 'auth',
  'remote-server-not-found': 'cancel',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
  'subscription-required': 'auth',
  'undefined-condition': 'cancel',
  'unexpected-request': 'modify',
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

/** The `<error/>` child of an error stanza. `text` is for people; `fault` says more than the reason. */
export function errorElement(reason: FailureReason, text?: string, fault?: Fault): XmlElement {
  const { condition, movedTo } = fault ?? { condition: conditions[reason] };
  const words = text === undefined ? undefined : xml('text', ns.stanzaErrors, { 'xml:lang': 'en' }, text);
  const named = xml(condition, ns.stanzaErrors, {}, ...(movedTo === undefined ? [] : [movedTo]));
  return xml('error', ns.component, { type: types[condition] }, named, words);
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
  const named = parts.find(({ name }) => name !== 'text');
  const condition = named?.name ?? 'undefined-condition';
  const said = textOf(parts.find(({ name }) => name === 'text')).trim();
  const meant = Object.hasOwn(reasons, condition) ? (reasons[condition] as FailureReason) : 'unsupported';
  const mayPass = error?.attributes.type === 'wait';
  const reason = mayPass && !passing.has(meant) ? 'unavailable' : meant;
  const detail = { native: condition, ...(isCondition(condition) ? { fault: faultOf(condition, named) } : {}) };
  return new GatewayError(reason, said === '' ? condition : said.slice(0, 500), detail);
}

function isCondition(name: string): name is FailureCondition {
  return (failureConditions as readonly string[]).includes(name);
}

// RFC 6120 s.8.3.3.5 and s.8.3.3.14: the new address is the text of the element.
function faultOf(condition: FailureCondition, element: XmlElement | undefined): Fault {
  const movedTo = condition === 'gone' || condition === 'redirect' ? textOf(element).trim() : '';
  return movedTo === '' || movedTo.length > 2048 ? { condition } : { condition, movedTo };
}
