// Stanzas <-> events: the golden pairs of test/wire/xmpp in both directions, properties, and mutated stanzas.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeStanza } from '../../../adapters/xmpp/codec/stream.ts';
import { fromEvent } from '../../../adapters/xmpp/mapping/from-event.ts';
import { toPresenceEvent } from '../../../adapters/xmpp/mapping/presence.ts';
import { toEvents } from '../../../adapters/xmpp/mapping/to-events.ts';
import { GatewayError, type GatewayEvent, parseEvent } from '../../../src/contract/index.ts';
import { parseXml, type XmlElement, XmlError } from '../../../src/formats/xml.ts';
import { XmlStream } from '../../../src/formats/xml-stream.ts';
import { sampleEvent } from '../../peers/events.ts';

interface Golden {
  direction: 'inbound' | 'outbound';
  drafts?: unknown[];
  refused?: string;
  event?: GatewayEvent;
  style?: { receivedAs: 'chat' | 'normal'; hasChatStates: boolean; now: string };
}

const folder = join(import.meta.dirname, '../../wire/xmpp');
const cases = globSync('*/*.json', { cwd: folder })
  .sort()
  .map((file) => {
    const name = file.replace(/\.json$/, '');
    const golden = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden;
    return { name, golden, wire: readFileSync(join(folder, `${name}.xml`), 'utf8') };
  });

const now = Date.parse('2026-11-23T12:00:00Z');
const read = (wire: string) =>
  parseXml(wire.trim().replace(/^<(message|presence) /, "<$1 xmlns='jabber:component:accept' "));
const draftsOf = (stanza: XmlElement) =>
  stanza.name === 'presence'
    ? [toPresenceEvent(stanza, now)].filter((draft) => draft !== undefined)
    : toEvents(stanza, now);

/** Without the white space that makes a golden file readable. */
function tidy(element: XmlElement): unknown {
  const hasElements = element.children.some((child) => typeof child !== 'string');
  const children = element.children.filter((child) => !hasElements || typeof child !== 'string' || child.trim() !== '');
  const { name, ns, attributes } = element;
  return {
    name,
    ns,
    attributes: { ...attributes },
    children: children.map((one) => (typeof one === 'string' ? one : tidy(one))),
  };
}

test('there are golden pairs in both directions', () => {
  for (const direction of ['inbound', 'outbound']) {
    assert.ok(cases.filter(({ golden }) => golden.direction === direction).length >= 15, direction);
  }
});

for (const { name, golden, wire } of cases) {
  test(`${name
    .toUpperCase()
    .replace(/^XEP(\d+).*/, 'XEP-$1')
    .replace(/^RFC(\d+).*/, 'RFC $1')}: ${name}`, () => {
    if (golden.direction === 'inbound') {
      if (golden.refused === undefined) assert.deepEqual(draftsOf(read(wire)), golden.drafts);
      else assert.throws(() => draftsOf(read(wire)), { reason: golden.refused });
      return;
    }
    const style = { ...golden.style!, now: Date.parse(golden.style!.now) };
    const stanza = fromEvent(parseEvent(golden.event), style);
    assert.ok(stanza);
    assert.deepEqual(tidy(stanza), tidy(read(wire)));
    assert.deepEqual(tidy(read(encodeStanza(stanza))), tidy(stanza), 'it survives the wire');
  });
}

const style = { receivedAs: 'chat', hasChatStates: true, now } as const;
const bob = 'xmpp:bob\\40other.net@sip.xmpp.example';
const alice = 'xmpp:alice@xmpp.example/phone';

test('XMPP has no word for sent and unknown', () => {
  for (const state of ['sent', 'unknown'] as const) {
    assert.equal(fromEvent(sampleEvent('receipt', bob, alice, { of: 'c1', state }), style), undefined);
  }
});

test('RFC 3454 table B.1: an address of which nothing is left is refused before a server sees it', () => {
  for (const to of [
    'xmpp:\u00ad@xmpp.example',
    'xmpp:alice@xmpp.example/\u200b\ufe0f',
    'xmpp:\u2060\u180b@xmpp.example',
  ]) {
    const event = sampleEvent('message', bob, to, { text: { '': 'x' }, wants: [] });
    assert.throws(() => fromEvent(event, style), { reason: 'malformed' });
  }
});

test('what is said on XMPP and heard on XMPP again is the same message', () => {
  const text = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((one) => /^[^\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]*$/.test(one));
  const lang = fc.constantFrom('', 'en', 'de-CH', 'ar', 'zh-Hant');
  fc.assert(
    fc.property(
      fc.dictionary(lang, text, { minKeys: 1 }),
      fc.option(text),
      fc.option(text),
      (bodies, subject, thread) => {
        const event = sampleEvent('message', bob, alice, {
          text: { ...bodies },
          ...(subject === null ? {} : { subject: { '': subject } }),
          ...(thread === null ? {} : { thread }),
          wants: ['delivered', 'displayed'],
        });
        const stanza = fromEvent(event, style);
        const [draft] = toEvents(read(encodeStanza(stanza!)), now);
        assert.ok(draft?.type === 'message');
        assert.deepEqual(draft.text, event.text);
        assert.deepEqual(draft.subject, event.subject);
        assert.deepEqual(draft.thread, event.thread);
        assert.deepEqual(draft.wants, event.wants);
        assert.equal(draft.nativeId, event.id);
      },
    ),
    { numRuns: 500 },
  );
});

test('what one XMPP network says of a device another hears the same', () => {
  const availability = fc.constantFrom('available', 'chat', 'away', 'extended-away', 'busy', 'unavailable' as const);
  const notes = fc.dictionary(fc.constantFrom('', 'en', 'de-CH'), fc.string({ minLength: 1, unit: 'grapheme' }), {
    minKeys: 1,
  });
  fc.assert(
    fc.property(availability, fc.option(notes), fc.integer({ min: -128, max: 127 }), (how, said, priority) => {
      const more = { ...(said === null ? {} : { notes: { ...said } }), ...(how === 'unavailable' ? {} : { priority }) };
      const event = sampleEvent('presence', `${bob}/ID-1`, alice, { availability: how, ...more });
      const stanza = fromEvent(event, { ...style, now: Date.parse(event.at) });
      const draft = toPresenceEvent(read(encodeStanza(stanza!)), now);
      const to = 'xmpp:alice@xmpp.example';
      assert.deepEqual(draft, { type: 'presence', from: event.from, to, availability: how, ...more });
    }),
    { numRuns: 500 },
  );
});

test('a fallback of thousands of ranges is cut at the first few: each would cost a walk through the text', () => {
  const ranges = Array.from({ length: 5000 }, (_, i) => `<body start='${i}' end='${i + 1}'/>`).join('');
  const reply = `<reply id='1' xmlns='urn:xmpp:reply:0'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>${ranges}</fallback>`;
  const [draft] = toEvents(
    read(`<message from='a@b' to='c@d'><body>${'x'.repeat(9000)}</body>${reply}</message>`),
    now,
  );
  assert.equal(draft?.type === 'message' && draft.text['']?.length, 9000 - 16);
});

test('a million mutated stanzas become drafts, or are refused; never another exception', () => {
  const seeds = cases.filter(({ golden }) => golden.direction === 'inbound').map(({ wire }) => Buffer.from(wire));
  const header = Buffer.from(
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>",
  );
  let random = 7;
  const next = (below: number) => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return (random >>> 8) % below;
  };
  const seen = { drafts: 0, refused: 0, unreadable: 0 };
  const take = (stanza: XmlElement) => {
    try {
      seen.drafts += draftsOf(stanza).length;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      seen.refused++;
    }
  };
  const count = Number(process.env.DRAGOMAN_FUZZ ?? 30_000);
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.from(seeds[i % seeds.length]!);
    for (let flips = 1 + next(3); flips > 0; flips--) {
      bytes[next(bytes.length)] = next(3) === 0 ? '<>&\'"/ =:@'.charCodeAt(next(10)) : 32 + next(95);
    }
    const stream = new XmlStream({ onOpen() {}, onStanza: take, onSkipped() {}, onEnd() {} });
    try {
      stream.write(header);
      stream.write(bytes);
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      seen.unreadable++;
    }
  }
  assert.ok(seen.drafts > 0 && seen.refused > 0 && seen.unreadable > 0, JSON.stringify(seen));
});
