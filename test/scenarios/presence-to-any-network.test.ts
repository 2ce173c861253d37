// Presence and receipts are events of the contract: a network that the SIP adapter has never heard of takes part in both.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import {
  type EventOf,
  type EventType,
  type GatewayEvent,
  gatewayForm,
  parseAddress,
} from '../../src/contract/index.ts';
import { Gateway } from '../../src/gateway.ts';
import { loadAdapter } from '../../src/loader.ts';
import { openLog } from '../../src/log.ts';
import { MetricsRegistry } from '../../src/metrics.ts';
import { requestText, startSipPeer } from '../peers/sip-peer.ts';
import { WirelessVillage } from '../peers/wireless-village.ts';
import { freePorts, temporaryFolder, until } from '../servers/process.ts';
import { SipNotifier, SipWatch, takeSubscriptions } from './presence-site.ts';

const bob = parseAddress('sip:bob@other.example');
const dave = parseAddress('wv:dave@imps.example');
/** Each as the other network writes them. */
const bobThere = gatewayForm(bob, 'wv', 'sip.imps.example');
const daveUri = gatewayForm(dave, 'sip', 'gw.example');

async function open(t: TestContext) {
  const { path, remove } = temporaryFolder('any-network');
  t.after(remove);
  const peer = await startSipPeer();
  t.after(() => peer.stop());
  peer.onRequest = takeSubscriptions;
  const [sipPort = 0] = await freePorts(1);
  const file = join(path, 'dragoman.json');
  const instances = {
    village: { protocol: new URL('../peers/wireless-village.ts', import.meta.url).href, domain: 'sip.imps.example' },
    phones: {
      protocol: 'sip',
      listen: [{ transport: 'udp', host: '127.0.0.1', port: sipPort }],
      domains: [{ domain: 'gw.example', shows: ['wv'] }],
      outboundProxy: `sip:127.0.0.1:${peer.port}`,
      watchers: { notifyPauseMs: 100 },
    },
  };
  const routes = [
    { to: 'wv:*', via: 'village' },
    { to: 'sip:*', via: 'phones' },
  ];
  writeFileSync(file, JSON.stringify({ data: join(path, 'data'), routes, instances }));
  const config = await loadConfig(file, loadAdapter);
  const gateway = await Gateway.open(config, openLog('error', config.secrets), new MetricsRegistry());
  t.after(() => gateway.stop());
  await gateway.start();
  const village = WirelessVillage.last as WirelessVillage;
  const heard = async <Type extends EventType>(type: Type, matches: (event: EventOf<Type>) => boolean) => {
    const isMeant = (event: GatewayEvent): event is EventOf<Type> =>
      event.type === type && matches(event as EventOf<Type>);
    await until(() => village.delivered.some(isMeant), `${type}; heard ${JSON.stringify(village.delivered)}`);
    return village.delivered.find(isMeant) as EventOf<Type>;
  };
  return { village, heard, site: { bob: peer, sipPort } };
}

const pidf = (basic: string, more = '') =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:bob@other.example"><tuple id="desk"><status><basic>${basic}</basic></status><contact priority="0.5">sip:bob@192.0.2.1</contact><note xml:lang="en">lunch</note></tuple>${more}</presence>`;

test('reference sip 3.4: a network nobody has heard of watches a SIP contact by the same events, and is watched', async (t) => {
  const { village, heard, site } = await open(t);
  const notifier = new SipNotifier(site);
  await village.ask(dave, bobThere, 'request');
  await notifier.hears(({ header }) => header('Expires') === '3600');
  const person = '<dm:person id="p"><rpid:activities><rpid:meal/></rpid:activities></dm:person>';
  await notifier.notify('active;expires=3600', pidf('open', person));
  await heard('subscription', ({ action, to }) => action === 'approve' && to === dave);
  const { from, notes, activities, priority } = await heard(
    'presence',
    ({ availability }) => availability === 'available',
  );
  assert.ok(from.startsWith(bobThere), from);
  assert.deepEqual([notes, activities, priority], [{ en: 'lunch' }, ['meal'], 64]);
  await notifier.notify('active;expires=3600', pidf('closed'));
  await heard('presence', ({ availability }) => availability === 'unavailable');

  const watch = new SipWatch(site, daveUri);
  assert.match((await watch.subscribe(3600)).first, / 200 /);
  await heard('subscription', ({ action, to }) => action === 'request' && to === dave);
  await village.ask(dave, bobThere, 'approve');
  await watch.hears(({ header }) => header('Subscription-State').startsWith('active'));
  await village.tell(dave, bobThere, { availability: 'busy', notes: { '': 'in the office' } });
  const told = await watch.hears(({ body }) => body.includes('in the office'));
  assert.match(told.body, /<basic>open<.*<show xmlns="jabber:client">dnd</s);
});

test('reference sip 3.12: what a network nobody has heard of reports of a message is an IMDN on SIP, and an IMDN is a report there', async (t) => {
  const { village, heard, site } = await open(t);
  const body =
    'From: <sip:bob@other.example>\r\nTo: <sip:dave@gw.example>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m-1\r\n' +
    'imdn.Disposition-Notification: positive-delivery, display\r\nDateTime: 2026-07-01T12:00:00Z\r\n\r\n' +
    'Content-Type: text/plain\r\n\r\nhello';
  const people = { from: `<${bob}>;tag=b9`, uri: daveUri };
  site.bob.sendUdp(requestText({ port: site.bob.port, ...people, type: 'message/cpim', body }), site.sipPort);
  const message = await heard('message', ({ text }) => text[''] === 'hello');
  await village.report(dave, bobThere, message.id, 'displayed');
  const notification = await site.bob.until(
    ({ first, body: text }) => first.startsWith('MESSAGE') && text.includes('<displayed'),
    10_000,
  );
  assert.match(notification.body, /<message-id>m-1<.*<displayed\/>/s);

  await village.say(dave, bobThere, 'and you?', { wants: ['delivered'] });
  const sent = await site.bob.until(
    ({ first, body: text }) => first.startsWith('MESSAGE') && text.includes('and you?'),
    10_000,
  );
  const id = /imdn\.Message-ID: (\S+)/.exec(sent.body)?.[1] ?? '';
  const imdn =
    'NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: r-1\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n' +
    `<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>${id}</message-id><datetime>2026-07-01T12:00:01Z</datetime>` +
    '<delivery-notification><status><delivered/></status></delivery-notification></imdn>';
  site.bob.sendUdp(requestText({ port: site.bob.port, ...people, type: 'message/cpim', body: imdn }), site.sipPort);
  const report = await heard('receipt', ({ state }) => state === 'delivered');
  assert.equal(report.to, dave);
});
