// The torture tests of RFC 4475 (49 messages) and RFC 5118 (IPv6, 12 messages), each against the expectation written beside it
// in test/wire/sip/rfc4475 and rfc5118 (whose Content-Length are corrected: those of its archive fit no line ending).
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { parseCSeq } from '../../../adapters/sip/codec/cseq.ts';
import { parseSipDate } from '../../../adapters/sip/codec/date.ts';
import { bareHost, formatHostPort, type HostPort } from '../../../adapters/sip/codec/host.ts';
import {
  createResponse,
  decodeMessage,
  encodeMessage,
  type SipMessage,
  SipParseError,
  StreamDecoder,
} from '../../../adapters/sip/codec/message.ts';
import { parseNameAddr } from '../../../adapters/sip/codec/name-addr.ts';
import { parseUri } from '../../../adapters/sip/codec/uri.ts';
import { parseVia } from '../../../adapters/sip/codec/via.ts';
import { type MimePart, partsByType, textContentOf } from '../../../src/formats/mime.ts';

interface Expectation {
  name: string;
  section: string;
  title: string;
  expect: 'accept' | 'refuse' | 'upper layer';
  /** What is to be found in an accepted message; each key has its reader below. */
  fields: Record<string, unknown>;
  status: number;
  /** False for a broken response, which nobody answers. */
  answered: boolean;
  answers?: string;
  why?: string;
}

interface Case extends Expectation {
  rfc: 4475 | 5118;
  bytes: Buffer;
}

function casesOf(rfc: Case['rfc']): Case[] {
  const folder = join(import.meta.dirname, `../../wire/sip/rfc${rfc}`);
  const cases = globSync('*.json', { cwd: folder }).map((file) => {
    const expectation = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Expectation;
    return { ...expectation, rfc, bytes: readFileSync(join(folder, `${basename(file, '.json')}.sip`)) };
  });
  return cases.sort((a, b) => a.section.localeCompare(b.section, 'en', { numeric: true }));
}

const cases = [...casesOf(4475), ...casesOf(5118)];

test('RFC 4475: all 49 messages are here', () => assert.equal(casesOf(4475).length, 49));
test('RFC 5118: all 12 messages are here', () => assert.equal(casesOf(5118).length, 12));

for (const { rfc, name, section, title, bytes, ...expectation } of cases) {
  const verdict = expectation.answers ?? expectation.why ?? 'accepted';
  test(`RFC ${rfc} s.${section}: ${title} (${name}): ${verdict}`, () => {
    if (expectation.expect === 'refuse') assertRefused(bytes, expectation);
    else assertFields(bytes, expectation.fields);
  });
}

test('RFC 4475, RFC 5118: what is accepted comes back from its own encoding unchanged', () => {
  for (const { name, bytes, expect } of cases) {
    if (expect === 'refuse') continue;
    const message = decodeMessage(bytes);
    const again = decodeMessage(encodeMessage(message));
    assert.deepEqual(withoutLength(again), withoutLength(message), name);
  }
});

test('RFC 4475, RFC 5118: on a stream the same verdicts hold, except where framing is lost', () => {
  for (const { name, bytes, expect } of cases) {
    // A datagram ends by itself: these have no Content-Length, a wrong one, or two messages, and a stream reads on.
    if (['clerr', 'inv2543', 'dblreq', 'mcl01', 'multi01', 'ncl'].includes(name)) continue;
    const items = new StreamDecoder().push(bytes).filter((item) => typeof item !== 'string');
    assert.equal(items.length, 1, name);
    assert.equal(items[0] instanceof SipParseError, expect === 'refuse', name);
  }
});

function assertRefused(bytes: Buffer, { status, answered }: Pick<Expectation, 'status' | 'answered'>): void {
  const error = thrownBy(() => decodeMessage(bytes));
  assert.equal(error.status, status, error.message);
  assert.equal(error.partial !== undefined, answered);
  if (!error.partial) return;
  const response = encodeMessage(createResponse(error.partial, error.status, { toTag: 'x' })).toString();
  assert.match(response, new RegExp(`^SIP/2.0 ${status} `));
  assert.equal(response.includes('\r\nVia: '), true);
}

function thrownBy(work: () => unknown): SipParseError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof SipParseError, String(error));
    return error;
  }
  return assert.fail('accepted');
}

function assertFields(bytes: Buffer, fields: Record<string, unknown>): void {
  const message = decodeMessage(bytes);
  for (const [field, expected] of Object.entries(fields)) {
    const read = readers[field];
    assert.ok(read, `no reader for ${field}`);
    const actual = read(message, expected);
    assert.deepEqual(actual, expected, field);
  }
  for (const field of ['fromTag', 'toTag', 'fromName', 'toName', 'branch']) {
    if (field in fields || field === 'branch') continue;
    assert.equal(readers[field]!(message, undefined), undefined, `${field} is not in the message`);
  }
}

type Reader = (message: SipMessage, expected: unknown) => unknown;

const header = (message: SipMessage, name: string) => message.headers.get(name) ?? assert.fail(`no ${name}`);
const address = (name: string) => (message: SipMessage) => parseNameAddr(header(message, name));
const contacts = (message: SipMessage) => message.headers.all('Contact').map(parseNameAddr);
const request = (message: SipMessage) => (message.kind === 'request' ? message : assert.fail('a response'));
const partOf = ({ headers, body }: SipMessage): MimePart => ({ headers: [...headers.entries()], body });
const response = (message: SipMessage) => (message.kind === 'response' ? message : assert.fail('a request'));

const readers: Record<string, Reader> = {
  method: (message) => {
    assert.equal(parseCSeq(header(message, 'CSeq')).method, request(message).method);
    return request(message).method;
  },
  uri: (message) => request(message).uri,
  uriUser: (message) => parseUri(request(message).uri).user,
  uriHost: (message) => formatHostPort(parseUri(request(message).uri) as HostPort),
  uriScheme: (message) => parseUri(request(message).uri).scheme,
  status: (message) => response(message).status,
  reason: (message) => response(message).reason,
  callId: (message) => header(message, 'Call-ID'),
  cseq: (message) => parseCSeq(header(message, 'CSeq')).number,
  fromUri: (message) => address('From')(message).uri,
  fromName: (message) => address('From')(message).displayName,
  fromTag: (message) => address('From')(message).parameters.get('tag'),
  toUri: (message) => address('To')(message).uri,
  toName: (message) => address('To')(message).displayName,
  toTag: (message) => address('To')(message).parameters.get('tag'),
  vias: (message) =>
    message.headers
      .all('Via')
      .map(parseVia)
      .map(({ transport, host, port }) => `${transport} ${host}${port === undefined ? '' : `:${port}`}`),
  branch: (message) => parseVia(message.headers.all('Via')[0]!).branch,
  received: (message) => bareHost(parseVia(message.headers.all('Via')[0]!).received ?? ''),
  contacts: (message) => contacts(message).map(({ uri }) => uri),
  contactParameters: (message) => contacts(message).flatMap(({ parameters }) => [...parameters.keys()]),
  bodyBytes: (message) => message.body.length,
  parts: (message) => [...partsByType(partOf(message)).keys()],
  text: (message) => textContentOf(partsByType(partOf(message)).get('text/plain') ?? assert.fail('no text')),
  date: (message) => parseSipDate(header(message, 'Date')) ?? null,
  headers: (message, expected) =>
    Object.fromEntries(Object.keys(expected as object).map((name) => [name, message.headers.get(name)])),
  lists: (message, expected) =>
    Object.fromEntries(Object.keys(expected as object).map((name) => [name, message.headers.all(name)])),
};

function withoutLength({ wire: _, ...message }: SipMessage): unknown {
  const headers = [...message.headers.entries()].filter(([name]) => name !== 'Content-Length');
  return { ...message, body: Buffer.from(message.body).toString('hex'), headers };
}
