// Requests and responses as the trace keeps them: the bytes, no credentials, and where the words of a person are.
import type { Hub, TraceHop } from '../../src/contract/index.ts';
import { encodeMessage, Headers, type SipMessage } from './codec/message.ts';

const secrets = ['Authorization', 'Proxy-Authorization'];

/** `bytes` are the message's own, where it is on the wire already. */
export function traceMessage(
  hub: Hub,
  event: string,
  direction: TraceHop['direction'],
  message: SipMessage,
  bytes?: Uint8Array,
): void {
  const what = message.kind === 'request' ? message.method : `${message.status} ${message.reason}`;
  const shown = withoutSecrets(message);
  const wire = bytes && shown === message ? bytes : encodeMessage(shown);
  const end = wire.length;
  hub.trace.hop(event, { direction, what, wire, hidden: [[end - message.body.length, end]] });
}

function withoutSecrets(message: SipMessage): SipMessage {
  if (!secrets.some((name) => message.headers.has(name))) return message;
  const headers = new Headers();
  for (const [name, value] of message.headers.entries()) headers.add(name, secrets.includes(name) ? '***' : value);
  return { ...message, headers };
}
