// A plain MESSAGE to change one thing of, as octets.
import { fileURLToPath } from 'node:url';

export const wireFolder = fileURLToPath(new URL('../../wire/sip/', import.meta.url));

export const usualHeaders: readonly string[] = [
  'Via: SIP/2.0/UDP host.example.org;branch=z9hG4bK776sgdkse;rport',
  'Max-Forwards: 70',
  'From: "Alice" <sip:alice@example.org>;tag=49583',
  'To: <sip:bob@example.net>',
  'Call-ID: asd88asd77a@192.0.2.4',
  'CSeq: 1 MESSAGE',
  'Content-Type: text/plain;charset=utf-8',
];

/** Headers are replaced by name, in place; those that are new come last. An empty value takes one out. */
export function rawMessage(changes: Record<string, string> = {}, body = 'Watson, come here.', line?: string): Buffer {
  const left = { ...changes };
  const lines = usualHeaders.flatMap((header) => {
    const name = header.slice(0, header.indexOf(':'));
    const change = left[name];
    delete left[name];
    if (change === undefined) return [header];
    return change === '' ? [] : [`${name}: ${change}`];
  });
  for (const [name, value] of Object.entries({ 'Content-Length': String(Buffer.byteLength(body)), ...left })) {
    if (value !== '') lines.push(`${name}: ${value}`);
  }
  return Buffer.from(`${[line ?? 'MESSAGE sip:bob@example.net SIP/2.0', ...lines].join('\r\n')}\r\n\r\n${body}`);
}
