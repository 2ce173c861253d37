// What only short messages have, in and out: class, service, protocol, replacement, parameters, octets, times, files.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encode, formatRelativeTime, formatTime, parseTime } from '../../../adapters/smpp/codec/index.ts';
import { options } from '../../../adapters/smpp/config.ts';
import { fromEvent, textOf } from '../../../adapters/smpp/mapping.ts';
import { attachmentOf, describeAttachment } from '../../../adapters/smpp/media.ts';
import { gsm, ucs2, unpackSeptets } from '../../../adapters/smpp/text/index.ts';
import { type Message, parseAddress } from '../../../src/contract/index.ts';
import { fails, mo, moPart, open, phone, service, signal } from './carrier.ts';
import { message } from './event.ts';

const settings = (more: Record<string, unknown> = {}) => options.parse({ systemId: 'me', ...more });
const hex = (octets: unknown) => (octets as Buffer | undefined)?.toString('hex');

test('octets of half a digit pair and countries that nobody knows are faults of the configuration', () => {
  const wordsFor = (more: Record<string, unknown>) =>
    options.safeParse({ systemId: 'me', ...more }).error?.issues.map(({ message }) => message);
  assert.deepEqual(wordsFor({ tlvs: { '0x1401': '0x0' } }), ['octets have two digits each: 0x0a0b']);
  assert.deepEqual(wordsFor({ defaultCountry: 'XX' }), ['write an ISO 3166 country in capitals, such as GB']);
  assert.equal(wordsFor({ tlvs: { '0x1401': '0xyz', '0x1402': '0x0a' }, defaultCountry: 'GB' }), undefined);
});

describe('out', () => {
  test('SMPP 3.4 s.5.2.19: a flash message has class 0 in its data_coding, in either alphabet', async (t) => {
    const { smsc, smpp } = await open(t);
    await smpp.deliver(message('now', { sms: { messageClass: 0 } }), signal);
    await smpp.deliver(message('сейчас', { sms: { messageClass: 0 } }), signal);
    assert.deepEqual(
      smsc.submits.map(({ data_coding }) => data_coding),
      [0xf0, 0x18],
    );
  });
  test('SMPP 3.4 s.4.4.1: service_type, protocol_id, priority_flag and replace_if_present_flag of the message', async (t) => {
    const { smsc, smpp } = await open(t, { serviceType: 'CMT' });
    const sms = { serviceType: 'VMN', protocolId: 0x41, replaceIfPresent: true };
    await smpp.deliver(message('hi', { sms, priority: 'emergency' }), signal);
    await smpp.deliver(message('hi'), signal);
    assert.deepEqual(
      smsc.submits.map((sent) => [
        sent.service_type,
        sent.protocol_id,
        sent.priority_flag,
        sent.replace_if_present_flag,
      ]),
      [
        ['VMN', 0x41, 3, 1],
        ['CMT', 0, 0, 0],
      ],
    );
  });
  test('reference smpp 5: optional parameters of the carrier are in every part, those of the message if it may have them', async (t) => {
    const { smsc, smpp } = await open(t, {
      tlvs: { '0x1400': '0x0a0B', '0x1401': 'text' },
      passTlvs: ['0x1401', '0x1500'],
    });
    const sms = { tlvs: { '0x1401': '00ff', '0x1500': '01', '0x1600': '02' } };
    await smpp.deliver(message('a'.repeat(161), { sms }), signal);
    await smpp.deliver(message('plain'), signal);
    assert.deepEqual(
      smsc.submits.map((sent) => ['5120', '5121', '5376', '5632'].map((tag) => hex(sent[tag]))),
      [
        ['0a0b', '00ff', '01', undefined],
        ['0a0b', '00ff', '01', undefined],
        ['0a0b', Buffer.from('text').toString('hex'), undefined, undefined],
      ],
    );
  });
  test('reference smpp 5: custom TLVs: by sender and recipient, the first that fits before the others and before those of all', async (t) => {
    const { smsc, smpp } = await open(t, {
      tlvs: { '0x1400': 'all', '0x1401': 'all' },
      routeTlvs: [
        { from: '+447700900001', to: '+4477009001*', tlvs: { '0x1401': 'pair' } },
        { from: 'My Bank', tlvs: { '0x1401': 'bank', '0x1402': 'bank' } },
        { to: '+4477*', tlvs: { '0x1401': 'there', '0x1402': 'there' } },
      ],
    });
    const bank = parseAddress('tel:My%20Bank;phone-context=alphanumeric');
    const elsewhere = parseAddress('tel:+12025550123');
    await smpp.deliver(message('a'), signal);
    await smpp.deliver(message('b', { from: bank }), signal);
    await smpp.deliver(message('c', { to: elsewhere }), signal);
    assert.deepEqual(
      smsc.submits.map((sent) => ['5120', '5121', '5122'].map((tag) => (sent[tag] as Buffer | undefined)?.toString())),
      [
        ['all', 'pair', 'there'],
        ['all', 'bank', 'bank'],
        ['all', 'all', undefined],
      ],
    );
  });
  test('TS 23.040 s.9.2.3.24: octets go out as they came, with their header and coding', async (t) => {
    const { smsc, smpp } = await open(t);
    const binary = { data: 'qrs=', udh: '05040b8423f0', dataCoding: 0xf5 };
    const { facts } = await smpp.deliver(message('', { text: {}, sms: { binary } }), signal);
    const [sent] = smsc.submits;
    assert.deepEqual(
      [hex(sent?.short_message), sent?.esm_class, sent?.data_coding],
      ['0605040b8423f0aabb', 0x40, 0xf5],
    );
    assert.deepEqual(facts, { parts: 1, alphabet: 'binary', reason: '1 part binary', messageId: '1' });
  });
  test('octets that cannot go are refused for good', async (t) => {
    const { smpp } = await open(t, { maxParts: 1 });
    const deliver = (data: string, udh: string) =>
      smpp.deliver(message('', { text: {}, sms: { binary: { data, udh, dataCoding: 4 } } }), signal);
    await assert.rejects(deliver('', '0504'), fails('malformed'));
    await assert.rejects(deliver(Buffer.alloc(200).toString('base64'), ''), fails('too-large'));
  });
  test('elements of a header that nobody understands go along in the first part', async (t) => {
    const { smsc, smpp } = await open(t);
    await smpp.deliver(message('a'.repeat(160), { sms: { udh: '0a03000010' } }), signal);
    assert.deepEqual(
      smsc.submits.map(({ short_message }) => [hex(short_message.subarray(0, 11)), short_message.length]),
      [
        ['0a00030102010a03000010', 11 + 147],
        ['0500030102026161616161', 6 + 13],
      ],
    );
  });
  test('reference smpp 7.2: facts and trace say how many parts, in which alphabet, and why', async (t) => {
    const { smpp, hub } = await open(t, { nationalLanguages: ['turkish'] });
    const event = message(`${'ş'.repeat(100)}`);
    const { facts } = await smpp.deliver(event, signal);
    const reason = '1 part GSM 7-bit turkish locking shift because of U+015F';
    assert.deepEqual(facts, { parts: 1, alphabet: 'GSM 7-bit turkish locking shift', reason, messageId: '1' });
    assert.ok(hub.hops.some(({ event: id, hop }) => id === event.id && hop.what === reason));
  });
  test('SMPP 3.4 s.5.3.2.32: a text longer on the wire than a short_message is a message_payload', async (t) => {
    const { smsc, smpp } = await open(t, { alphabet0: 'utf-8' });
    await smpp.deliver(message('é'.repeat(160)), signal);
    const [sent] = smsc.submits;
    assert.equal(hex(sent?.message_payload), Buffer.from('é'.repeat(160)).toString('hex'));
    assert.deepEqual([sent?.short_message.length, sent?.data_coding], [0, 0]);
  });
});

describe('in', () => {
  const raw = (tlvs: Array<{ tag: number; value: Buffer }>, more: Record<string, unknown> = {}) =>
    encode({
      command: 'deliver_sm',
      sequence_number: 900,
      body: { ...phone, ...service, short_message: Buffer.from('hi'), ...more },
      tlvs,
    });
  test('reference smpp 3: an optional parameter that nobody here knows is carried, byte for byte', async (t) => {
    const { smsc, hub } = await open(t);
    const value = Buffer.from('00ff1b', 'hex');
    smsc.sessions[0]?.socket.write(raw([{ tag: 0x1401, value }], { service_type: 'CMT', protocol_id: 0x42 }));
    await hub.untilDraft();
    const sms = { serviceType: 'CMT', protocolId: 0x42, tlvs: { '0x1401': '00ff1b' } };
    assert.deepEqual(hub.draftsOf('message')[0]?.sms, sms);
  });
  test('those of the first part stay with a long text', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', { ...moPart(3, 2, 1, 'one '), service_type: 'VMN' });
    await smsc.tell('deliver_sm', moPart(3, 2, 2, 'two'));
    const [draft] = hub.draftsOf('message');
    assert.deepEqual([draft?.text, draft?.sms], [{ '': 'one two' }, { serviceType: 'VMN' }]);
  });
  test('TS 23.038 s.4: the class of a flash message is kept', async (t) => {
    const { smsc, hub } = await open(t);
    await smsc.tell('deliver_sm', mo('now', { data_coding: 0x10 }));
    assert.deepEqual(hub.draftsOf('message')[0]?.sms, { messageClass: 0 });
  });
  test('TS 23.038 s.4: a compressed text is refused, and not asked for again', async (t) => {
    const { smsc, hub } = await open(t);
    assert.equal((await smsc.tell('deliver_sm', mo('xx', { data_coding: 0x20 }))).command_status, 0x65);
    assert.equal(hub.drafts.length, 0);
  });
  test('TS 23.040 s.9.2.3.24.15: a Turkish text in parts, the last first, after a restart', async (t) => {
    const part = (index: number, octets: string) =>
      mo('', { esm_class: 0x40, short_message: Buffer.from(`08000307020${index}250101${octets}`, 'hex') });
    const first = await open(t);
    // The escape is in the first part, its character in the second.
    await first.smsc.tell('deliver_sm', part(2, '650c1c'));
    await first.smpp.stop();
    const { smsc, hub } = await open(t, {}, first);
    await smsc.tell('deliver_sm', part(1, '071b'));
    assert.equal(hub.draftsOf('message')[0]?.text[''], 'ı€ğŞ');
  });
  test('TS 23.040 s.9.2.3.24.4: a WAP push in two parts is the pushed document, and the octets are kept', async (t) => {
    const { smsc, hub } = await open(t);
    // Transaction 1, a push, headers of 3 octets: content type application/vnd.wap.sic, then two more; then the document.
    const push = Buffer.from('010603ae0000' + '02056a0045c6', 'hex');
    const part = (index: number, octets: Buffer) =>
      mo('', {
        data_coding: 4,
        esm_class: 0x40,
        short_message: Buffer.concat([Buffer.from(`0b05040b8423f0000309020${index}`, 'hex'), octets]),
      });
    await smsc.tell('deliver_sm', part(2, push.subarray(7)));
    await smsc.tell('deliver_sm', part(1, push.subarray(0, 7)));
    const [draft] = hub.draftsOf('message');
    const url = `data:application/vnd.wap.sic;base64,${Buffer.from('02056a0045c6', 'hex').toString('base64')}`;
    assert.deepEqual(draft?.attachments, [
      { url, name: 'wap-push.bin', mediaType: 'application/vnd.wap.sic', bytes: 6 },
    ]);
    assert.deepEqual(draft?.sms?.binary, { data: push.toString('base64'), dataCoding: 4, udh: '05040b8423f0' });
  });
  const card = 'BEGIN:VCARD\r\nVERSION:2.1\r\nN:Ñandù;Zoe\r\nEMAIL:zoe_1@x.example\r\nNOTE:{€}\r\nEND:VCARD\r\n';
  const cards: Array<[how: string, port: number, dataCoding: number, octets: Buffer]> = [
    ['septets', 9204, 0, gsm.encode(card)],
    ['septets with a class', 226, 0xf1, gsm.encode(card)],
    ['UCS-2', 9204, 8, ucs2.encode(card)],
    ['octets', 9204, 0xf5, Buffer.from(card)],
  ];
  for (const [how, port, data_coding, octets] of cards) {
    test(`TS 23.040 s.9.2.3.24.4: a vCard for port ${port} in ${how} has its characters right, and goes on as it came`, async (t) => {
      const { smsc, hub, smpp } = await open(t);
      const udh = Buffer.from([5, 4, port >> 8, port & 0xff, 0, 0]);
      const parts = [octets.subarray(0, 99), octets.subarray(99)].map((piece, at) => {
        const header = Buffer.concat([Buffer.from([11, 0, 3, 7, 2, at + 1]), udh]);
        return { esm_class: 0x40, data_coding, short_message: Buffer.concat([header, piece]) };
      });
      for (const part of parts.toReversed()) await smsc.tell('deliver_sm', mo('', part));
      const [draft] = hub.draftsOf('message');
      const [file] = draft?.attachments ?? [];
      assert.deepEqual([file?.name, file?.mediaType, draft?.text], ['vcard.vcf', 'text/vcard', {}]);
      assert.equal(Buffer.from(file?.url.split(',')[1] ?? '', 'base64').toString(), card);
      await smpp.deliver(message('', { text: {}, ...(draft?.sms ? { sms: draft.sms } : {}) }), signal);
      const sent = smsc.submits.map(({ short_message }) => short_message.subarray(short_message.readUInt8(0) + 1));
      assert.deepEqual([hex(Buffer.concat(sent)), smsc.submits[0]?.data_coding], [hex(octets), data_coding]);
    });
  }
  test('TS 23.040 s.9.2.3.24.4: a text for the port of a program nobody knows is a text file', async (t) => {
    const { smsc, hub } = await open(t);
    const short_message = Buffer.concat([Buffer.from('06050430390000', 'hex'), gsm.encode('go_home@2')]);
    await smsc.tell('deliver_sm', mo('', { esm_class: 0x40, short_message }));
    const [file] = hub.draftsOf('message')[0]?.attachments ?? [];
    assert.deepEqual([file?.name, file?.mediaType], ['message.txt', 'text/plain']);
    assert.equal(Buffer.from(file?.url.split(',')[1] ?? '', 'base64').toString(), 'go_home@2');
  });
  test('TS 23.040 s.9.2.3.24.4: septets for a program are counted as septets: 152 of them are one part', async (t) => {
    const { smsc, smpp } = await open(t, { alphabet0: 'gsm-packed' });
    const data = gsm.encode('@_'.repeat(76));
    const binary = { data: data.toString('base64'), udh: '050423f40000', dataCoding: 0 };
    await smpp.deliver(message('', { text: {}, sms: { binary } }), signal);
    const [sent] = smsc.submits;
    assert.deepEqual([smsc.submits.length, sent?.short_message.length], [1, 7 + 133]);
    const packed = sent?.short_message.subarray(7) ?? Buffer.alloc(0);
    assert.equal(hex(unpackSeptets(packed, 0)), hex(data));
  });
  test('octets that came in go out again as they were', async (t) => {
    const { smsc, hub, smpp } = await open(t);
    const wire = '0605040b8423f0aabb';
    await smsc.tell(
      'deliver_sm',
      mo('', { data_coding: 0xf5, esm_class: 0x40, short_message: Buffer.from(wire, 'hex') }),
    );
    const [draft] = hub.draftsOf('message');
    await smpp.deliver(message('', { text: {}, ...(draft?.sms ? { sms: draft.sms } : {}) }), signal);
    assert.deepEqual([hex(smsc.submits[0]?.short_message), smsc.submits[0]?.data_coding], [wire, 0xf5]);
  });
});

describe('times', () => {
  const now = Date.UTC(2026, 10, 25, 10);
  const cases: Array<[text: string, instant: string | undefined]> = [
    ['261125103000000+', '2026-11-25T10:30:00.000Z'],
    ['261125103000508+', '2026-11-25T08:30:00.500Z'],
    ['261125103000004-', '2026-11-25T11:30:00.000Z'],
    ['000000010000000R', '2026-11-25T11:00:00.000Z'],
    ['000100000000000R', '2026-12-25T10:00:00.000Z'],
    ['010000000000000R', '2027-11-25T10:00:00.000Z'],
    ['261325103000000+', undefined],
    ['260231103000000+', undefined],
    ['261125243000000+', undefined],
    ['261125103000049+', undefined],
    ['2611251030', undefined],
    ['tomorrow', undefined],
    ['', undefined],
  ];
  for (const [text, instant] of cases) {
    test(`SMPP 3.4 s.7.1.1: ${text === '' ? 'nothing' : text} is ${instant ?? 'no time'}`, () => {
      const ms = parseTime(text, now);
      assert.equal(ms === undefined ? undefined : new Date(ms).toISOString(), instant);
    });
  }
  test('reference smpp 3: a relative validity is relative to whoever reads it, and a bad one is none', () => {
    assert.equal(parseTime(formatRelativeTime(3600), now), now + 3_600_000);
    assert.equal(parseTime('000000010000000Q', now), undefined);
  });
  test('SMPP 3.4 s.7.1.1: every instant to the tenth of a second, and every span of up to 30 days, is read as it was written', () => {
    const ms = fc
      .integer({ min: Date.UTC(2000, 0) / 100, max: Date.UTC(2099, 11) / 100 })
      .map((tenths) => tenths * 100);
    fc.assert(fc.property(ms, (at) => assert.equal(parseTime(formatTime(at), 0), at)));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 * 86_400 }), (seconds) => {
        assert.equal(parseTime(formatRelativeTime(seconds), now), now + seconds * 1000);
      }),
    );
  });
  test('SMPP 3.4 s.5.2.16: validity as a time, where the carrier wants one', () => {
    const expiresAt = new Date(now + 90_000).toISOString();
    const period = (more: Record<string, unknown>) =>
      fromEvent(message('x', { expiresAt }), settings(more), now).validity_period;
    assert.equal(period({ validity: 'absolute' }), '261125100130000+');
    assert.equal(period({}), '000000000130000R');
    // A data_sm counts in seconds.
    assert.equal(period({ validity: 'absolute', submitWith: 'data_sm' }), '000000000130000R');
  });
});

describe('files', () => {
  type Attachment = NonNullable<Message['attachments']>[number];
  const url = 'https://x.example/a';
  const cases: Array<[given: Omit<Attachment, 'url'> & { url?: string }, text: string]> = [
    [{}, url],
    [{ name: 'a.pdf' }, `a.pdf: ${url}`],
    [{ name: 'photo.jpg', mediaType: 'image/jpeg', bytes: 1_234_567 }, `photo.jpg, picture, 1.2 MB: ${url}`],
    [{ name: 'a.pdf', mediaType: 'application/pdf', bytes: 12_345 }, `a.pdf, 12 KB: ${url}`],
    [{ mediaType: 'application/pdf', bytes: 999 }, `PDF, 999 bytes: ${url}`],
    [{ mediaType: 'video/mp4' }, `video: ${url}`],
    [{ mediaType: 'application/vnd.oasis.opendocument.text' }, url],
    [{ name: 'x.bin', bytes: 20, url: 'data:application/octet-stream;base64,AA==' }, '[x.bin, 20 bytes]'],
    [{ url: 'data:,' }, '[a file]'],
  ];
  for (const [given, text] of cases) {
    test(`what SMS cannot say is put into words: a file is ${text}`, () => {
      assert.equal(describeAttachment({ url, ...given }), text);
    });
  }
  test('a text and its files are lines', () => {
    const attachments = [{ url, name: 'photo.jpg', mediaType: 'image/jpeg' }];
    assert.equal(textOf(message('look', { attachments })), `look\nphoto.jpg, picture: ${url}`);
  });
  test('data for a known port has a name and a media type that others understand', () => {
    const of = (port: number | undefined, data: string) =>
      attachmentOf({ data: Buffer.from(data, 'hex'), dataCoding: 4, ...(port === undefined ? {} : { port }) });
    assert.deepEqual([of(9204, '00').mediaType, of(9204, '00').name], ['text/vcard', 'vcard.vcf']);
    assert.equal(of(undefined, '00').mediaType, 'application/octet-stream');
    assert.equal(of(2948, '010604' + '03ae81ea' + 'ff').mediaType, 'application/vnd.wap.sic');
    assert.equal(of(2948, `010605${Buffer.from('a/b\0x').toString('hex')}ff`).mediaType, 'a/b');
  });
  test('whatever is pushed is a file', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
        const { url: data, bytes = 0 } = attachmentOf({ data: Buffer.from(octets), dataCoding: 4, port: 2948 });
        assert.match(data, /^data:[\w.+-]+\/[\w.+-]+;base64,/);
        assert.ok(bytes <= octets.length);
      }),
      { numRuns: 1000 },
    );
  });
});
