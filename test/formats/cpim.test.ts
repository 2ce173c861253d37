// message/cpim: the samples of its RFCs byte for byte, names and escapes, and what is refused.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Cpim,
  coreNamespace,
  cpimHeader,
  cpimHeaders,
  cpimValue,
  dateTimeOf,
  encodeCpim,
  formatCpimAddress,
  headersIn,
  notUnderstood,
  parseCpim,
  parseCpimAddress,
  textsOf,
} from '../../src/formats/cpim.ts';
import { MimeError, partsByType, textContentOf } from '../../src/formats/mime.ts';

const folder = join(import.meta.dirname, '../wire/sip');
const golden = globSync('rfc{3862,5438}/*.cpim', { cwd: folder });
const text = (...lines: string[]) => Buffer.from(lines.join('\r\n'));
const example = parseCpim(readFileSync(join(folder, 'rfc3862/example.cpim')));

/** As in the JSON beside a sample. */
function plain({ headers, content }: Cpim): unknown {
  return {
    headers: headers.map(({ name, value, parameters }) =>
      parameters.size === 0 ? { name, value } : { name, value, parameters: Object.fromEntries(parameters) },
    ),
    content: { headers: content.headers, body: Buffer.from(content.body).toString() },
  };
}

/** The same message as if we had made it. */
const withoutRaw = ({ headers, content }: Cpim): Cpim => ({
  headers: headers.map(({ name, value, parameters }) => ({ name, value, parameters })),
  content: { headers: content.headers, body: content.body },
});

test('RFC 3862, RFC 5438: the samples read as written beside them, and are relayed octet for octet', () => {
  assert.equal(golden.length, 6);
  for (const file of golden) {
    const bytes = readFileSync(join(folder, file));
    const message = parseCpim(bytes);
    assert.deepEqual(
      plain(message),
      JSON.parse(readFileSync(join(folder, file.replace('.cpim', '.json')), 'utf8')),
      file,
    );
    assert.ok(encodeCpim(message).equals(bytes), file);
    assert.equal(encodeCpim(withoutRaw(message)).toString(), bytes.toString(), file);
  }
});

test('RFC 3862 s.2.2: whatever can be read is relayed octet for octet: odd spaces, lone LF, octets that are no UTF-8', () => {
  for (const odd of [
    'From:<im:a@h>\nTo: <im:b@h>\n\nContent-Type: text/plain\n\nhi',
    'From:  A  <im:a@h>  \r\n\r\n\r\nno headers of its own',
    '\r\nContent-Type:text/plain\r\n\r\n',
    'Subject:;lang=fr;x="a b" \xe9t\xe9\r\nx.Y: \\u00e9\\q\r\n\r\nA: b\r\n c\r\n\r\n\xff',
  ]) {
    const bytes = Buffer.from(odd, 'latin1');
    assert.ok(encodeCpim(parseCpim(bytes)).equals(bytes), JSON.stringify(odd));
  }
});

test('RFC 3862 s.4.5: subjects by language', () => {
  assert.deepEqual(textsOf(example, 'Subject'), {
    '': 'the weather will be fine today',
    fr: "beau temps prevu pour aujourd'hui",
  });
  const odd = parseCpim(text('Subject:;lang=__proto__ x', 'Subject: a', 'Subject: b', '', '', ''));
  assert.deepEqual(Object.entries(textsOf(odd, 'Subject')), [
    ['__proto__', 'x'],
    ['', 'a'],
  ]);
});

test('RFC 3862 s.3.1: the case of names counts', () => {
  assert.equal(cpimValue(example, 'subject'), undefined);
  assert.equal(cpimHeaders(example, 'Subject').length, 2);
});

test('RFC 3862 s.3.4: a prefix means what the NS before it says', () => {
  const message = parseCpim(
    text(
      'a.One: too early',
      'NS: a <urn:one>',
      'a.One: first',
      'NS: a <urn:two>',
      'a.One: second',
      'Subject: core',
      'NS: <urn:one>',
      'One: default',
      'b.One: nobody declared b',
      '',
      '',
      '',
    ),
  );
  const values = (namespace: string, name: string) => headersIn(message, namespace, name).map(({ value }) => value);
  assert.deepEqual(values('urn:one', 'One'), ['first', 'default']);
  assert.deepEqual(values('urn:two', 'One'), ['second']);
  assert.deepEqual(values(coreNamespace, 'Subject'), ['core']);
});

test('RFC 3862 s.4.7: what Require names and we do not know is told', () => {
  assert.deepEqual(notUnderstood(example, new Set()), ['MyFeatures.VitalMessageOption']);
  const understood = new Set(['mid:MessageFeatures@id.foo.com VitalMessageOption']);
  assert.deepEqual(notUnderstood(example, understood), []);
  const core = parseCpim(text('Require: Subject, x.Y', '', '', ''));
  assert.deepEqual(notUnderstood(core, new Set([`${coreNamespace} Subject`])), ['x.Y']);
});

test('RFC 3862 s.2.3: escapes are undone and made', () => {
  const message = parseCpim(text('Subject: a\\u00e9\\n\\t\\\\\\"\\\'\\ud83d\\ude00', '', '', ''));
  assert.equal(cpimValue(message, 'Subject'), 'aé\n\t\\"\'😀');
  const made = { headers: [cpimHeader('Subject', 'a\r\nFrom: <im:evil@h>\0\\', 'de')], content: message.content };
  assert.match(encodeCpim(made).toString(), /^Subject:;lang=de a\\r\\nFrom: <im:evil@h>\\u0000\\\\\r\n\r\n/);
});

test('RFC 3862 s.2.3.1: what is no escape is the character itself, and a backslash at the end is nothing', () => {
  const read = (value: string) => cpimValue(parseCpim(text(`Subject: ${value}`, '', '', '')), 'Subject');
  for (const [written, meant] of [
    ['\\q\\ü', 'qü'],
    ['a\\', 'a'],
    ['\\u12', 'u12'],
    ['\\u00E9', 'é'],
  ] as const) {
    assert.equal(read(written), meant, written);
  }
  const made = encodeCpim({ headers: [cpimHeader('Subject', '\b\t\n\r\\\x0b\x7f\'"é')], content: example.content });
  assert.match(made.toString(), /^Subject: \\b\\t\\n\\r\\\\\\u000b\\u007f'"é\r\n/);
});

test('RFC 3862 s.3.4: prefixes of one namespace mean the same, and a default one counts from where it stands', () => {
  const namespaces = parseCpim(readFileSync(join(folder, 'rfc3862/namespaces.cpim')));
  const traps = headersIn(namespaces, 'http://id.acme.widgets/wily-headers/', 'runner-trap');
  assert.deepEqual(
    traps.map(({ name }) => name),
    ['acme.runner-trap', 'widget.runner-trap', 'runner-trap'],
  );
});

test('RFC 3862 s.3.5: Require names several, and may name what is no header', () => {
  const namespaces = parseCpim(readFileSync(join(folder, 'rfc3862/namespaces.cpim')));
  const trap = 'http://id.acme.widgets/wily-headers/ runner-trap';
  assert.deepEqual(notUnderstood(namespaces, new Set([trap])), ['Locale.MustRenderKanji']);
});

test('RFC 3862 s.4.2, s.4.3: several recipients, and courtesy copies, each with a name or without', () => {
  const headers = parseCpim(readFileSync(join(folder, 'rfc3862/headers.cpim')));
  const pooh = { displayName: 'Winnie the Pooh', uri: 'im:pooh@100akerwood.com' };
  const tigger = { uri: 'im:tigger@100akerwood.com' };
  for (const name of ['To', 'cc']) {
    const people = cpimHeaders(headers, name).map(({ value }) => parseCpimAddress(value));
    assert.deepEqual(people, [pooh, tigger], name);
  }
});

test('RFC 3862 s.5.2: inside multipart/signed the envelope is found, and its octets are those that were signed', () => {
  const body = readFileSync(join(folder, 'rfc3862/signed.mime'));
  const signed = 'multipart/signed; boundary=next; micalg=sha1; protocol=application/pkcs7-signature';
  const envelope = partsByType({ headers: [['Content-Type', signed]], body }).get('message/cpim');
  assert.ok(envelope);
  const octets = Buffer.from(envelope.body);
  assert.ok(encodeCpim(parseCpim(octets)).equals(octets));
  assert.ok(body.includes(octets));
});

test('RFC 3862 s.3.3: any text in any language comes back', () => {
  const value = fc.string({ unit: 'binary' });
  const language = fc.option(fc.string({ unit: fc.constantFrom(...'abz-09 "\\;'), minLength: 1, maxLength: 6 }), {
    nil: undefined,
  });
  fc.assert(
    fc.property(value, language, fc.uint8Array(), (subject, tag, body) => {
      const sent: Cpim = { headers: [cpimHeader('Subject', subject, tag)], content: { headers: [['A', 'b']], body } };
      const received = parseCpim(encodeCpim(sent));
      assert.deepEqual(
        received.headers.map((header) => [header.value, header.parameters.get('lang')]),
        [[subject, tag]],
      );
      assert.ok(Buffer.from(received.content.body).equals(body));
    }),
  );
});

test('RFC 3862 s.4.1: names and URIs', () => {
  assert.deepEqual(parseCpimAddress(cpimValue(example, 'From')!), {
    displayName: 'MR SANDERS',
    uri: 'im:piglet@100akerwood.com',
  });
  for (const address of [{ displayName: 'a "b" \\ <c>', uri: 'im:a@h' }, { uri: 'sip:a@h;x=y' }]) {
    assert.deepEqual(parseCpimAddress(formatCpimAddress(address)), address);
  }
  for (const none of ['', 'im:a@h', '<im:a@h', '<im:a@h> x']) assert.throws(() => parseCpimAddress(none), MimeError);
  assert.throws(() => formatCpimAddress({ uri: 'im:a@h>\r\n' }), MimeError);
});

test('RFC 3862 s.4.4: DateTime with its offset; what is none says nothing', () => {
  assert.equal(dateTimeOf(example), Date.parse('2000-12-13T21:40:00Z'));
  const at = (value: string) => dateTimeOf(parseCpim(text(`DateTime: ${value}`, '', '', '')));
  assert.equal(at('2026-01-02t03:04:05.678z'), Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  for (const none of ['yesterday', '2026-01-02', '2026-13-02T00:00:00Z', '']) assert.equal(at(none), undefined);
});

test('RFC 3862 s.3.6: what is no CPIM is refused, and so is what is too long', () => {
  const refused = [
    '',
    'x',
    'From: <im:a@h>',
    'no colon\r\n\r\n',
    ': x\r\n\r\n',
    'A b: c\r\n\r\n',
    ' folded: x\r\n\r\n',
  ];
  for (const bytes of refused) assert.throws(() => parseCpim(Buffer.from(bytes)), MimeError, JSON.stringify(bytes));
  assert.throws(() => parseCpim(text(...Array<string>(65).fill('A: b'), '', '', '')), MimeError);
  assert.throws(() => parseCpim(text(`A: ${'b'.repeat(9000)}`, '', '', '')), MimeError);
  assert.throws(() => parseCpim(text('A: b', '', `C: ${'b'.repeat(20_000)}`, '', '')), MimeError);
  const content = { headers: [], body: new Uint8Array() };
  assert.throws(() => encodeCpim({ headers: [cpimHeader('A\r\nB', 'c')], content }), MimeError);
  assert.throws(() => encodeCpim({ headers: [], content: { ...content, headers: [['A', 'b\r\nC: d']] } }), MimeError);
});

test('RFC 3862 s.2.4: the body of the sample is text', () => {
  assert.equal(textContentOf(example.content), '<body>\r\nHere is the text of my message.\r\n</body>\r\n');
});
