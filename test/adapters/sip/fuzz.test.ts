// Mutated torture messages through every reader: what comes out is a message or a SipParseError, and never anything else.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSipDate } from '../../../adapters/sip/codec/date.ts';
import {
  createResponse,
  decodeMessage,
  encodeMessage,
  type SipMessage,
  SipParseError,
  StreamDecoder,
} from '../../../adapters/sip/codec/message.ts';
import { parseNameAddr } from '../../../adapters/sip/codec/name-addr.ts';
import { parseParameterised } from '../../../adapters/sip/codec/parameters.ts';
import { formatUri, parseUri } from '../../../adapters/sip/codec/uri.ts';
import { formatVia, parseVia } from '../../../adapters/sip/codec/via.ts';
import { parseChallenges } from '../../../adapters/sip/digest/index.ts';
import { parseCpim } from '../../../src/formats/cpim.ts';
import { leavesOf, MimeError, textContentOf } from '../../../src/formats/mime.ts';
import { Mutator } from './mutants.ts';

const rounds = Number(process.env.DRAGOMAN_FUZZ ?? 60_000);
const folder = join(import.meta.dirname, '../../wire/sip');
const samplesOf = (pattern: string) =>
  globSync(pattern, { cwd: folder })
    .sort()
    .map((file) => readFileSync(join(folder, file)));
const torture = samplesOf('rfc4475/*.sip');

/** Undefined when it was refused as it should be; anything but a SipParseError or MimeError goes on up. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SipParseError || error instanceof MimeError) return undefined;
    throw error;
  }
}

test(`${rounds} mutants of RFC 4475: decoded or refused, and what was decoded can be sent on and read again`, () => {
  const mutator = new Mutator(torture, 4475);
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = mutator.next();
    const message = attemptShowing(bytes, () => decodeMessage(bytes));
    if (!message) continue;
    accepted++;
    const again = decodeMessage(encodeMessage(message));
    assert.deepEqual([...again.headers.entries()].filter(notLength), [...message.headers.entries()].filter(notLength));
    assert.ok(Buffer.from(message.body).equals(again.body));
    if (round % 8 === 0) attemptShowing(bytes, () => readEverything(message));
  }
  assert.ok(accepted > rounds / 20, `only ${accepted} accepted: the mutants are too far from SIP to prove anything`);
  assert.ok(accepted < rounds * 0.9, `${accepted} accepted: nothing is refused`);
});

test('mutants on a stream, cut anywhere: the same items as in one piece', () => {
  const mutator = new Mutator(torture, 3261);
  for (let round = 0; round < rounds / 20; round++) {
    const bytes = mutator.next();
    const whole = new StreamDecoder().push(bytes).filter(isNoKeepAlive).map(describe);
    const decoder = new StreamDecoder();
    const cut = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + mutator.below(200);
      cut.push(...decoder.push(bytes.subarray(at, end)));
      at = end;
    }
    assert.deepEqual(cut.filter(isNoKeepAlive).map(describe), whole, bytes.toString('latin1'));
  }
});

test('mutants of CPIM and multiparts: read or refused', () => {
  const mutator = new Mutator([...samplesOf('rfc3862/*.cpim'), ...samplesOf('rfc5438/*.cpim'), ...torture], 3862);
  for (let round = 0; round < rounds / 6; round++) {
    const bytes = mutator.next();
    attemptShowing(bytes, () => leavesOf(parseCpim(bytes).content).map(textContentOf));
  }
});

test('mutants of challenges: read or ignored', () => {
  const seeds = [
    'Digest realm="a.example", nonce="abc", algorithm=SHA-256, qop="auth,auth-int", opaque="x", stale=TRUE',
    'Digest realm="a\\"b", nonce="", Basic realm="c"',
  ];
  const mutator = new Mutator(
    seeds.map((seed) => Buffer.from(seed)),
    7616,
  );
  for (let round = 0; round < rounds / 6; round++) parseChallenges([mutator.next().toString('latin1')]);
});

function readEverything(message: SipMessage): void {
  for (const [name, value] of message.headers.entries()) {
    message.headers.all(name);
    attempt(() => parseNameAddr(value));
    attempt(() => parseParameterised(value));
    parseSipDate(value);
  }
  for (const via of message.headers.all('Via')) formatVia(parseVia(via));
  if (message.kind === 'response') return;
  encodeMessage(createResponse(message, 400));
  attempt(() => formatUri(parseUri(message.uri)));
}

function attemptShowing<T>(bytes: Buffer, read: () => T): T | undefined {
  try {
    return attempt(read);
  } catch (error) {
    throw new Error(`${error} from ${JSON.stringify(bytes.toString('latin1'))}`, { cause: error });
  }
}

const notLength = ([name]: [string, string]) => name !== 'Content-Length';
const isNoKeepAlive = (item: unknown) => typeof item !== 'string';
const describe = (item: unknown) =>
  item instanceof SipParseError
    ? `${item.status} ${item.isFatal}`
    : encodeMessage(item as SipMessage).toString('latin1');
