// Our readers and our digest against those of SIP.js, which has other authors: what both accept must mean the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LoggerFactory } from 'sip.js/lib/core/index.js';
import { DigestAuthentication } from 'sip.js/lib/core/messages/digest-authentication.js';
import { Grammar } from 'sip.js/lib/grammar/index.js';
import { parseCSeq } from '../../../adapters/sip/codec/cseq.ts';
import { Headers, SipParseError } from '../../../adapters/sip/codec/message.ts';
import { type NameAddr, parseNameAddr } from '../../../adapters/sip/codec/name-addr.ts';
import { parseUri, unescapeUri } from '../../../adapters/sip/codec/uri.ts';
import { parseVia } from '../../../adapters/sip/codec/via.ts';
import { answerChallenge, DigestServer, parseChallenge } from '../../../adapters/sip/digest/index.ts';

interface ForeignUri {
  scheme: string;
  user?: string;
  host: string;
  port?: number;
  parameters: Record<string, string | null>;
}

interface ForeignAddress {
  uri: ForeignUri;
  displayName?: string;
  parameters: Record<string, string | null>;
}

/** Undefined when SIP.js refuses. */
function foreign<T>(text: string, rule: string): T | undefined {
  const read: unknown = Grammar.parse(text, rule);
  return read === -1 ? undefined : (read as T);
}

/** Undefined when we refuse. */
function ours<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof SipParseError, String(error));
    return undefined;
  }
}

const token = fc.string({ unit: fc.constantFrom(...'abzAZ09-.!%*_+`~'), minLength: 1, maxLength: 8 });
const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019'), minLength: 1, maxLength: 8 });
const user = fc.string({
  unit: fc.constantFrom(..."abZ09-_.!~*'()&=+$,;?/", '%41', '%C3%BC'),
  minLength: 1,
  maxLength: 10,
});
const host = fc.constantFrom(
  'example.com',
  'EXAMPLE.com',
  '192.0.2.1',
  '[2001:db8::1]',
  'a-b.c-d.org',
  'localhost',
  'a..b',
  '-',
);
const port = fc.constantFrom('', ':5060', ':1', ':65535', ':');
const space = fc.constantFrom('', '', '', ' ', '  ');
const quoted = fc
  .string({ unit: fc.constantFrom('a', 'é', ' ', ',', ';', '<', '>', '@', '\\"', '\\\\'), maxLength: 8 })
  .map((text) => `"${text}"`);
const joined = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((texts) => texts.join(''));
const uriParameters = fc
  .uniqueArray(fc.tuple(word, fc.option(word)), { maxLength: 3, selector: ([name]) => name.toLowerCase() })
  .map((pairs) => pairs.map(([name, value]) => (value === null ? `;${name}` : `;${name}=${value}`)).join(''));
const parameters = fc
  .uniqueArray(fc.tuple(token, fc.option(fc.oneof(word, quoted)), space), {
    maxLength: 3,
    selector: ([name]) => name.toLowerCase(),
  })
  .map((pairs) =>
    pairs.map(([name, value, gap]) => (value === null ? `${gap};${name}` : `;${gap}${name}${gap}=${value}`)).join(''),
  );
const uri = joined(
  fc.constantFrom('sip:', 'sips:', 'SIP:'),
  fc.oneof(
    fc.constant(''),
    user.map((name) => `${name}@`),
  ),
  host,
  port,
  uriParameters,
);
const nameAddr = joined(
  fc.oneof(
    quoted.map((name) => `${name} `),
    word.map((name) => `${name} `),
    fc.constant(''),
  ),
  uri.map((text) => `<${text}>`),
  parameters,
);

/** Runs the comparison; fails as well when hardly anything was accepted by both. */
function compare(texts: fc.Arbitrary<string>, bothAccept: (text: string) => boolean, runs = 300): void {
  let compared = 0;
  fc.assert(
    fc.property(texts, (text) => {
      if (bothAccept(text)) compared++;
    }),
    { numRuns: runs },
  );
  assert.ok(compared > runs / 4, `only ${compared} of ${runs} were accepted by both`);
}

const named = (map: ReadonlyMap<string, string | undefined>) =>
  Object.fromEntries([...map].map(([name, value]) => [name, value === undefined ? null : value.toLowerCase()]));
const lowered = (record: Record<string, string | null>) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name.toLowerCase(), value?.toLowerCase() ?? null]));

function assertSameUri(text: string, theirs: ForeignUri): void {
  const mine = parseUri(text);
  const { scheme, user: name, port: number } = mine;
  assert.deepEqual(
    [scheme, name && unescapeUri(name), mine.host.toLowerCase(), number],
    [theirs.scheme.toLowerCase(), theirs.user && unescapeUri(theirs.user), theirs.host.toLowerCase(), theirs.port],
  );
  assert.deepEqual(named(mine.parameters), lowered(theirs.parameters));
}

test('reference sip-stack acceptance 12: URIs: SIP.js and we read the same user, host, port and parameters', () => {
  compare(uri, (text) => {
    const theirs = foreign<ForeignUri>(text, 'SIP_URI');
    const mine = ours(() => parseUri(text));
    if (!theirs || !mine) return false;
    assertSameUri(text, theirs);
    return true;
  });
});

/** The address and, as a condition of having been accepted, its URI. */
function readAddress(text: string): NameAddr {
  const address = parseNameAddr(text);
  parseUri(address.uri);
  return address;
}

function assertSameAddress(mine: NameAddr, theirs: ForeignAddress): void {
  assertSameUri(mine.uri, theirs.uri);
  // SIP.js leaves the backslashes in.
  assert.equal(mine.displayName ?? '', theirs.displayName?.replace(/\\(.)/g, '$1') ?? '');
  assert.deepEqual(named(mine.parameters), lowered(theirs.parameters));
}

test('reference sip-stack acceptance 12: From and To: SIP.js and we read the same name, URI and parameters', () => {
  compare(nameAddr, (text) => {
    const theirs = foreign<ForeignAddress>(text, 'Name_Addr_Header');
    const mine = ours(() => readAddress(text));
    if (!theirs || !mine) return false;
    assertSameAddress(mine, theirs);
    return true;
  });
});

test('reference sip-stack acceptance 12: Contact lists: SIP.js and we cut at the same commas', () => {
  const lists = fc.array(nameAddr, { minLength: 1, maxLength: 3 }).map((list) => list.join(' , '));
  compare(
    lists,
    (text) => {
      const theirs = foreign<{ parsed: ForeignAddress }[]>(text, 'Contact');
      const mine = ours(() => new Headers().add('Contact', text).all('Contact').map(readAddress));
      if (!theirs || !mine) return false;
      assert.equal(mine.length, theirs.length);
      for (const [index, { parsed }] of theirs.entries()) assertSameUri(mine[index]!.uri, parsed.uri);
      return true;
    },
    150,
  );
});

test('reference sip-stack acceptance 12: Via: SIP.js and we read the same transport, sent-by, branch, received and rport', () => {
  const vias = joined(
    fc.constantFrom('SIP/2.0/', 'SIP / 2.0 / ', 'SIP/2.0 /'),
    fc.constantFrom('UDP', 'TCP', 'WSS', 'x-Y'),
    fc.constantFrom(' ', '   '),
    host,
    fc.constantFrom('', ':5060', ' : 5060'),
    fc.constantFrom('', ';rport', ';rport=9'),
    token.map((branch) => `;branch=z9hG4bK${branch}`),
    fc.constantFrom('', ';received=192.0.2.9', ' ; ttl=3', ';received=2001:db8::5'),
  );
  compare(vias, (text) => {
    const theirs = foreign<Record<string, string | number | undefined>>(text, 'Via');
    const mine = ours(() => parseVia(text));
    if (!theirs || !mine) return false;
    assert.deepEqual(
      [mine.transport, mine.host, mine.port, mine.branch, mine.received],
      [String(theirs.transport).toUpperCase(), theirs.host, theirs.port, theirs.branch, theirs.received],
    );
    if (typeof mine.rport === 'number') assert.equal(String(mine.rport), theirs.rport);
    return true;
  });
});

test('reference sip-stack acceptance 12: CSeq: SIP.js and we read the same number and method', () => {
  const values = joined(
    fc.oneof(fc.nat(), fc.constantFrom(4294967296, 2147483648)).map(String),
    fc.constantFrom(' ', '  '),
    token,
  );
  compare(values, (text) => {
    const theirs = foreign<{ value: number; method: string }>(text, 'CSeq');
    const mine = ours(() => parseCSeq(text));
    if (!theirs || !mine) return false;
    assert.deepEqual([mine.number, mine.method], [theirs.value, theirs.method]);
    return true;
  });
});

interface ForeignChallenge {
  realm: string;
  nonce: string;
  algorithm?: string;
  opaque?: string;
  qop?: string[];
  stale?: boolean;
}

const challenges = fc
  .record({
    realm: word,
    nonce: token,
    qop: fc.constantFrom('', ', qop="auth"', ', qop="auth,auth-int"', ', qop="auth-int"'),
    rest: fc.constantFrom('', ', algorithm=MD5', ', opaque="o1"', ', stale=TRUE', ', stale=false, algorithm=MD5'),
  })
  .map(({ realm, nonce, qop, rest }) => `Digest realm="${realm}", nonce="${nonce}"${qop}${rest}`);

test('reference sip-stack acceptance 12: challenges: SIP.js and we read the same realm, nonce, opaque and stale', () => {
  compare(challenges, (text) => {
    const theirs = foreign<ForeignChallenge>(text, 'challenge');
    const mine = parseChallenge(text);
    if (!theirs || !mine) return false;
    assert.deepEqual(
      [mine.realm, mine.nonce, mine.opaque, mine.isStale, mine.algorithmName],
      [theirs.realm, theirs.nonce, theirs.opaque, theirs.stale ?? false, theirs.algorithm],
    );
    return true;
  });
});

const request = { method: 'REGISTER', uri: 'sip:example.org', body: Buffer.from('body of ä request') };
const users = (name: string) => (name === 'alice' ? { password: 'sécret' } : undefined);

/** What SIP.js would send. */
function foreignAnswer(challenge: string, password = 'sécret'): string {
  const logger = new LoggerFactory();
  logger.builtinEnabled = false;
  const digest = new DigestAuthentication(logger, undefined, 'alice', password);
  const message = { method: request.method, ruri: request.uri };
  const parsed: unknown = Grammar.parse(challenge, 'challenge');
  assert.ok(digest.authenticate(message as never, parsed as never, request.body.toString()));
  return digest.toString();
}

test('reference sip-stack acceptance 12: digest: our server takes what SIP.js answers, whatever qop it was asked for, and refuses its wrong password', () => {
  for (const change of [', qop="auth"', ', qop="auth-int"', '']) {
    const server = new DigestServer({ realm: 'example.org', users, algorithms: ['MD5'] });
    const challenge = server.challenge(0)[0]!.replace(', qop="auth"', change);
    assert.deepEqual(server.verify([foreignAnswer(challenge)], request, 1), { user: 'alice' }, change);
    assert.equal(server.verify([foreignAnswer(challenge, 'wrong')], request, 1).user, undefined);
  }
});

test('reference sip-stack acceptance 12: digest: given the same challenge, SIP.js and we answer the same', () => {
  const credentials = [{ user: 'alice', password: 'sécret' }];
  compare(
    challenges,
    (challenge) => {
      const theirs = foreignAnswer(challenge);
      const cnonce = /cnonce="([^"]*)"/.exec(theirs)?.[1];
      const [mine] = answerChallenge([challenge], credentials, request, { next: () => 1 }, cnonce);
      assert.equal(/response="(\w+)"/.exec(mine!)?.[1], /response="(\w+)"/.exec(theirs)?.[1]);
      return true;
    },
    100,
  );
});
