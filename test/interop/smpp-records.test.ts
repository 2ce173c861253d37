// Call detail records of a carrier that we did not write: one a message and leg, in both formats, over several files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { aliceJid, aliceNumber } from '../scenarios/site.ts';
import { happens, openSmsSite, phoneJid } from './smpp-site.ts';

type Row = Record<string, unknown>;

const long = 'Příliš žluťoučký kůň úpěl ďábelské ódy. '.repeat(4).trim();

/** Every record of every file, and how many files there are. */
function readRecords(folder: string, format: 'csv' | 'jsonl'): { rows: Row[]; files: number } {
  const names = readdirSync(folder).filter((name) => name.endsWith(format));
  const texts = names.map((name) => readFileSync(join(folder, name), 'utf8'));
  const rows = texts.flatMap(format === 'csv' ? parseCsv : (text) => text.split('\n').filter(Boolean).map(parseLine));
  return { rows, files: names.length };
}

const parseLine = (line: string): Row => JSON.parse(line) as Row;

/** RFC 4180: a reader of our own, that has nothing from the writer. */
function parseCsv(text: string): Row[] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === '\r\n') rows.push([]);
  }
  const [heading = [], ...others] = rows.slice(0, -1);
  return others.map((cells) => Object.fromEntries(heading.map((name, at) => [name, cells[at]])));
}

for (const store of ['embedded', 'redis'] as const) {
  test(`reference smpp 1.1: CDR: one record a message and leg, CSV and JSON lines, over files of bounded size (${store})`, async (t) => {
    const site = await openSmsSite(t, {
      store,
      settings: (folder) => ({
        cdr: { folder: join(folder, 'cdr'), maxBytes: 1024, currency: 'EUR' },
        routes: [
          { to: 'tel:*', via: ['carrier-1'], mode: 'cheapest', costs: { 'carrier-1': 0.031 } },
          { to: 'xmpp:*', via: 'jabber' },
        ],
      }),
    });
    if (!site) return;
    const { alice, carriers, heard, told, folder } = site;
    const sent = [
      ['+447700900120', 'delivered, in one part'],
      ['+447700900121', long],
      ['+447700900127', 'the phone is off'],
      ['+447700900128', 'nobody has this number'],
    ] as const;
    for (const [number, text] of sent) await alice.send(phoneJid(number), text);
    carriers[0]?.say('+447700900120', aliceNumber, 'the other way, "quoted", and more');
    await happens(site, () => told.length === sent.length && heard.length === 1, 'four fates and a message');
    const words = told.flatMap(({ why }) => why ?? []);
    assert.ok(
      words.some((why) => /validity period is over \(error 027 of the SMS centre\)/.test(why)),
      `${words}`,
    );
    assert.ok(
      words.some((why) => /could not deliver it \(error 001 of the SMS centre\)/.test(why)),
      `${words}`,
    );
    const read = (format: 'csv' | 'jsonl') => readRecords(join(folder, 'cdr'), format);
    const smsLegsOf = (rows: readonly Row[]) => rows.filter(({ leg }) => leg === 'carrier-1');
    await happens(site, () => smsLegsOf(read('jsonl').rows).length >= sent.length, 'the records are written');
    const { rows, files } = read('jsonl');
    const smsLegs = smsLegsOf(rows);
    assert.deepEqual(
      smsLegs
        .map(({ to, state, parts, alphabet, price, currency, origin }) => [
          to,
          state,
          parts,
          alphabet,
          price,
          currency,
          origin,
        ])
        .sort(),
      sent
        .map(([number, text], at) => [
          `xmpp:${phoneJid(number)}`,
          ['delivered', 'delivered', 'expired', 'failed'][at],
          text === long ? 3 : 1,
          text === long ? 'UCS-2' : 'GSM 7-bit',
          text === long ? 0.093 : 0.031,
          'EUR',
          'jabber',
        ])
        .sort(),
    );
    const submitted = carriers[0]?.submits.map(({ id }) => id) ?? [];
    for (const { acceptedAt, sentAt, endedAt, messageId, from, legFrom, legTo, to } of smsLegs) {
      assert.ok(Date.parse(`${acceptedAt}`) <= Date.parse(`${sentAt}`) && `${sentAt}` <= `${endedAt}`);
      assert.ok(
        `${messageId}`.split(/[ ,]+/).every((one) => submitted.includes(one)),
        `${messageId}`,
      );
      assert.match(`${from}`, new RegExp(`^xmpp:${aliceJid}`));
      assert.equal(legFrom, `tel:${aliceNumber}`);
      assert.equal(legTo, `tel:${`${to}`.slice(5).split('@')[0]}`);
    }
    assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length, 'one record a message');
    assert.ok(files > 1, 'rotated');
    await happens(site, () => smsLegsOf(read('csv').rows).length === smsLegs.length, 'as many in CSV');
    const csv = smsLegsOf(read('csv').rows);
    const asText = (row: Row) =>
      JSON.stringify(
        Object.entries(row)
          .map(([name, value]) => [name, cell(value)])
          .sort(),
      );
    assert.deepEqual(csv.map(asText).sort(), smsLegs.map(asText).sort());
  });
}

test('reference smpp 0, fact 10: a receipt end to end: XEP-0184 says that the phone has it, and never only that the carrier took it', async (t) => {
  const site = await openSmsSite(t);
  if (!site) return;
  const { alice, carriers, told } = site;
  const silent = await alice.send(phoneJid('+447700900129'), 'no receipt will come');
  const read = await alice.send(phoneJid('+447700900121'), long);
  await happens(site, () => carriers[0]?.submits.length === 4 && told.length > 0, 'taken, and one is on the phone');
  assert.deepEqual(told, [{ of: read, state: 'delivered' }], 'once for three parts');
  assert.ok(told.every(({ of }) => of !== silent));
});

function cell(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${value ?? ''}`;
}
