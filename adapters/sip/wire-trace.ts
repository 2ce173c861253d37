// Requests and responses as the trace keeps them: the bytes, no credentials, and where the words of a person are.
import { isIP } from 'node:net';
import type { Hub, Ranges, TraceHop, WireUnit } from '../../src/contract/index.ts';
import { encodeMessage, type SipMessage } from './codec/message.ts';
import type { Flow } from './transport/flow.ts';

const secrets = ['Authorization', 'Proxy-Authorization'];
const secretLines = /^((?:Proxy-)?Authorization[ \t]*:).*(?:\r?\n[ \t].*)*/gim;

/** `bytes` are the message's own, where it is on the wire already. */
export function traceMessage(
  hub: Hub,
  event: string,
  direction: TraceHop['direction'],
  message: SipMessage,
  bytes = message.wire ?? encodeMessage(message),
): void {
  const what = message.kind === 'request' ? message.method : `${message.status} ${message.reason}`;
  const hasSecrets = secrets.some((name) => message.headers.has(name));
  const wire = hasSecrets ? withoutSecrets(bytes, message.body.length) : bytes;
  const end = wire.length;
  hub.trace.hop(event, { direction, what, wire, hidden: [[end - message.body.length, end]] });
}

function withoutSecrets(wire: Uint8Array, bodyLength: number): Buffer {
  const bytes = Buffer.from(wire);
  const bodyAt = bytes.length - bodyLength;
  const head = bytes.toString('latin1', 0, bodyAt).replace(secretLines, '$1 ***');
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes.subarray(bodyAt)]);
}

/** For captures: what a flow carried. Our own end is the one that Via names. */
export function wireUnit(flow: Flow, direction: WireUnit['direction'], bytes: Uint8Array): WireUnit {
  const { transport, remote, sentBy } = flow;
  const text = Buffer.from(bytes).toString('latin1');
  // RFC 3261 s.7.5: empty lines before the start line are none of the message's.
  const head = /^(?:\r?\n)*.*?\r?\n\r?\n/s.exec(text);
  const bodyAt = head ? head[0].length : text.length;
  return {
    direction,
    transport: transport === 'UDP' ? 'udp' : 'tcp',
    local: { address: isIP(sentBy.host) === 0 ? '0.0.0.0' : sentBy.host, port: sentBy.port },
    remote,
    bytes,
    secrets: proofsIn(text),
    hidden: [[bodyAt, text.length]],
  };
}

// Of digest the response, without which nothing can be guessed; of any other scheme all of it.
function proofsIn(text: string): Ranges {
  const headers = text.matchAll(/^(?:Proxy-)?Authorization[ \t]*:\s*(\S+)(.*(?:\r?\n[ \t].*)*)/gim);
  return [...headers].flatMap(({ index, 0: all, 1: scheme = '', 2: rest = '' }) => {
    const start = index + all.length - rest.length;
    const responses = scheme.toLowerCase() === 'digest' ? [...rest.matchAll(/response\s*=\s*"?([^",\s]*)/gi)] : [];
    if (responses.length === 0) return [[start, start + rest.length] as const];
    return responses.map(({ index: at, 0: said, 1: value = '' }) => {
      const end = start + at + said.length;
      return [end - value.length, end] as const;
    });
  });
}
