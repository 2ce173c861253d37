// What is known of header names: their usual spelling, their compact form, and whether a line holds a list.

// RFC 3261 s.20, 3262, 3265/6665, 3323-3327, 3515, 3841, 3891, 3892, 3903, 4028, 4474/8224, 4538, 5626, 6794, 8876.
const listed = `Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Call-Info Contact
  Content-Encoding Content-Language Diversion Error-Info Geolocation History-Info In-Reply-To P-Access-Network-Info
  P-Asserted-Identity P-Associated-URI P-Early-Media P-Preferred-Identity P-Visited-Network-ID Path Permission-Missing
  Proxy-Require Reason Record-Route Recv-Info Reject-Contact Request-Disposition Require Route Security-Client
  Security-Server Security-Verify Service-Route Supported Trigger-Consent Unsupported Via Warning`;

const single = `Authentication-Info Authorization Call-ID Content-Disposition Content-ID Content-Length
  Content-Transfer-Encoding Content-Type CSeq Date Event Expires Flow-Timer From Identity Identity-Info Info-Package
  Join Max-Breadth Max-Forwards MIME-Version Min-Expires Min-SE Organization P-Charging-Vector Priority Privacy
  Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Referred-By Refer-Sub Refer-To Replaces Reply-To
  Retry-After RSeq RAck Server Session-Expires SIP-ETag SIP-If-Match Subject Subscription-State
  Suppress-If-Match Target-Dialog Timestamp To User-Agent WWW-Authenticate`;

// IANA "SIP Header Fields", compact forms.
const compact: Record<string, string> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

export interface HeaderName {
  /** Lower case, long form: what names are compared by. */
  key: string;
  /** As it is written on the wire. */
  name: string;
  isList: boolean;
}

const known = new Map<string, HeaderName>();

function learn(names: string, isList: boolean): void {
  for (const name of names.split(/\s+/)) {
    const entry = { key: name.toLowerCase(), name, isList };
    known.set(name, entry);
    known.set(entry.key, entry);
  }
}

learn(listed, true);
learn(single, false);
for (const [letter, name] of Object.entries(compact)) {
  const entry = known.get(name)!;
  known.set(letter, entry);
  known.set(letter.toUpperCase(), entry);
}

/** Any spelling, any case, long or compact. A name nobody told us of is a single value. */
export function headerName(written: string): HeaderName {
  const exact = known.get(written);
  if (exact !== undefined) return exact;
  const key = written.toLowerCase();
  return known.get(key) ?? { key, name: written, isList: false };
}
