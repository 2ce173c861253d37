// Our texts as a phone shows them: submitted to npm smpp, put on the air as an SMS centre would (TS 23.040), and read by oFono, whose
// tables, joining of parts and classes are none of ours.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { languages } from '../../adapters/smpp/text/index.ts';
import { open, signal } from '../adapters/smpp/carrier.ts';
import { message } from '../adapters/smpp/event.ts';
import type { Submit } from '../peers/smpp-npm.ts';
import { needs } from '../servers/debian.ts';
import { type OfonoPhone, startOfono } from '../servers/ofono.ts';
import { until } from '../servers/process.ts';

const file = join(import.meta.dirname, '../wire/smpp/23.038/national.json');
const tables = JSON.parse(readFileSync(file, 'utf8')) as Record<string, { locking?: string[]; single?: string[] }>;

/** Four cells of oFono 1.31 are not as annex A has them: one is its misprint, the others are theirs alone. */
const shownWrongly: Readonly<Record<string, ReadonlyArray<[ours: string, theirs: string]>>> = {
  kannada: [
    ['ಡ', 'ಪ'],
    ['[', ']'],
  ],
  malayalam: [['.', ',']],
  telugu: [['€', 'e']],
};

/** Every character of a table that a line of text can hold, once. */
function charactersOf(rows: readonly string[] = []): string[] {
  const codes = rows.flatMap((row) => row.split(' ')).filter((cell) => cell !== '....');
  const characters = codes.map((cell) => String.fromCharCode(Number.parseInt(cell, 16)));
  return [...new Set(characters)].filter((one) => one >= ' ' && one !== '\ufffd');
}

/** TS 23.038 s.6.1.2.1.1: septets in octets, after a header that ends on a septet. */
function pack(septets: Buffer, header: Buffer): { octets: Buffer; septetCount: number } {
  const firstBit = Math.ceil((header.length * 8) / 7) * 7;
  const octets = Buffer.alloc(Math.ceil((firstBit + septets.length * 7) / 8));
  header.copy(octets);
  for (const [index, septet] of septets.entries()) {
    const bit = firstBit + index * 7;
    const wide = septet << (bit % 8);
    octets.writeUInt8((octets[bit >> 3] ?? 0) | (wide & 0xff), bit >> 3);
    if (wide > 0xff) octets.writeUInt8(wide >> 8, (bit >> 3) + 1);
  }
  return { octets, septetCount: firstBit / 7 + septets.length };
}

/** SMS-DELIVER (TS 23.040 s.9.2.2.1) of a submit_sm whose septets came one an octet. */
function onTheAir({ esm_class, data_coding, short_message }: Submit): Buffer {
  const hasHeader = (esm_class & 0x40) !== 0;
  const header = hasHeader ? short_message.subarray(0, 1 + (short_message[0] ?? 0)) : Buffer.alloc(0);
  const body = short_message.subarray(header.length);
  const isSeptets = data_coding === 0 || (data_coding & 0xfc) === 0xf0;
  const { octets, septetCount } = isSeptets ? pack(body, header) : { octets: short_message, septetCount: 0 };
  const sender = Buffer.from([12, 0x91, 0x44, 0x77, 0x00, 0x90, 0x10, 0x32]);
  const time = Buffer.from('62115221000000', 'hex');
  const first = 0x04 | (hasHeader ? 0x40 : 0);
  return Buffer.concat([
    Buffer.from([first]),
    sender,
    Buffer.from([0, data_coding]),
    time,
    Buffer.from([isSeptets ? septetCount : octets.length]),
    octets,
  ]);
}

let phone: Promise<OfonoPhone> | undefined;
after(async () => (await phone)?.stop());

/** What the phone shows of the text, and which tables the header named: [single, locking]. */
async function shownOf(t: TestContext, text: string, options: Record<string, unknown>, more: object = {}) {
  phone ??= startOfono();
  const { shown, receive, output } = await phone;
  const { smsc, smpp } = await open(t, options);
  await smpp.deliver(message(text, more), signal);
  const before = shown.length;
  for (const submit of smsc.submits.toReversed()) receive(onTheAir(submit));
  await until(() => shown.length > before, 'the phone shows it').catch((error: Error) => {
    throw new Error(`${error.message}\n${output().slice(-3000)}`);
  });
  return { text: shown.at(-1), submits: smsc.submits };
}

/** `shift` is what the header of every part names: 24 a single shift table, 25 a locking one. */
async function showsAs(t: TestContext, language: (typeof languages)[number], text: string, shift: string[]) {
  const options = { nationalLanguages: [language], ucs2: false, concat: 'udh8' };
  const { text: shown, submits } = await shownOf(t, text, options);
  const misread = shownWrongly[language] ?? [];
  assert.equal(
    shown,
    misread.reduce((all, [ours, theirs]) => all.replaceAll(ours, theirs), text),
  );
  const number = (languages.indexOf(language) + 1).toString(16).padStart(2, '0');
  assert.ok(submits.length > 1);
  for (const { data_coding, short_message } of submits) {
    assert.equal(data_coding, 0);
    const header = short_message.toString('hex', 1, 1 + (short_message[0] ?? 0));
    assert.match(header, new RegExp(`^0003......${shift.map((element) => `${element}01${number}`).join('')}$`));
  }
}

for (const [place, language] of languages.entries()) {
  test(`TS 23.038 s.A.2.${place + 1}, A.3.${place + 1}: every character of ${language}, locking and single shift, is shown by a phone of oFono`, async (t) => {
    if (!needs(t, 'ofono')) return;
    const { locking, single } = tables[language] ?? {};
    const singles = charactersOf(single).join('');
    // What no national table has keeps the default one in place.
    await showsAs(t, language, `${'ØøÆæ'.repeat(40)}${singles}`, ['24']);
    if (!locking) return;
    const all = `${charactersOf(locking).join('')}${singles}`.repeat(5);
    // All that is in the single shift table of Turkish is in its locking one.
    await showsAs(t, language, all, language === 'turkish' ? ['25'] : ['24', '25']);
  });
}

test('TS 23.038 s.6.2.1: the default alphabet, its extension and UCS-2, in parts, last first, are shown by a phone of oFono', async (t) => {
  if (!needs(t, 'ofono')) return;
  for (const text of [
    'Ñandù {5 €} [~]|^\\ ÄÖÜ àèìòù ΔΦΓΛΩΠΨΣΘΞ £$¥@_ '.repeat(5),
    'Привет из шлюза: ваш заказ уже в пути, курьер позвонит вам за час до приезда. '.repeat(3),
  ]) {
    assert.equal((await shownOf(t, text, { concat: 'udh8' })).text, text);
    assert.equal((await shownOf(t, text, { concat: 'udh16' })).text, text);
  }
});

test('TS 23.038 s.4: a flash message is shown at once by a phone of oFono, in either alphabet', async (t) => {
  if (!needs(t, 'ofono')) return;
  for (const text of ['evacuate {now}', 'Внимание']) {
    assert.equal((await shownOf(t, text, {}, { sms: { messageClass: 0 } })).text, `!${text}`);
  }
});
