// A new process on the same store: the dialogs go on, and watchers notice nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';
import { fakeHub } from '../../peers/hub.ts';
import { alice, Site, settled, watching } from './watcher-fixtures.ts';

const cseqs = (site: Site) =>
  site.notified.map(({ request }) => Number(/\d+/.exec(request.headers.get('CSeq') ?? '')?.[0]));

test('RFC 3261 s.12.2.1.1: after a restart the dialog goes on, and no CSeq is used twice', async () => {
  const { site, first } = await watching();
  for (let round = 0; round < 3; round++) {
    await site.restart();
    await site.tell({ notes: { '': `round ${round}` } });
    await site.advance(1100);
    assert.match(site.last.body, new RegExp(`round ${round}`));
  }
  assert.equal(site.last.request.headers.get('Call-ID'), first.callId);
  assert.equal((await site.again(first, 2)).status, 200);
  const numbers = cseqs(site);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  );
});

test('RFC 3261 s.12.2.1.1: a process that died without a goodbye has used no number that the next one uses', async () => {
  const { site, first } = await watching();
  for (let cseq = 2; cseq < 450; cseq++) await site.again(first, cseq);
  const before = Math.max(...cseqs(site));
  const next = new Site({}, site.hub);
  await next.presence.start();
  await next.again(first, 500);
  assert.ok((cseqs(next)[0] ?? 0) > before);
});

test('a thousand NOTIFY in one dialog cost a handful of writes', async () => {
  const { site } = await watching(new Site({ notifyPauseMs: 0 }));
  let writes = 0;
  const set = site.hub.state.set.bind(site.hub.state);
  site.hub.state.set = (...entry) => {
    writes++;
    return set(...entry);
  };
  const before = site.notified.length;
  for (let change = 0; change < 1000; change++) {
    await site.tell({ notes: { '': `${change}` } });
    await site.advance(60, 60);
  }
  assert.ok(site.notified.length - before > 950, `${site.notified.length - before}`);
  assert.ok(writes <= 6, `${writes} writes`);
});

test('RFC 3856 s.6.7: a watcher is told of every device after a restart, though only one of them spoke', async () => {
  const { site } = await watching();
  await site.restart();
  const asked = site.hub.drafts.length;
  await site.tell({ from: parseAddress(`${alice};gr=desk`) });
  assert.equal(site.hub.draftsOf('subscription').at(-1)?.action, 'fetch');
  assert.equal(site.hub.drafts.length, asked + 1);
  await site.tell({ from: parseAddress(`${alice};gr=phone`) });
  await site.advance(1100);
  assert.equal(site.last.body.match(/<tuple /g)?.length, 2);
});

test('after a restart everybody is asked for again, a hundred a second, and nobody is told what is known', async () => {
  const site = new Site({ maxPerSource: 1000, maxUnprovenPerHost: 1000 });
  for (let number = 0; number < 300; number++) {
    const watcher = parseAddress(`sip:w${number}@other.example`);
    await site.subscribe({ from: `<${watcher}>;tag=t${number}` });
    await site.approve('approve', alice, watcher);
    await site.tell({ to: watcher });
  }
  await site.advance(100);
  await site.restart();
  const [told, asked] = [site.notified.length, site.hub.drafts.length];
  await site.advance(2000, 20);
  const early = site.hub.drafts.length - asked;
  assert.ok(early > 50 && early < 150, `${early}`);
  await site.advance(3000, 20);
  assert.equal(site.hub.drafts.length - asked, 300);
  assert.equal(site.notified.length, told);
});

test('RFC 8048 s.5.3.1: who was pending stays pending, and is told when the answer comes', async () => {
  const site = new Site();
  await site.subscribe();
  await site.restart();
  assert.deepEqual(site.states, ['pending']);
  await site.approve();
  assert.deepEqual(site.states, ['pending', 'active']);
});

test('RFC 6665 s.4.2.1.4: what ran out while we were away is ended when we are back', async () => {
  const { site } = await watching();
  site.presence.stop();
  await site.advance(620_000, 10_000);
  await site.restart();
  await site.advance(1100);
  assert.equal(site.last.state, 'terminated;reason=timeout');
  assert.equal(site.hub.draftsOf('presence').at(-1)?.availability, 'unavailable');
});

test('RFC 6665 s.4.4.1: what ended does not come back', async () => {
  const { site, first } = await watching();
  await site.again(first, 2, { expires: 0 });
  await site.restart();
  assert.deepEqual(await site.rows(), []);
});

test('a store that is away refuses new subscriptions, and holds NOTIFY back only when the numbers run out', async () => {
  const { site } = await watching(new Site({ notifyPauseMs: 0 }));
  const set = site.hub.state.set.bind(site.hub.state);
  site.hub.state.set = () => Promise.reject(new GatewayError('unavailable', 'the store is away'));
  assert.equal((await site.answered({ from: '<sip:carol@other.example>;tag=c' })).status, 480);
  assert.equal((await site.rows()).length, 1);
  await site.tell({ notes: { '': 'still told' } });
  await site.advance(100);
  assert.match(site.last.body, /still told/);
  for (let change = 0; change < 250; change++) {
    await site.tell({ notes: { '': `${change}` } });
    await site.advance(60, 60);
  }
  const stuck = site.notified.length;
  await site.tell({ notes: { '': 'when it is back' } });
  await site.advance(6000, 500);
  assert.equal(site.notified.length, stuck);
  site.hub.state.set = set;
  await site.advance(6000, 500);
  assert.match(site.last.body, /when it is back/);
});

test('a stop says no goodbye: nothing leaves the store, and a NOTIFY that was under way ends nothing', async () => {
  const site = new Site();
  const gate = Promise.withResolvers<number>();
  site.onNotify = () => gate.promise;
  await site.subscribe();
  site.presence.stop();
  gate.reject(new GatewayError('unavailable', 'the sockets are closed'));
  await settled();
  const next = new Site({}, site.hub);
  await next.presence.start();
  assert.equal((await next.rows()).length, 1);
});

test('a record of the store that nobody can read any more is left alone', async () => {
  const hub = fakeHub();
  await hub.state.set('subscription/x', '{"event":"gone.package","type":"a/b"}');
  await hub.state.set('subscription/y', 'no record');
  const site = new Site({}, hub);
  await site.presence.start();
  assert.deepEqual(await site.rows(), []);
});
