// People of our own who do not publish: their phones are asked, all of them, and make one person.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type SipRequest, type SipResponse } from '../../../../adapters/sip/codec/message.ts';
import { parseUri } from '../../../../adapters/sip/codec/uri.ts';
import type { Direction } from '../../../../adapters/sip/directions.ts';
import { parseAddress } from '../../../../src/contract/index.ts';
import { decodePidf } from '../../../../src/formats/pidf/index.ts';
import { sampleEvent } from '../../../peers/events.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { requestText } from '../../../peers/sip-peer.ts';
import { alice, response, Site, settled } from '../watcher-fixtures.ts';
import { pidf } from './subscriber-fixtures.ts';

const bob = parseAddress('sip:bob@native.example');
const carol = parseAddress('sip:carol@native.example');
const phone = (host: string): Direction => ({
  ...{ peer: bob, route: { uri: parseUri(`sip:${host}`) }, target: `sip:bob@${host}`, through: [] },
});

class House extends Site {
  #cseq = 0;

  constructor(...hosts: string[]) {
    super({}, fakeHub(), { watchers: 'everybody' });
    this.phones = hosts.map(phone);
  }

  /** Alice, of another network, watches bob, and the phones are asked. */
  async watch(action: 'request' | 'fetch' | 'cancel' = 'request'): Promise<void> {
    await this.presence.deliver(sampleEvent('subscription', alice, bob, { action }), new AbortController().signal);
    await this.advance(100);
  }

  /** The NOTIFY of a phone, in the dialog of the last SUBSCRIBE to it. */
  async notify(host: string, body: string, state = 'active;expires=600') {
    const { headers } = this.asked.findLast(({ uri }) => uri.includes(host)) ?? ({} as SipRequest);
    const tag = /;tag=([^;]*)/.exec(headers.get('From') ?? '')?.[1];
    this.#cseq++;
    const text = requestText({
      ...{ port: 5080, method: 'NOTIFY', uri: bob, from: `<${bob}>;tag=${host}`, to: `<${bob}>;tag=${tag}` },
      ...{ callId: headers.get('Call-ID') ?? '', cseq: this.#cseq, type: 'application/pidf+xml', body },
      more: ['Event: presence', `Subscription-State: ${state}`, `Contact: <sip:bob@${host}>`],
    });
    return (await this.send(decodeMessage(Buffer.from(text)) as SipRequest)).status;
  }

  async publish(body: string): Promise<string> {
    const parts = {
      port: 5070,
      method: 'PUBLISH',
      uri: bob,
      from: `<${bob}>;tag=p`,
      body,
      type: 'application/pidf+xml',
    };
    const answer = await this.send(
      decodeMessage(Buffer.from(requestText({ ...parts, more: ['Event: presence'] }))) as SipRequest,
    );
    return answer.headers?.find(([name]) => name === 'SIP-ETag')?.[1] ?? '';
  }

  /** What alice was told of devices: `desk away`. */
  get told(): string[] {
    return this.hub.draftsOf('presence').flatMap(({ from, to, availability }) => {
      return to === alice ? [`${from.split(';gr=')[1] ?? 'bob'} ${availability}`] : [];
    });
  }
}

test('RFC 3856 s.6.9: each phone of somebody who does not publish is asked, and together they are one person', async () => {
  const house = new House('desk.h', 'mobile.h');
  await house.watch();
  assert.deepEqual(house.asked.map(({ uri }) => uri).toSorted(), ['sip:bob@desk.h', 'sip:bob@mobile.h']);
  const [first] = house.asked;
  assert.equal(first?.headers.get('To'), `<${bob}>`);
  assert.equal(first?.headers.get('Event'), 'presence');
  assert.equal(await house.notify('desk.h', pidf({ t: 'away' })), 200);
  assert.equal(await house.notify('mobile.h', pidf({ t: 'open' })), 200);
  assert.deepEqual(house.told.slice(1), ['t away', 't.2 available']);
  await house.notify('desk.h', pidf({ t: 'dnd' }));
  assert.deepEqual(house.told.slice(3), ['t busy']);
});

test('reference sip 3.6: SIP watchers are told the phones that were asked as one document', async () => {
  const house = new House('desk.h', 'mobile.h');
  await house.subscribe({ from: `<${carol}>;tag=c1`, uri: bob });
  await house.advance(100);
  await house.notify('desk.h', pidf({ a: 'open' }));
  await house.notify('mobile.h', pidf({ b: 'open' }));
  await house.advance(6000);
  assert.deepEqual(
    decodePidf(house.last.body).tuples.map(({ id }) => id),
    ['ID-a', 'ID-b'],
  );
});

test('reference sip 3.6: nobody who is not watched is asked, and a person whom nobody watches any more not again', async () => {
  const house = new House('desk.h');
  house.presence.registered(bob);
  await house.advance(100);
  assert.equal(house.asked.length, 0);
  await house.watch();
  await house.notify('desk.h', pidf({ t: 'open' }));
  await house.watch('cancel');
  await house.advance(700_000);
  assert.equal(house.asked.at(-1)?.headers.get('Expires'), '0');
  const { length } = house.asked;
  await house.advance(3_600_000);
  assert.equal(house.asked.length, length);
});

test('reference sip 3.6: what is published counts alone, and when it is over the phones are asked again', async () => {
  const house = new House('desk.h');
  await house.watch();
  await house.notify('desk.h', pidf({ t: 'away' }));
  await house.publish(pidf({ p: 'open' }));
  await house.advance(100);
  assert.deepEqual(house.told.slice(1), ['t away', 'p available', 't unavailable']);
  assert.equal(house.asked.at(-1)?.headers.get('Expires'), '0');
  await house.advance(3_700_000, 10_000);
  assert.equal(house.asked.at(-1)?.headers.get('Expires'), '600');
  await house.notify('desk.h', pidf({ t: 'open' }));
  assert.equal(house.told.at(-1), 't available');
});

test('reference sip 2: a phone that takes no SUBSCRIBE is not asked again for a day, and others are', async () => {
  const house = new House('desk.h', 'mobile.h');
  house.onAsked = ({ uri }) => response(uri.includes('desk') ? 405 : 200);
  await house.watch();
  assert.ok(house.learnt.includes(`${bob} {"presence":false}`));
  await house.notify('mobile.h', pidf({ t: 'open' }));
  await house.advance(3_600_000, 10_000);
  const asked = (host: string) =>
    house.asked.filter(({ uri, headers }) => uri.includes(host) && !headers.get('To')?.includes('tag')).length;
  assert.equal(asked('desk.h'), 1);
});

test('RFC 6665 s.4.1.2.2: a phone that no longer answers, ends the subscription or has gone is unavailable', async () => {
  const house = new House('desk.h', 'mobile.h', 'car.h');
  await house.watch();
  for (const host of ['desk', 'mobile', 'car']) await house.notify(`${host}.h`, pidf({ [host]: 'open' }));
  const { length } = house.told;
  await house.notify('desk.h', '', 'terminated;reason=deactivated');
  house.phones = house.phones.slice(0, 2);
  house.presence.registered(bob);
  await house.advance(100);
  house.onAsked = () => response(480);
  await house.advance(600_000, 10_000);
  assert.deepEqual(house.told.slice(length), ['desk unavailable', 'car unavailable', 'mobile unavailable']);
});

test('RFC 6665 s.4.1.3: a phone that answers when its person has published meanwhile is asked no more, and a NOTIFY of it is 481', async () => {
  const house = new House('desk.h');
  const gate = Promise.withResolvers<SipResponse>();
  house.onAsked = () => gate.promise;
  await house.watch();
  await house.publish(pidf({ p: 'open' }));
  gate.resolve(response(200));
  await house.advance(700_000, 10_000);
  assert.equal(house.asked.length, 1);
  assert.equal(await house.notify('desk.h', pidf({ t: 'open' })), 481);
});

test('RFC 6665 s.4.1.2.4: a phone that answers and sends no NOTIFY is asked anew, later and later', async () => {
  const house = new House('desk.h');
  await house.watch();
  await house.advance(40_000, 1000);
  assert.equal(house.asked.length, 2);
  assert.notEqual(house.asked[0]?.headers.get('Call-ID'), house.asked[1]?.headers.get('Call-ID'));
});

test('RFC 6665 s.4.1.3: a NOTIFY of no dialog with a phone is 481', async () => {
  const house = new House('desk.h');
  await house.watch();
  await house.notify('desk.h', pidf({ t: 'open' }));
  const { length } = house.told;
  const text = requestText({
    ...{ port: 5080, method: 'NOTIFY', uri: bob, from: `<${bob}>;tag=evil`, to: `<${bob}>;tag=other`, body: '' },
    ...{ callId: house.asked[0]?.headers.get('Call-ID') ?? '', more: ['Event: presence', 'Contact: <sip:x@h>'] },
  });
  assert.equal((await house.send(decodeMessage(Buffer.from(text)) as SipRequest)).status, 481);
  assert.equal(house.told.length, length);
});

test('after a restart phones are asked anew, and one that is gone meanwhile becomes unavailable', async () => {
  const house = new House('desk.h', 'mobile.h');
  await house.watch();
  await house.notify('desk.h', pidf({ desk: 'open' }));
  await house.notify('mobile.h', pidf({ mobile: 'open' }));
  house.phones = house.phones.slice(0, 1);
  const { length } = house.told;
  await house.restart();
  await house.advance(61_000, 1000);
  await house.notify('desk.h', pidf({ desk: 'open' }));
  await settled();
  assert.deepEqual(house.told.slice(length), ['mobile unavailable']);
});
