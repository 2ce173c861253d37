// Every format that comes from a SIP peer, broken in every way: read as far as it goes or refused in words, and what was read
// can be written. One row a format. DRAGOMAN_FUZZ sets how many mutants of each, DRAGOMAN_FUZZ_SEED which ones.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { deflateSync, gzipSync } from 'node:zlib';
import { decodeMessage, encodeMessage, Headers, SipParseError } from '../../../adapters/sip/codec/message.ts';
import { StreamDecoder } from '../../../adapters/sip/codec/stream-decoder.ts';
import { formatComposing, parseComposing } from '../../../adapters/sip/composing.ts';
import { decodeContentEncoding, formatImdn, parseImdn } from '../../../adapters/sip/imdn.ts';
import { textOfHtml } from '../../../adapters/sip/mapping/html.ts';
import { toIncoming } from '../../../adapters/sip/mapping/inbound.ts';
import { readResourceLists } from '../../../adapters/sip/presence/list/resource-lists.ts';
import { parseRegInfo } from '../../../adapters/sip/presence/reg/reg-info.ts';
import { formatWatcherInfo, parseWatcherInfo } from '../../../adapters/sip/presence/winfo/watcher-info.ts';
import { parseAddress } from '../../../src/contract/index.ts';
import { encodeCpim, notUnderstood, parseCpim, textsOf } from '../../../src/formats/cpim.ts';
import { contentOf, MimeError, partsByType, textContentOf } from '../../../src/formats/mime.ts';
import { decodePidf, encodePidf, encodeXpidf } from '../../../src/formats/pidf/index.ts';
import { formatRlmi, readListNotice } from '../../../src/formats/rlmi.ts';
import { XmlError } from '../../../src/formats/xml.ts';
import { requestText } from '../../peers/sip-peer.ts';
import { request } from './fixtures.ts';
import { Mutator } from './mutants.ts';
import { wireFolder } from './samples.ts';

const count = Number(process.env.DRAGOMAN_FUZZ ?? 2_000);
const seed = Number(process.env.DRAGOMAN_FUZZ_SEED ?? 4475);

interface Format {
  name: string;
  samples: readonly Buffer[];
  /** Throws an error of `refusals` and no other. */
  read(bytes: Buffer): void;
  refusals: ReadonlyArray<new (...given: never[]) => Error>;
}

const wire = (pattern: string) =>
  globSync(pattern, { cwd: wireFolder }).map((file) => readFileSync(join(wireFolder, file)));
const multipart = [
  '--b\r\nContent-Type: text/plain;charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>hi</b>\r\n--b--\r\n',
  '--b\r\nContent-Type: multipart/alternative;boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\nContent-Type: message/cpim\r\n\r\nFrom: <im:a@b>\r\n\r\nContent-Type: text/plain\r\n\r\nhi\r\n--c--\r\n--b--',
].map((text) => Buffer.from(text));
const related =
  '--b\r\nContent-ID: <r@h>\r\nContent-Type: application/rlmi+xml\r\n\r\n<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:l@h" version="1" fullState="true"><name xml:lang="en">x</name><resource uri="sip:a@h"><instance id="i" state="active" cid="c@h"/></resource></list>\r\n--b\r\nContent-ID: <c@h>\r\nContent-Type: application/pidf+xml\r\n\r\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a@h"/>\r\n--b--';
const watchers =
  '<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full"><watcher-list resource="sip:a@h" package="presence"><watcher id="1" status="pending" event="subscribe" display-name="B" expiration="60" duration-subscribed="5">sip:b@h</watcher></watcher-list></watcherinfo>';
const registrations =
  '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="3" state="full"><registration aor="sip:a@h" id="r" state="active"><contact id="c" state="terminated" event="probation" expires="60" retry-after="5" callid="x" cseq="7"><uri>sip:a@192.0.2.1</uri><unknown-param name="+sip.instance">"&lt;urn:uuid:1&gt;"</unknown-param></contact></registration></reginfo>';
const lists =
  '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list name="x"><entry uri="sip:a@h"><display-name>A</display-name></entry><list><entry uri="tel:+1"/></list><external anchor="x"/></list></resource-lists>';
const html =
  '<html><body><p class="a">1 &lt; 2 &amp; &#252; &#x1f600;</p><br/><div>b<!-- c --></div><script>x</script></body></html>';
const envelope = request();
const people = { from: parseAddress('sip:bob@other.example'), to: parseAddress('sip:alice@gw.example') };

/** As it comes in a MESSAGE, through every layer. */
function received(bytes: Buffer, type: string, ...encoding: string[]): void {
  const headers = new Headers();
  for (const [name, value] of envelope.headers.entries()) if (name !== 'Content-Type') headers.add(name, value);
  headers.add('Content-Type', type);
  for (const one of encoding) headers.add('Content-Encoding', one);
  toIncoming({ ...envelope, headers, body: bytes }, people, 1.7e12);
}

const formats: readonly Format[] = [
  {
    name: 'SIP in datagrams',
    samples: wire('rfc{3428,4475,5118,5438}/*.sip'),
    read: (bytes) => void decodeMessage(encodeMessage(decodeMessage(bytes))),
    refusals: [SipParseError],
  },
  {
    name: 'SIP in a stream',
    samples: wire('rfc{3428,4475,5118,5438}/*.sip'),
    read(bytes) {
      const decoder = new StreamDecoder();
      const cut = bytes.length >> 1;
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut), bytes]) {
        for (const item of decoder.push(part)) if (item instanceof SipParseError && item.isFatal) throw item;
      }
    },
    refusals: [SipParseError],
  },
  {
    name: 'MESSAGE, headers and body',
    samples: [
      ['text/plain;charset=utf-8', Buffer.from('hi')] as const,
      ['multipart/mixed; boundary="b"', multipart[0]!] as const,
      ['message/cpim', wire('rfc3862/example.cpim')[0]!] as const,
      ['message/imdn+xml', wire('rfc5438/delivery-delivered.xml')[0]!] as const,
      ['application/im-iscomposing+xml', wire('rfc3994/active.xml')[0]!] as const,
    ].map(([type, body]) =>
      Buffer.concat([
        Buffer.from(
          requestText({
            port: 5060,
            type,
            body: '',
            more: [
              `Content-Type: ${type}`,
              'Subject: lunch',
              'Content-Language: fr',
              'Date: Wed, 01 Jul 2026 10:00:00 GMT',
              'Expires: 60',
              'Content-Encoding: identity',
            ],
          }).replace('Content-Length: 0', `Content-Length: ${body.length}`),
        ),
        body,
      ]),
    ),
    read(bytes) {
      const message = decodeMessage(bytes);
      if (message.kind === 'request') toIncoming(message, people, 1.7e12);
    },
    refusals: [SipParseError],
  },
  {
    name: 'PIDF and xpidf',
    samples: wire('{presence-as-sent,rfc3863,rfc4480,rfc8048}/*.xml'),
    read(bytes) {
      const document = decodePidf(bytes);
      decodePidf(encodePidf(document));
      decodePidf(encodeXpidf(document));
    },
    refusals: [XmlError],
  },
  {
    name: 'RLMI',
    samples: [Buffer.from(related)],
    read(bytes) {
      const part = { headers: [['Content-Type', 'multipart/related;boundary=b;start="<r@h>"'] as const], body: bytes };
      const { rlmi, parts } = readListNotice(part);
      formatRlmi(rlmi);
      for (const inner of parts.values()) contentOf(inner);
    },
    refusals: [XmlError, MimeError],
  },
  {
    name: 'watcher information',
    samples: [Buffer.from(watchers)],
    read: (bytes) => void parseWatcherInfo(formatWatcherInfo(parseWatcherInfo(bytes))),
    refusals: [XmlError],
  },
  {
    name: 'reginfo',
    samples: [Buffer.from(registrations)],
    read: (bytes) => void parseRegInfo(bytes),
    refusals: [XmlError],
  },
  {
    name: 'resource lists',
    samples: [Buffer.from(lists)],
    read: (bytes) => void readResourceLists(bytes),
    refusals: [XmlError],
  },
  {
    name: 'CPIM',
    samples: wire('rfc{3862,5438}/*.cpim'),
    read(bytes) {
      const message = parseCpim(bytes);
      assert.ok(encodeCpim(message).equals(bytes), 'relayed octet for octet (RFC 3862 s.2.2)');
      textsOf(message, 'Subject');
      notUnderstood(message, new Set());
    },
    refusals: [MimeError],
  },
  {
    name: 'CPIM in a MESSAGE',
    samples: wire('rfc{3862,5438}/*.cpim'),
    read: (bytes) => received(bytes, 'message/cpim'),
    refusals: [SipParseError],
  },
  {
    name: 'IMDN',
    samples: wire('rfc5438/*.xml'),
    read: (bytes) => void parseImdn(formatImdn(parseImdn(bytes))),
    refusals: [SipParseError],
  },
  {
    name: 'IMDN in a MESSAGE, deflated',
    samples: wire('rfc5438/*.xml').flatMap((document) => [deflateSync(document), gzipSync(document)]),
    read: (bytes) => received(bytes, 'message/imdn+xml', bytes[0] === 0x1f ? 'gzip' : 'deflate'),
    refusals: [SipParseError],
  },
  {
    name: 'isComposing',
    samples: wire('rfc3994/*.xml'),
    read: (bytes) => void parseComposing(formatComposing(parseComposing(bytes))),
    refusals: [SipParseError],
  },
  {
    name: 'multipart',
    samples: multipart,
    read(bytes) {
      const outer = { headers: [['Content-Type', 'multipart/mixed;boundary=b'] as const], body: bytes };
      for (const leaf of partsByType(outer).values()) textContentOf(leaf);
    },
    refusals: [MimeError],
  },
  {
    name: 'multipart in a MESSAGE',
    samples: multipart,
    read: (bytes) => received(bytes, 'multipart/mixed;boundary=b'),
    refusals: [SipParseError],
  },
  {
    name: 'HTML',
    samples: [Buffer.from(html)],
    read: (bytes) => assert.ok(textOfHtml(bytes.toString('latin1')).length <= bytes.length),
    refusals: [],
  },
  {
    name: 'compressed bodies',
    samples: [deflateSync('x'.repeat(3000)), gzipSync(html), Buffer.from('not compressed')],
    read: (bytes) => void decodeContentEncoding(bytes, ['deflate'], 65_536),
    refusals: [SipParseError],
  },
];

for (const { name, samples, read, refusals } of formats) {
  test(`reference sip 2: mutants of ${name} are read or refused in words, whatever is wrong with them`, async (t) => {
    assert.ok(samples.length > 0);
    for (const sample of samples) attempt(sample);
    const mutator = new Mutator(samples, seed);
    let refused = 0;
    let slowestMs = 0;
    const startedAt = performance.now();
    for (let index = 0; index < count; index++) {
      // What zlib let go of is freed between turns only.
      if (index % 256 === 0) await setImmediate();
      const bytes = mutator.next();
      const before = performance.now();
      if (!attempt(bytes)) refused++;
      slowestMs = Math.max(slowestMs, performance.now() - before);
    }
    const seconds = (performance.now() - startedAt) / 1000;
    t.diagnostic(
      `${count} of seed ${seed}: ${refused} refused, ${seconds.toFixed(1)} s, the slowest ${slowestMs.toFixed(1)} ms, ${process.memoryUsage().rss >> 20} MB`,
    );
    assert.ok(refused < count);
  });

  /** True when it was read. Throws for an error that is none of the format's own. */
  function attempt(bytes: Buffer): boolean {
    try {
      read(bytes);
      return true;
    } catch (error) {
      const isRefusal = refusals.some((kind) => error instanceof kind);
      assert.ok(isRefusal, `${error instanceof Error ? error.stack : error}\n${bytes.toString('base64')}`);
      return false;
    }
  }
}
