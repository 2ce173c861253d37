// host[:port] (RFC 3261 s.25.1). An IPv6 host keeps its brackets everywhere; bareHost is for sockets.
import { isIPv6 } from 'node:net';
import { excerpt, SipParseError } from './parse-error.ts';
import { isDigits } from './scan.ts';

export interface HostPort {
  /** As written; IPv6 in brackets. */
  host: string;
  port?: number;
}

/** Throws SipParseError(400). */
export function parseHostPort(text: string): HostPort {
  const end = text.charCodeAt(0) === 0x5b ? text.indexOf(']') + 1 : text.indexOf(':');
  const host = end <= 0 ? text : text.slice(0, end);
  if (!isHost(host)) throw new SipParseError(`host ${excerpt(text)}`);
  if (host.length === text.length) return { host };
  const digits = text.slice(host.length + 1);
  const port = isDigits(digits) ? Number(digits) : 0;
  if (text.charCodeAt(host.length) !== 0x3a || port < 1 || port > 65_535) {
    throw new SipParseError(`port in ${excerpt(text)}`);
  }
  return { host, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  if (!isHost(host)) throw new SipParseError(`host ${excerpt(host)}`);
  return port === undefined ? host : `${host}:${port}`;
}

/** Letters, digits, `-`, `.`, and `_` because Windows and service names have it; or a bracketed IPv6 address. */
export function isHost(host: string): boolean {
  // RFC 5118 s.4.10: the grammar of RFC 3261 lets a third colon stand before an embedded IPv4 address.
  if (host.charCodeAt(0) === 0x5b) return host.endsWith(']') && isIPv6(bareHost(host));
  if (host.length === 0 || host.length > 255) return false;
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    const isLegal =
      (code >= 97 && code <= 122) ||
      (code >= 45 && code <= 57 && code !== 47) ||
      (code >= 65 && code <= 90) ||
      code === 95;
    if (!isLegal) return false;
  }
  return true;
}

/** Without the brackets of an IPv6 address. */
export function bareHost(host: string): string {
  return host.charCodeAt(0) === 0x5b ? host.slice(1, -1).replace(/:::(?=\d+\.)/, '::') : host;
}

/** An address of a socket as SIP writes it: IPv6 in brackets. */
export function sipHost(address: string): string {
  return address.includes(':') && address.charCodeAt(0) !== 0x5b ? `[${address}]` : address;
}
