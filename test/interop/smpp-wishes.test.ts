// What a sender may wish for, as it is on the wire: scheduled delivery, validity, priority, flash, service_type; from the JSON door
// and from an ESME of npm smpp, through the gateway, read by Net::SMPP and by npm smpp.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { npmSmsc } from '../peers/smpp-npm.ts';
import { npmEsme } from '../peers/smpp-npm-esme.ts';
import { atEnd } from '../scenarios/site.ts';
import { type PerlSubmit, textOf } from '../servers/net-smpp-carrier.ts';
import { freePorts } from '../servers/process.ts';
import { happens, openSmsSite } from './smpp-site.ts';

const phone = '+447700900120';
const shop = '+447700900200';

async function openDoors(t: Parameters<typeof openSmsSite>[0]) {
  const [httpPort = 0, smppPort = 0] = await freePorts(2);
  const npm = await npmSmsc();
  atEnd(t, () => npm.close());
  const site = await openSmsSite(t, {
    settings: () => ({
      routes: [
        { to: 'tel:+4477009006*', via: 'carrier-npm' },
        { to: 'tel:+4477009002*', via: 'apps' },
        { to: 'tel:*', via: 'carrier-1' },
      ],
      instances: {
        'carrier-npm': { protocol: 'smpp', systemId: 'dragoman', port: npm.port, validity: 'absolute' },
        apps: { protocol: 'http', port: httpPort, accounts: { shop: { password: 'correct horse', senders: [shop] } } },
        centre: {
          protocol: 'smpp/server',
          listen: [{ port: smppPort }],
          accounts: { npm: { password: 'secret', senders: [shop] } },
        },
      },
    }),
  });
  if (!site) return undefined;
  const authorization = `Basic ${Buffer.from('shop:correct horse').toString('base64')}`;
  const post = async (wish: object) => {
    const body = JSON.stringify({ to: phone, text: 'hello', ...wish });
    const response = await fetch(`http://127.0.0.1:${httpPort}/messages`, {
      method: 'POST',
      body,
      headers: { authorization },
    });
    assert.equal(response.status, 202);
    return ((await response.json()) as { messages: Array<{ id: string }> }).messages[0]?.id ?? '';
  };
  const withdraw = (id: string) =>
    fetch(`http://127.0.0.1:${httpPort}/messages/${id}`, { method: 'DELETE', headers: { authorization } });
  return { site, npm, smppPort, post, withdraw, perl: site.carriers[0] };
}

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

test('reference smpp 1.1: flash, validity, schedule, priority: from the JSON door, as Net::SMPP reads them', async (t) => {
  const doors = await openDoors(t);
  if (!doors) return;
  const { site, post, withdraw, perl } = doors;
  await post({ text: 'flash', flash: true, priority: 'urgent', expiresAt: inMs(10 * 60_000) });
  await post({ text: 'Щ flash', flash: true });
  const later = Date.now() + 2000;
  await post({ text: 'later', notBefore: new Date(later).toISOString() });
  const never = await post({ text: 'never', notBefore: inMs(2500) });
  await post({ text: 'at last', notBefore: inMs(3000) });
  assert.equal((await withdraw(never)).status, 200);
  await happens(site, () => perl?.submits.some((sent) => textOf(sent) === 'later') ?? false, 'the scheduled message');
  assert.ok(Date.now() >= later, 'not before its time');
  await happens(site, () => perl?.submits.length === 4, 'all but the one taken back');
  const byText = new Map(perl?.submits.map((sent) => [textOf(sent), sent]));
  assert.deepEqual([...byText.keys()].sort(), ['at last', 'flash', 'later', 'Щ flash'].sort());
  assert.deepEqual([byText.get('flash')?.data_coding, byText.get('flash')?.priority_flag], [0xf0, 2]);
  assert.equal(byText.get('Щ flash')?.data_coding, 0x18);
  assert.match(byText.get('flash')?.validity_period ?? '', /^00000000(10|09)\d\d000R$/);
  assert.ok(
    perl?.submits.every(({ schedule_delivery_time }) => schedule_delivery_time === ''),
    'it waits here',
  );
});

test('reference smpp 1.1: an ESME of npm smpp: its schedule, validity, priority, service_type and class reach the carrier', async (t) => {
  const doors = await openDoors(t);
  if (!doors) return;
  const { site, npm, smppPort, perl } = doors;
  const esme = await npmEsme({ port: smppPort });
  atEnd(t, () => esme.destroy());
  const submit = (to: string, text: string, more: Record<string, unknown>) =>
    esme.ask('submit_sm', {
      source_addr_ton: 1,
      source_addr_npi: 1,
      source_addr: shop.slice(1),
      dest_addr_ton: 1,
      dest_addr_npi: 1,
      destination_addr: to.slice(1),
      short_message: Buffer.from(text),
      data_coding: 0,
      ...more,
    });
  const relative = (seconds: number) => `0000000000${`${seconds}`.padStart(2, '0')}000R`;
  const wishes = {
    priority_flag: 3,
    service_type: 'VMA',
    protocol_id: 0x41,
    replace_if_present_flag: 1,
    data_coding: 0xf0,
  };
  const later = Date.now() + 2000;
  const answers = [
    await submit(phone, 'wishes', { ...wishes, validity_period: '000000001500000R' }),
    await submit(phone, 'later', { schedule_delivery_time: relative(2) }),
    await submit('+447700900620', 'absolute', { validity_period: '000000001500000R' }),
    await submit('+447700900620', 'bad', { validity_period: 'tomorrow' }),
  ];
  assert.deepEqual(
    answers.map(({ command_status }) => command_status),
    [0, 0, 0, 0x62],
  );
  await happens(site, () => perl?.submits.length === 2 && npm.submits.length === 1, 'three messages');
  assert.ok(Date.now() >= later - 100);
  const [wished] = perl?.submits ?? [];
  const { priority_flag, service_type, protocol_id, replace_if_present_flag, data_coding } =
    wished ?? ({} as Partial<PerlSubmit>);
  assert.deepEqual({ priority_flag, service_type, protocol_id, replace_if_present_flag, data_coding }, wishes);
  assert.match(wished?.validity_period ?? '', /^0000000014\d\d000R$|^000000001500000R$/);
  const [absolute] = npm.submits;
  const end = absolute?.validity_period as Date | undefined;
  assert.ok(end instanceof Date && Math.abs(end.getTime() - Date.now() - 15 * 60_000) < 10_000, `${end}`);
});
