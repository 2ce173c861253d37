// People of our own domains: what they publish reaches those who may see it, on SIP and elsewhere, and nobody else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, type SipRequest } from '../../../../adapters/sip/codec/message.ts';
import type { Answer } from '../../../../adapters/sip/endpoint.ts';
import type { Asked, Watch } from '../../../../adapters/sip/presence/notifier/package.ts';
import { Enrolled, Roll } from '../../../../adapters/sip/presence/winfo/roll.ts';
import { parseWatcherInfo } from '../../../../adapters/sip/presence/winfo/watcher-info.ts';
import { type EventOf, GatewayError, parseAddress } from '../../../../src/contract/index.ts';
import { decodePidf } from '../../../../src/formats/pidf/index.ts';
import { fakeHub } from '../../../peers/hub.ts';
import { requestText } from '../../../peers/sip-peer.ts';
import { alice, headerOf, Site, settled } from '../watcher-fixtures.ts';

const bob = parseAddress('sip:bob@native.example');
const carol = parseAddress('sip:carol@native.example');
const pidf = (basic: string, note = 'here') =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${bob}"><tuple id="t1"><status><basic>${basic}</basic></status><note xml:lang="en">${note}</note></tuple></presence>`;

class NativeSite extends Site {
  static of(watchers: 'contacts' | 'everybody' = 'everybody'): NativeSite {
    return new NativeSite({}, fakeHub(), { watchers });
  }

  async publish(body: string, more: readonly string[] = []): Promise<Answer> {
    const from = `<${bob}>;tag=p`;
    const text = requestText({
      ...{ port: 5070, method: 'PUBLISH', uri: bob, from, body, type: 'application/pidf+xml' },
      more: ['Event: presence', ...more],
    });
    return this.send(decodeMessage(Buffer.from(text)) as SipRequest);
  }

  async ask(action: EventOf<'subscription'>['action']): Promise<void> {
    const id = 'e000000000002';
    const at = new Date(this.hub.now()).toISOString();
    const event: EventOf<'subscription'> = {
      ...{ v: 1, id, origin: 'x', trace: id, at, from: alice, to: bob, source: { from: alice, to: bob } },
      ...{ conversation: id, hops: 1, type: 'subscription', action },
    };
    await this.presence.deliver(event, new AbortController().signal);
    await settled();
  }

  /** What alice was told, in short. */
  get told(): string[] {
    return this.hub.drafts.flatMap((draft) => {
      if (draft.to !== alice) return [];
      if (draft.type === 'subscription') return [draft.action];
      return draft.type === 'presence' ? [`${draft.from} ${draft.availability} ${draft.notes?.en ?? ''}`.trim()] : [];
    });
  }
}

const carolWatches = { from: `<${carol}>;tag=c1`, uri: bob };

test('reference sip 3.6: SIP watchers of somebody of ours are told what is published, and what changes', async () => {
  const site = NativeSite.of();
  await site.publish(pidf('open'));
  assert.equal((await site.subscribe(carolWatches)).status, 200);
  assert.match(site.last.state, /^active/);
  assert.equal(decodePidf(site.last.body).tuples[0]?.notes.en, 'here');
  await site.publish(pidf('closed', 'gone'));
  await site.advance(6000);
  assert.equal(decodePidf(site.last.body).tuples[0]?.basic, 'closed');
  assert.equal(site.notified.length, 2);
});

test('RFC 3856 s.6.7: somebody of ours who has published nothing is closed', async () => {
  const site = NativeSite.of();
  await site.subscribe(carolWatches);
  assert.deepEqual(
    decodePidf(site.last.body).tuples.map(({ basic }) => basic),
    ['closed'],
  );
});

test('RFC 3856 s.6.6.2: whoever is not watched by the presentity waits, told nothing, until that is so', async () => {
  const site = NativeSite.of('contacts');
  await site.publish(pidf('open'));
  await site.subscribe(carolWatches);
  assert.deepEqual([site.last.state.slice(0, 7), site.last.body], ['pending', '']);
  await site.subscribe({ from: `<${bob}>;tag=b9`, uri: carol });
  const toCarol = site.notified.filter(({ request }) => request.headers.get('To')?.includes('carol'));
  assert.match(toCarol.at(-1)?.state ?? '', /^active/);
  assert.match(toCarol.at(-1)?.body ?? '', /<basic>open/);
});

test('RFC 3856 s.6.6.2: everybody may watch themselves', async () => {
  const site = NativeSite.of('contacts');
  await site.publish(pidf('open'));
  await site.subscribe({ from: `<${bob}>;tag=b9`, uri: bob });
  assert.match(site.last.body, /<basic>open/);
});

test('reference sip 3.6: people of other networks are told each device of what is published, and when it is gone', async () => {
  const site = NativeSite.of();
  await site.publish(pidf('open'));
  await site.ask('request');
  assert.deepEqual(site.told, ['approve', `${bob};gr=t1 available here`]);
  await site.publish(pidf('open', 'busy'));
  const answer = await site.publish(pidf('open', 'busy'));
  // The same again is no news.
  assert.deepEqual(site.told.slice(2), [`${bob};gr=t1 available busy`]);
  await site.publish('', [`SIP-If-Match: ${headerOf(answer, 'SIP-ETag')}`, 'Expires: 0']);
  assert.deepEqual(site.told.slice(3), [`${bob};gr=t1 unavailable`]);
});

test('reference sip 3.4: without leave a watcher of another network is told nothing; a probe of a stranger is refused', async () => {
  const site = NativeSite.of('contacts');
  await site.publish(pidf('open'));
  await site.ask('fetch');
  assert.deepEqual(site.told, ['deny']);
  await site.ask('request');
  await site.ask('fetch');
  await site.publish(pidf('closed'));
  assert.deepEqual(site.told, ['deny']);
  // Bob watches alice: so she may watch him, under whatever spelling of her name.
  await site.subscribe({ from: `<${bob}>;tag=b9`, uri: 'sip:alice@gw.example' });
  assert.deepEqual(site.told.slice(-2), ['approve', `${bob};gr=t1 unavailable here`]);
});

test('reference sip 3.4: a probe is answered with what is known, an end with a goodbye', async () => {
  const site = NativeSite.of();
  await site.ask('request');
  assert.deepEqual(site.told, ['approve', `${bob} unavailable`]);
  await site.publish(pidf('open'));
  await site.ask('fetch');
  assert.deepEqual(site.told.slice(2), [`${bob};gr=t1 available here`, `${bob};gr=t1 available here`]);
  await site.ask('cancel');
  await site.publish(pidf('closed'));
  assert.deepEqual(site.told.slice(4), ['deny']);
});

test('reference sip 3.6: watchers of other networks outlive a restart, and hear of what expired meanwhile', async () => {
  const site = NativeSite.of();
  await site.publish(pidf('open'), ['Expires: 60']);
  await site.ask('request');
  site.hub.clock = site.hub.now() + 120_000;
  await site.restart();
  await site.advance(100);
  assert.deepEqual(site.told.slice(2), [`${bob};gr=t1 unavailable`]);
  await site.publish(pidf('open'));
  assert.equal(site.told.at(-1), `${bob};gr=t1 available here`);
});

test('reference sip 3.6: SIP watchers of somebody of ours outlive a restart', async () => {
  const site = NativeSite.of();
  await site.publish(pidf('open'), ['Expires: 600']);
  await site.subscribe(carolWatches);
  await site.restart();
  await site.publish(pidf('closed'));
  await site.advance(10_000);
  assert.match(site.last.body, /<basic>closed/);
});

test('reference sip 3.6: a hub that cannot take news is told them later', async () => {
  const site = NativeSite.of();
  await site.ask('request');
  site.hub.onPublish = () => {
    throw new GatewayError('unavailable', 'full');
  };
  assert.equal((await site.publish(pidf('open'))).status, 200);
  site.hub.onPublish = undefined;
  assert.equal(site.told.length, 2);
  await site.advance(6000);
  assert.deepEqual(site.told.slice(2), [`${bob};gr=t1 available here`]);
});

test('reference sip 3.6: publications that are not accepted are 405, and their phones are asked', async () => {
  const site = new NativeSite({}, fakeHub(), { accept: false });
  assert.equal(site.presence.methods().has('PUBLISH'), false);
  await assert.rejects(site.ask('request'), GatewayError);
});

const winfo = { from: `<${bob}>;tag=w1`, uri: bob, event: 'presence.winfo' };

test('RFC 3857 s.4.7: the first NOTIFY is full and version 0, then what changes comes in turn, one version each', async () => {
  const site = NativeSite.of('contacts');
  await site.ask('request');
  await site.subscribe(winfo);
  const first = parseWatcherInfo(site.last.body);
  assert.deepEqual([first.version, first.state, first.lists[0]?.resource], [0, 'full', bob]);
  assert.deepEqual(
    first.lists[0]?.watchers.map(({ uri, status, event }) => [uri, status, event]),
    [[alice, 'pending', 'subscribe']],
  );
  await site.subscribe({ from: `<${bob}>;tag=b9`, uri: alice });
  await site.advance(6000);
  const second = parseWatcherInfo(site.last.body);
  assert.deepEqual([second.version, second.state], [1, 'partial']);
  assert.deepEqual(
    second.lists[0]?.watchers.map(({ id, status, event }) => [id, status, event]),
    [[first.lists[0]?.watchers[0]?.id, 'active', 'approved']],
  );
  await site.ask('cancel');
  await site.advance(6000);
  const third = parseWatcherInfo(site.last.body);
  assert.deepEqual([third.version, third.lists[0]?.watchers[0]?.status], [2, 'terminated']);
});

test('RFC 3857 s.4.7: the answer to a refresh is full again', async () => {
  const site = NativeSite.of();
  const first = await site.subscribe(winfo);
  await site.ask('request');
  await site.again(first, 2, winfo);
  const info = parseWatcherInfo(site.last.body);
  assert.deepEqual([info.version, info.state, info.lists[0]?.watchers.length], [1, 'full', 1]);
});

test('RFC 3858 s.4: after a restart the next document is full, since nobody knows what was told before', async () => {
  const site = NativeSite.of();
  await site.subscribe(winfo);
  await site.restart();
  await site.ask('request');
  await site.advance(6000);
  const info = parseWatcherInfo(site.last.body);
  assert.deepEqual([info.state, info.lists[0]?.watchers.length], ['full', 1]);
});

test('RFC 3857 s.4.5: who watches somebody is told to nobody else', async () => {
  const site = NativeSite.of();
  await assert.rejects(
    site.subscribe({ ...winfo, from: `<${carol}>;tag=c1` }),
    (error: unknown) => error instanceof GatewayError && error.reason === 'not-allowed',
  );
});

test('RFC 3857 s.4.7.1: SIP watchers are on the list too, from their SUBSCRIBE to their end', async () => {
  const site = NativeSite.of();
  await site.subscribe(winfo);
  const first = await site.subscribe(carolWatches);
  await site.advance(6000);
  const states = () =>
    parseWatcherInfo(
      site.notified.findLast(({ request }) => request.headers.get('Event') === 'presence.winfo')?.body ?? '',
    ).lists[0]?.watchers.map(({ uri, status, event }) => `${uri} ${status} ${event}`);
  assert.deepEqual(states(), [`${carol} active subscribe`]);
  await site.again(first, 2, { ...carolWatches, expires: 0 });
  await site.advance(6000);
  assert.deepEqual(states(), [`${carol} terminated timeout`]);
});

test('RFC 3857 s.4.7.1: a SUBSCRIBE that the store could not keep leaves nobody on the list', async () => {
  const roll = new Roll(() => 0);
  const ended: Watch[] = [];
  const inner = {
    ...{ name: 'presence', types: ['application/pidf+xml'], expires: { least: 60, usual: 600, most: 600 }, pauseMs: 0 },
    ...{ begin: async () => 'active' as const, refresh: async () => {}, resume: () => {}, body: () => undefined },
    ended: async (watch: Watch) => void ended.push(watch),
  };
  const began = async () => {
    throw new GatewayError('unavailable', 'the store is away');
  };
  const watch = { watcher: carol, presentity: bob } as Watch;
  const asked = { expiresMs: 600_000, hops: 0 } as Asked;
  await assert.rejects(new Enrolled(inner, roll, began, false).begin(watch, asked), /the store is away/);
  assert.deepEqual(roll.of(bob), []);
  assert.deepEqual(ended, [watch]);
});

test('RFC 3858 s.3: who asks once, again and again, is the same waiting watcher under one id', async () => {
  const site = NativeSite.of('contacts');
  const dave = parseAddress('sip:dave@other.example');
  await site.subscribe(winfo);
  for (let count = 0; count < 3; count++) {
    await site.subscribe({ from: `<${dave}>;tag=d${count}`, uri: bob, expires: 0 });
    await site.advance(60_000);
  }
  const told = site.notified.filter(({ request }) => request.headers.get('Event') === 'presence.winfo');
  const watchers = told.flatMap(({ body }) => parseWatcherInfo(body).lists.flatMap((list) => list.watchers));
  assert.deepEqual([...new Set(watchers.map(({ uri }) => uri))], [dave]);
  assert.equal(new Set(watchers.map(({ id }) => id)).size, 1);
});

test('RFC 3857 s.4.7.1: who waited in vain, or only asked once, stays on the list as waiting until there is an answer', async () => {
  const site = NativeSite.of('contacts');
  const dave = parseAddress('sip:dave@other.example');
  const asks = (who: string, expires = 600) => ({ from: `<${who}>;tag=${who.slice(4, 8)}`, uri: bob, expires });
  const first = await site.subscribe(asks(carol));
  await site.again(first, 2, asks(carol, 0));
  await site.subscribe(asks(dave, 0));
  const states = async () => {
    await site.subscribe({ ...winfo, expires: 0 });
    const watchers = parseWatcherInfo(site.last.body).lists[0]?.watchers ?? [];
    return watchers.map(({ uri, status, event }) => `${uri} ${status} ${event}`);
  };
  assert.deepEqual(await states(), [`${carol} waiting timeout`, `${dave} waiting timeout`]);
  await site.subscribe(asks(carol));
  assert.deepEqual(await states(), [`${carol} pending subscribe`, `${dave} waiting timeout`], 'each once');
  await site.subscribe({ from: `<${bob}>;tag=b9`, uri: dave });
  assert.deepEqual(await states(), [`${carol} pending subscribe`], 'bob watches dave: that is his answer');
  for (let count = 0; count < 100; count++) await site.subscribe(asks(`sip:s${count}@other.example`, 0));
  assert.ok((await states()).length <= 21, 'strangers are not kept without end');
  await site.advance(8 * 86_400_000, 86_400_000);
  assert.deepEqual(await states(), [], 'and nobody for more than a week');
});
