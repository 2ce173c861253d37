// application/reginfo+xml (RFC 3680 s.5), with the public GRUU of RFC 5628: which phones of a person are registered. Written and read.
import {
  childrenOf,
  parseDocument,
  serializeXml,
  textOf,
  type XmlElement,
  XmlError,
  xml,
} from '../../../../src/formats/xml.ts';
import { numberIn } from '../../codec/cseq.ts';

export const regInfoType = 'application/reginfo+xml';

export interface RegContact {
  /** The same for as long as the contact is. */
  id: string;
  uri: string;
  state: 'active' | 'terminated';
  /** What happened to it last (s.4.7.1). */
  event: 'registered' | 'refreshed' | 'shortened' | 'expired' | 'unregistered';
  callId: string;
  cseq: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
  /** `urn:uuid:...` */
  instance?: string | undefined;
  q?: string | undefined;
}

export interface RegInfo {
  version: number;
  aor: string;
  contacts: readonly RegContact[];
}

const namespace = 'urn:ietf:params:xml:ns:reginfo';
const gruuNamespace = 'urn:ietf:params:xml:ns:gruuinfo';

/** Always the full state; `now` is in milliseconds since 1970. */
export function formatRegInfo({ version, aor, contacts }: RegInfo, now: number): string {
  const isActive = contacts.some(({ state }) => state === 'active');
  const state = isActive ? 'active' : contacts.length > 0 ? 'terminated' : 'init';
  const children = contacts.map((contact) => formatContact(aor, contact, now));
  const registration = xml('registration', namespace, { aor, id: 'r1', state }, ...children);
  const root = xml('reginfo', namespace, { version: String(version), state: 'full' }, registration);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${serializeXml(root)}\n`;
}

function formatContact(aor: string, contact: RegContact, now: number): XmlElement {
  const { id, uri, state, event, callId, cseq, expiresAt, instance, q } = contact;
  const left = state === 'active' ? String(Math.max(Math.round((expiresAt - now) / 1000), 0)) : undefined;
  const attributes = { id, state, event, expires: left, q, callid: callId, cseq: String(cseq) };
  const device =
    instance === undefined
      ? []
      : [
          xml('unknown-param', namespace, { name: '+sip.instance' }, `"<${instance}>"`),
          xml('pub-gruu', gruuNamespace, { uri: `${aor};gr=${instance}` }),
        ];
  return xml('contact', namespace, attributes, xml('uri', namespace, {}, uri), ...device);
}

/** Of a contact in somebody else's document. */
export interface ContactNews {
  uri: string;
  isActive: boolean;
  /** In its words. */
  event: string;
  callId: string | undefined;
  cseq: number | undefined;
  /** Seconds. */
  expires: number | undefined;
  /** Seconds that it asks to stay away. */
  retryAfter: number | undefined;
}

export interface RegNews {
  version: number;
  isFull: boolean;
  contacts: ContactNews[];
}

const limits = { maxLength: 64 * 1024, maxDepth: 8, maxAttributes: 16 };

/** Elements and attributes nobody knows are left out (s.5.1). Throws XmlError. */
export function parseRegInfo(bytes: string | Uint8Array): RegNews {
  const root = parseDocument(bytes, limits);
  const version = numberIn(root.attributes.version);
  if (root.name !== 'reginfo' || version === undefined) {
    throw new XmlError('not-well-formed', 'no reginfo with a version');
  }
  return {
    version,
    isFull: root.attributes.state !== 'partial',
    contacts: childrenOf(root, 'registration').flatMap((one) => childrenOf(one, 'contact').map(readContact)),
  };
}

function readContact(contact: XmlElement): ContactNews {
  const { state, event = '', callid, cseq, expires, 'retry-after': retryAfter } = contact.attributes;
  const [uri] = childrenOf(contact, 'uri').map(textOf);
  return {
    uri: uri?.trim() ?? '',
    isActive: state !== 'terminated',
    event,
    callId: callid,
    cseq: numberIn(cseq),
    expires: numberIn(expires),
    retryAfter: numberIn(retryAfter),
  };
}
