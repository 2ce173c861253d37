// A contact with several phones of our own domain that decide for themselves who may see (`publications.accept: false`).
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseUri } from '../../../../adapters/sip/codec/uri.ts';
import type { Direction } from '../../../../adapters/sip/directions.ts';
import { type Bench, bench, contact, pidf, type Reply, refresh, rest, told } from './subscriber-fixtures.ts';

const [desk, mobile] = ['sip:bob@192.0.2.21:5060', 'sip:bob@192.0.2.22:5060'];
const phone = (target: string): Direction => ({ peer: contact, route: { uri: parseUri(target) }, target, through: [] });

async function withPhones(t: TestContext, ...targets: string[]): Promise<Bench> {
  const made = await bench(t);
  made.finder.find = async () => targets.map(phone);
  return made;
}

const asked = ({ sent }: Bench) => sent.map(({ uri }) => (uri === desk ? 'desk' : uri === mobile ? 'mobile' : uri));
const ways = ({ routes }: Bench) => routes.map((route) => ('uri' in route ? route.uri.host : 'flow'));
const answering =
  (statuses: Record<string, number | undefined>): Reply =>
  ({ uri }) => {
    const status = statuses[uri];
    return status === undefined ? undefined : { status };
  };

for (const [what, status] of [
  ['knows no presence', 489],
  ['takes no SUBSCRIBE', 405],
  ['is busy with itself', 503],
  ['does not answer', undefined],
] as const) {
  test(`RFC 3261 s.16.6: where the first phone ${what} the next one is asked`, async (t) => {
    const made = await withPhones(t, desk, mobile);
    made.reply = answering({ [desk]: status, [mobile]: 200 });
    await made.ask('request');
    assert.deepEqual(asked(made), ['desk', 'mobile']);
    const [first, second] = made.sent.map(({ headers }) => headers.get('Call-ID'));
    assert.notEqual(first, second, 'each is a subscription of its own');
    assert.equal(await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) }), 200);
    assert.deepEqual(told(made.hub), ['approve', 'bob/a available']);
  });
}

test('RFC 3261 s.16.7: when none takes it, a no counts more than not being able to, and of these the last', async (t) => {
  const refused = await withPhones(t, desk, mobile);
  refused.reply = answering({ [desk]: 603, [mobile]: 200 });
  await refused.ask('request');
  assert.deepEqual(asked(refused), ['desk'], 'the person has said no');
  assert.deepEqual(told(refused.hub), ['deny']);
  const unable = await withPhones(t, desk, mobile);
  unable.reply = answering({ [desk]: 405, [mobile]: 489 });
  await unable.ask('request');
  assert.deepEqual(told(unable.hub), ['deny']);
  const away = await withPhones(t, desk, mobile);
  away.reply = answering({ [desk]: 489, [mobile]: 480 });
  await assert.rejects(away.ask('request'), { reason: 'unavailable' });
  assert.deepEqual(told(away.hub), [], 'it is tried again');
  assert.equal(away.subscriber.size, 1);
});

test('RFC 3261 s.12.2.1.1: a refresh goes to the phone that the dialog is with, whichever is the first now', async (t) => {
  const made = await withPhones(t, desk, mobile);
  made.reply = answering({ [desk]: 489, [mobile]: 200 });
  await made.ask('request');
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  made.reply = () => ({ status: 200 });
  await refresh(made);
  assert.deepEqual(ways(made), ['192.0.2.21', '192.0.2.22', '192.0.2.22']);
});

test('RFC 3856 s.6.9: when that phone is no longer registered another one is asked anew', async (t) => {
  const made = await withPhones(t, desk);
  await made.ask('request');
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  made.finder.find = async () => [phone(mobile)];
  await refresh(made);
  await rest();
  assert.deepEqual(ways(made), ['192.0.2.21', '192.0.2.22']);
  assert.equal(made.last().headers.get('To'), `<${contact}>`, 'a new dialog');
  await made.notify('active;expires=3600', { body: pidf({ b: 'open' }), cseq: 1 });
  assert.deepEqual(told(made.hub).slice(-2).sort(), ['bob/a unavailable', 'bob/b available'].sort());
});
