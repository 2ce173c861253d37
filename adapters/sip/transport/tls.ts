// Whom a TLS peer must be: the SIP domain that was asked for, and no wildcards (RFC 5922 s.7).
import type { PeerCertificate } from 'node:tls';

export interface TlsIdentity {
  /** PEM. */
  cert?: string | undefined;
  key?: string | undefined;
  /** Whom we trust, in PEM; the system's own list when not set. */
  ca?: string | undefined;
}

/** For tls.connect's `checkServerIdentity`. */
export function checkDomain(domain: string, certificate: PeerCertificate): Error | undefined {
  const names = (certificate.subjectaltname ?? '').split(/,\s*/);
  const sipUris = names.filter((name) => /^URI:sip:/i.test(name)).map((name) => name.slice('URI:sip:'.length));
  const dnsNames = names.filter((name) => name.startsWith('DNS:')).map((name) => name.slice('DNS:'.length));
  const addresses = names
    .filter((name) => name.startsWith('IP Address:'))
    .map((name) => name.slice('IP Address:'.length));
  // s.7.1: a DNS name counts only where no SIP URI is given; the common name only where there is neither.
  const found = sipUris.length > 0 ? sipUris : [...dnsNames, ...addresses];
  const common = certificate.subject?.CN;
  const known = found.length > 0 ? found : [Array.isArray(common) ? common[0] : common];
  const wanted = domain.toLowerCase();
  if (known.some((name) => name?.toLowerCase() === wanted)) return undefined;
  return new Error(`the certificate is for ${known.join(', ')}, not for ${domain}`);
}
