// Via (RFC 3261 s.20.42, RFC 3581).
import { formatHostPort, type HostPort, parseHostPort } from './host.ts';
import { formatParameter, formatParameters, noParameters, type Parameters, parseParameters } from './parameters.ts';
import { excerpt, SipParseError } from './parse-error.ts';
import { isToken, trimmed } from './scan.ts';

export interface Via extends HostPort {
  /** Upper case: UDP, TCP, TLS, WS, WSS, or what the peer says. */
  transport: string;
  branch?: string;
  received?: string;
  /** RFC 3581: true when asked for, the port when filled in. */
  rport?: number | true;
  /** Every other parameter. */
  parameters: Parameters;
}

/** One value, not a list (Headers.all cuts lists). Throws SipParseError(400). */
export function parseVia(text: string): Via {
  const semicolon = text.indexOf(';');
  const end = semicolon < 0 ? text.length : semicolon;
  const { transport, sentBy } = splitProtocol(text.slice(0, end));
  const all = parseParameters(text, end);
  const via: Via = { transport: transport.toUpperCase(), ...parseHostPort(sentBy), parameters: othersIn(all) };
  const branch = all.get('branch');
  if (branch !== undefined) via.branch = branch;
  const received = all.get('received');
  if (received !== undefined) via.received = received;
  if (all.has('rport')) via.rport = parseRport(all.get('rport'));
  return via;
}

const ownFields = ['branch', 'received', 'rport'];

function othersIn(all: Parameters): Parameters {
  const own = ownFields.filter((name) => all.has(name)).length;
  return all.size === own ? noParameters : new Map([...all].filter(([name]) => !ownFields.includes(name)));
}

export function formatVia(via: Via): string {
  const { transport, branch, received, rport, parameters } = via;
  if (!isToken(transport)) throw new SipParseError(`transport ${excerpt(transport)}`);
  let text = `SIP/2.0/${transport} ${formatHostPort(via)}`;
  if (branch !== undefined) text += formatParameter('branch', branch);
  if (received !== undefined) text += formatParameter('received', received);
  if (rport !== undefined) text += rport === true ? ';rport' : `;rport=${rport}`;
  return text + formatParameters(parameters);
}

const usual = /^SIP\/2\.0\/([A-Za-z]+) ([A-Za-z0-9.:-]+)$/;

// White space is legal round the slashes, and in sent-by round the colon.
function splitProtocol(text: string): { transport: string; sentBy: string } {
  const plain = usual.exec(text);
  if (plain) return { transport: plain[1]!, sentBy: plain[2]! };
  const [name = '', version = '', ...rest] = text.split('/');
  const tail = rest.join('/').trimStart();
  const gap = /[ \t]/.exec(tail)?.index ?? -1;
  const transport = tail.slice(0, Math.max(gap, 0));
  const isSip = trimmed(name, 0, name.length).toUpperCase() === 'SIP' && trimmed(version, 0, version.length) === '2.0';
  if (!isSip || !isToken(transport)) throw new SipParseError(`Via ${excerpt(text)}`);
  return { transport, sentBy: closeColon(tail.slice(gap)) };
}

/** `host : port` as `host:port`; any other white space is left for the host to be refused by. */
function closeColon(sentBy: string): string {
  const parts = sentBy.trim().split(/[ \t]+/);
  if (parts.length > 3) throw new SipParseError(`sent-by ${excerpt(sentBy)}`);
  return parts.join(' ').replace(' :', ':').replace(': ', ':');
}

function parseRport(value: string | undefined): number | true {
  if (value === undefined) return true;
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw new SipParseError(`rport ${excerpt(value)}`);
  return Number(value);
}
