// What reading and writing SIP costs, in processor time: `node bench/sip-codec.ts`. Figures to compare, not to pass.
import { readFileSync } from 'node:fs';
import {
  createResponse,
  decodeMessage,
  encodeMessage,
  SipParseError,
  type SipRequest,
  StreamDecoder,
} from '../adapters/sip/codec/message.ts';
import { answerChallenge, DigestServer } from '../adapters/sip/digest/index.ts';
import { parseCpim } from '../src/formats/cpim.ts';
import { microseconds } from './cost.ts';

const body = 'Grüße aus dem Süden, '.repeat(9);
const message = Buffer.from(
  [
    'MESSAGE sip:bob@example.net SIP/2.0',
    'Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKabc7dh3hd83hf8;rport',
    'Max-Forwards: 70',
    'From: "Alice" <sip:alice@example.org>;tag=1hd73hd',
    'To: <sip:bob@example.net>',
    'Call-ID: abcdkeiwnvlwrhfwlhr@127.0.0.1',
    'CSeq: 1 MESSAGE',
    'Content-Type: text/plain;charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n'),
);

const tolerant = (bytes: Buffer) => () => {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof SipParseError) return error;
    throw error;
  }
};
const withHeader = (line: string) => Buffer.from(message.toString().replace('Max-Forwards: 70', line));
const decoded = decodeMessage(message) as SipRequest;
const stream = new StreamDecoder();
const cpim = readFileSync(new URL('../test/wire/sip/rfc5438/request.cpim', import.meta.url));
const server = new DigestServer({ realm: 'example.org', users: () => ({ password: 'p' }), algorithms: ['SHA-256'] });
const challenge = server.challenge(0);
const credentials = [{ user: 'alice', password: 'p' }];

const rows: [what: string, microseconds: number][] = [
  [`decode and check a MESSAGE of ${message.length} bytes`, microseconds(() => decodeMessage(message))],
  [
    'the same, and write its 202',
    microseconds(() => encodeMessage(createResponse(decodeMessage(message) as SipRequest, 202, { toTag: 'a1b2c3' }))),
  ],
  ['the same MESSAGE off a stream', microseconds(() => stream.push(message))],
  ['encode it', microseconds(() => encodeMessage(decoded))],
  ['read its CPIM envelope (other message)', microseconds(() => parseCpim(cpim))],
  [
    'answer a challenge and verify it, SHA-256',
    microseconds(() => server.verify(answerChallenge(challenge, credentials, decoded), decoded, 0), 2_000),
  ],
  ['16 kB of folding', microseconds(tolerant(withHeader(`Subject: a${'\r\n '.repeat(5_400)}b`)), 200)],
  ['16 kB of quotes', microseconds(tolerant(withHeader(`Contact: "${'\\"'.repeat(8_000)}" <sip:a@b>`)), 200)],
  [
    '16 kB of parameters',
    microseconds(
      tolerant(withHeader(`Contact: <sip:a@b>${[...Array(2_000).keys()].map((n) => `;p${n}=1`).join('')}`)),
      200,
    ),
  ],
  [
    '60 kB of folding (refused at 16 Ki)',
    microseconds(tolerant(withHeader(`Subject: a${'\r\n '.repeat(20_000)}b`)), 200),
  ],
];

for (const [what, cost] of rows) process.stdout.write(`${cost.toFixed(2).padStart(10)} us  ${what}\n`);
