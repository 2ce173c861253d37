// Texts over the wire, read and written by code that is none of ours: the coders of npm smpp, and Perl's Encode beside
// Net::SMPP.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { adapter } from '../../adapters/smpp/index.ts';
import { open, phone, service } from '../adapters/smpp/carrier.ts';
import { message } from '../adapters/smpp/event.ts';
import { fakeHub } from '../peers/hub.ts';
import { needs } from '../servers/debian.ts';
import { freePorts, startServer } from '../servers/process.ts';

interface Coders {
  gsmCoder: { decode(septets: Buffer, language: number): string };
  encodings: { UCS2: { decode(octets: Buffer): string } };
}
const { gsmCoder, encodings } = createRequire(import.meta.url)('smpp') as Coders;
const { signal } = new AbortController();

/** Header elements by identifier, and the rest. */
function takeApart(octets: Buffer): { elements: Map<number, Buffer>; body: Buffer } {
  const elements = new Map<number, Buffer>();
  const end = 1 + (octets[0] ?? 0);
  for (let at = 1; at < end; at += 2 + (octets[at + 1] ?? 0)) {
    elements.set(octets[at] ?? 0, octets.subarray(at + 2, at + 2 + (octets[at + 1] ?? 0)));
  }
  return { elements, body: octets.subarray(end) };
}

// npm smpp has one coder a language, which is right for these pairs of tables only.
const turkish = 'Işığı şaşırtıcı çığlıkların İğdır şubesi: sıkışık, ağır, ışıl ışıl; şişçi Işık ağaçlığı açtı. ';
const spanish = 'El camión llegará mañana a las ocho; ¿está allí José? Así sí, según Álvaro, Íñigo y Úrsula. ';
const portuguese = 'Ação, opções e informações não são ilusões: ótimo pão, ímã, têm, vêm, Índia, Ângela, à mão; é só. ';
const russian = 'Привет из шлюза: ваш заказ уже в пути 🚚, курьер 👩‍💻 позвонит вам за час до приезда. ';
const cases: Array<[what: string, text: string, language: number, identifier: number | undefined]> = [
  ['the default alphabet and its extension', '{[~]} cost 5 € | \\^ à Ñ @ Δ. '.repeat(8), 0, undefined],
  ['Turkish', turkish.repeat(4), 1, 0x25],
  ['Spanish', spanish.repeat(4), 2, 0x24],
  ['Portuguese', portuguese.repeat(4), 3, 0x25],
];
for (const [what, text, language, identifier] of cases) {
  test(`TS 23.038 s.6.2.1: ${what}, in parts, is read by npm smpp as it was said`, async (t) => {
    const { smsc, smpp } = await open(t, { nationalLanguages: ['turkish', 'spanish', 'portuguese'] });
    await smpp.deliver(message(text), signal);
    assert.ok(smsc.submits.length > 1);
    const parts = smsc.submits.map(({ short_message }) => takeApart(short_message));
    for (const { elements, body } of parts) {
      assert.ok(Math.ceil((6 + (identifier ? 3 : 0)) * 8 + body.length * 7) <= 140 * 8);
      if (identifier !== undefined) assert.equal(elements.get(identifier)?.[0], language);
    }
    const read = parts.map(({ body }) => gsmCoder.decode(body, language)).join('');
    assert.equal(read, text);
  });
}

test('TS 23.038 s.6.2.3: Russian with emoji, in parts, is read by npm smpp as it was said, each part for itself', async (t) => {
  const { smsc, smpp } = await open(t);
  await smpp.deliver(message(russian.repeat(3)), signal);
  const read = smsc.submits.map(({ short_message }) => encodings.UCS2.decode(takeApart(short_message).body));
  assert.equal(read.join(''), russian.repeat(3));
  assert.ok(read.every((part) => part.isWellFormed()));
});

test('TS 23.040 s.9.2.3.24.16: what npm smpp writes in Turkish and Portuguese is read', async (t) => {
  const { smsc, hub } = await open(t);
  for (const [language, text] of [
    [1, turkish],
    [3, portuguese],
  ] as const) {
    const udh = Buffer.from([3, 0x25, 1, language]);
    await smsc.tell('deliver_sm', { ...phone, ...service, short_message: { udh, message: text } });
  }
  assert.deepEqual(
    hub.draftsOf('message').map(({ text }) => text['']),
    [turkish, portuguese],
  );
});

test('TS 23.038 s.6.2: Net::SMPP: texts in the default alphabet and in UCS-2 with emoji are read by Perl as they were said', async (t) => {
  if (!needs(t, 'net-smpp')) return;
  const [port = 0] = await freePorts(1);
  const script = `${import.meta.dirname}/../servers/net-smpp.pl`;
  const server = await startServer('/usr/bin/perl', { args: [script, String(port), '0'], readyLine: /listening/ });
  t.after(() => server.stop());
  const smpp = adapter.create('carrier', adapter.options.parse({ port, systemId: 'me', password: 'secret' }));
  t.after(() => smpp.stop());
  await smpp.start(fakeHub());
  const plain = 'Ñandù {5 €} [~]|^\\ ÄÖÜ àèìòù ΔΦΓΛΩΠΨΣΘΞ £$¥@_ '.repeat(5);
  const wide = russian.repeat(3);
  for (const [text, encoding] of [
    [plain, 'gsm0338'],
    [wide, 'UTF-16BE'],
  ] as const) {
    const seen = server.output().split('\n').length;
    await smpp.deliver(message(text), signal);
    const lines = server
      .output()
      .split('\n')
      .slice(seen - 1)
      .filter((line) => line.startsWith('submit'));
    const octets = lines.map((line) => / sm=(?:0500030.{5})?(\w+)/.exec(line)?.[1] ?? '').join('');
    const program = `use Encode; binmode STDOUT, ':utf8'; print decode('${encoding}', pack('H*', '${octets}'));`;
    const { stdout } = spawnSync('/usr/bin/perl', ['-e', program], { encoding: 'utf8' });
    assert.equal(stdout, text);
  }
});
