// XML: what RFC 6120 s.11 allows, bounds, namespaces, cuts, sanitising.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  childOf,
  defaultLimits,
  parseDocument,
  parseXml,
  serializeXml,
  textOf,
  type XmlElement,
  XmlError,
  xml,
} from '../../src/formats/xml.ts';
import { XmlStream } from '../../src/formats/xml-stream.ts';

const header =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'>";

function open(limits = defaultLimits) {
  const stanzas: XmlElement[] = [];
  const skipped: string[] = [];
  const seen = { opened: 0, ended: 0 };
  const stream = new XmlStream(
    {
      onOpen: () => seen.opened++,
      onStanza: (stanza) => stanzas.push(stanza),
      onSkipped: ({ name, attributes }, why) => skipped.push(`${name} ${attributes.id} ${why.condition}`),
      onEnd: () => seen.ended++,
    },
    limits,
  );
  stream.write(Buffer.from(header));
  return { stream, stanzas, skipped, seen, write: (text: string) => stream.write(Buffer.from(text)) };
}

test('namespaces are resolved, prefixed and default, and undone when serialised', () => {
  const root = parseXml('<a xmlns="u:a" xmlns:p="u:p"><p:b c="1"><d/></p:b><e xmlns=""/></a>');
  const b = childOf(root, 'b', 'u:p');
  assert.ok(b);
  assert.equal(childOf(b, 'd')?.ns, 'u:a');
  assert.equal(childOf(root, 'e')?.ns, '');
  assert.deepEqual(JSON.parse(JSON.stringify(parseXml(serializeXml(root)))), JSON.parse(JSON.stringify(root)));
});

test('RFC 6120 s.11.1: comments, processing instructions, DTDs and entities are refused', () => {
  for (const text of [
    '<a><!-- c --></a>',
    '<a><?p x?></a>',
    '<!DOCTYPE a><a/>',
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    '<a>&b;</a>',
  ]) {
    assert.throws(() => parseXml(text), XmlError, text);
    assert.throws(() => open().write(text), XmlError, text);
  }
});

test('what is not well formed is refused: unbound prefixes, crossed tags, twice the same attribute', () => {
  for (const text of [
    '<p:a/>',
    '<constructor:a/>',
    '<a><b></a></b>',
    '<a b="1" b="2"/>',
    '<a',
    '',
    'text',
    '<a>\x07</a>',
    '<a>&#7;</a>',
  ]) {
    assert.throws(
      () => parseXml(text),
      (error: unknown) => error instanceof XmlError && error.condition === 'not-well-formed',
      text,
    );
  }
});

test('length, depth and attributes are bounded', () => {
  const limits = { maxLength: 1000, maxDepth: 5, maxAttributes: 3 };
  assert.throws(() => parseXml(`<a>${'x'.repeat(1000)}</a>`, limits), /1000/);
  assert.throws(() => parseXml('<a>'.repeat(6) + '</a>'.repeat(6), limits), /5/);
  assert.throws(() => parseXml('<a b="" c="" d="" e=""/>', limits), /3/);
});

test('a character, a tag or an entity cut at any byte arrives whole', () => {
  const text = "<message id='m'><body>é😀 &amp; &#x1F600; ünï</body></message>";
  const bytes = Buffer.from(text);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { stream, stanzas } = open();
    stream.write(bytes.subarray(0, cut));
    stream.write(bytes.subarray(cut));
    assert.equal(textOf(childOf(stanzas[0] as XmlElement, 'body')), 'é😀 & 😀 ünï');
  }
  const { stream, stanzas } = open();
  for (const byte of bytes) stream.write(Uint8Array.of(byte));
  assert.equal(stanzas.length, 1);
});

test('two stanzas in one chunk are two, white space between them is nothing', () => {
  const { write, stanzas } = open();
  write('<presence/> \n<message><body>a</body></message>');
  assert.deepEqual(
    stanzas.map(({ name, ns }) => [name, ns]),
    [
      ['presence', 'jabber:component:accept'],
      ['message', 'jabber:component:accept'],
    ],
  );
});

test('a stanza over a limit is skipped, its sender known, and the stream goes on', () => {
  const { write, stanzas, skipped } = open({ maxLength: 1000, maxDepth: 5, maxAttributes: 8 });
  write(`<message id='long'><body>${'x'.repeat(3000)}</body></message>`);
  write(`<message id='deep'>${'<a>'.repeat(9)}${'</a>'.repeat(9)}</message>`);
  write("<iq id='wide'><q a='' b='' c='' d='' e='' f='' g='' h='' i=''/></iq><presence id='after'/>");
  assert.deepEqual(skipped, [
    'message long policy-violation',
    'message deep policy-violation',
    'iq wide policy-violation',
  ]);
  assert.deepEqual(
    stanzas.map(({ attributes }) => attributes.id),
    ['after'],
  );
});

test('a stanza that never ends is given up', () => {
  const { write } = open({ ...defaultLimits, maxLength: 1000 });
  write("<message id='endless'><body>");
  assert.throws(() => {
    for (let i = 0; i < 100; i++) write('x'.repeat(1000));
  }, /characters/);
});

test('a stanza one character over the limit is skipped, one at the limit is not, however it is cut', () => {
  const around = '<message id="m"><body></body></message>'.length;
  for (const [length, taken] of [
    [1000, 1],
    [1001, 0],
  ] as const) {
    for (const step of [1, 7, 5000]) {
      const { write, stanzas, skipped } = open({ ...defaultLimits, maxLength: 1000 });
      write(' \n'.repeat(2000));
      const text = `<message id="m"><body>${'x'.repeat(length - around)}</body></message>`;
      for (let at = 0; at < text.length; at += step) write(text.slice(at, at + step));
      assert.deepEqual([stanzas.length, skipped.length], [taken, 1 - taken], `${length} in steps of ${step}`);
    }
  }
});

test('a start tag that never ends is given up', () => {
  const { write } = open({ ...defaultLimits, maxLength: 1000 });
  write("<message id='");
  assert.throws(() => {
    for (let i = 0; i < 100; i++) write('x'.repeat(1000));
  }, /characters/);
});

test('the end of the stream is told', () => {
  const { write, seen } = open();
  write('</stream:stream>');
  assert.deepEqual(seen, { opened: 1, ended: 1 });
});

test('output holds only characters that XML can say; the rest is U+FFFD', () => {
  const text = 'a\u0007b\u001bc\0d\ud800e\ufffef\u{1f600}\t\n\r<&>"\'';
  const written = serializeXml(xml('body', 'x', { a: text }, text));
  const read = parseXml(written);
  assert.equal(textOf(read), 'a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\u{1f600}\t\n\r<&>"\'');
});

test('line ends and tabs survive in an attribute too', () => {
  const read = parseXml(serializeXml(xml('a', '', { b: ' x\t\r\ny ' })));
  assert.equal(read.attributes.b, ' x\t\r\ny ');
});

test('any text survives serialising and parsing, but for what XML cannot say', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const read = parseXml(serializeXml(xml('a', '', { b: text }, text)));
      const expected = text.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd');
      assert.equal(textOf(read), expected);
      assert.equal(read.attributes.b, expected);
    }),
    { numRuns: 2000 },
  );
});

test('a million mutants of a stanza end in a stanza, a skip or an XmlError, never in another exception', () => {
  const seeds = [
    "<message from='a@b/c' to='d@e' id='1' type='chat' xml:lang='de'><body>hello &amp; é</body><x xmlns='jabber:x:oob'><url>u</url></x></message>",
    "<iq type='get' id='2'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
  ].map((text) => Buffer.from(text));
  let random = 42;
  const next = (below: number) => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return random % below;
  };
  const count = Number(process.env.DRAGOMAN_FUZZ ?? 100_000);
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.from(seeds[i % seeds.length] as Buffer);
    for (let flips = 1 + next(3); flips > 0; flips--)
      bytes[next(bytes.length)] = next(4) === 0 ? '<>&\'"/'.charCodeAt(next(6)) : next(256);
    try {
      open().stream.write(bytes);
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
    }
  }
});

test('a document of an older format: comments, instructions and a document type are passed over, what it declares is not', () => {
  const root = parseDocument('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><!-- c --><a><!-- d --><?e f?>g</a>');
  assert.equal(textOf(root), 'g');
  assert.throws(() => parseDocument('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), XmlError);
  assert.throws(() => parseDocument(Buffer.alloc(5_000), { ...defaultLimits, maxLength: 1_000 }), /1000/);
});
