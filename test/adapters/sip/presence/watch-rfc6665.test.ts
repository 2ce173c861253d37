// The subscriber of RFC 6665 s.4.1 and RFC 3856 s.6: dialogs, timers, the reasons for an end, and what is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endingOf, outcomeOf } from '../../../../adapters/sip/presence/subscriber/phases.ts';
import { type FailureReason, GatewayError } from '../../../../src/contract/index.ts';
import {
  answered,
  bench,
  contact,
  dialogOf,
  notice,
  pidf,
  refresh,
  rest,
  timerN,
  told,
  untilProbe,
  watched,
  watcher,
} from './subscriber-fixtures.ts';

const hourMs = 3_600_000;

test('RFC 6665 s.4.1.2.1: a SUBSCRIBE has Event, Expires, a Contact, a fresh Call-ID and tag, and CSeq 1', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await made.ask('request', 'sip:carol@gw.example');
  const [one, other] = made.sent;
  for (const name of ['Event', 'Expires', 'Contact', 'Max-Forwards']) assert.ok(one?.headers.has(name), name);
  assert.notEqual(one?.headers.get('Call-ID'), other?.headers.get('Call-ID'));
  assert.notEqual(one?.headers.get('From'), other?.headers.get('From'));
  assert.equal(other?.headers.get('CSeq'), '1 SUBSCRIBE');
});

test('RFC 6665 s.4.4.4: a SUBSCRIBE lists the events we know in Allow-Events', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  assert.equal(made.last().headers.get('Allow-Events'), 'presence');
  assert.equal(made.last().headers.get('Supported'), 'gruu, eventlist');
});

test('RFC 6665 s.4.1.2.4: a NOTIFY may come before the 2xx', async (t) => {
  const made = await bench(t);
  const statuses: number[] = [];
  made.reply = (request) => {
    const news = notice(request, 'active;expires=3600', { body: pidf({ a: 'open' }) });
    void answered(made.subscriber, news).then((status) => statuses.push(status));
    return { status: 200, headers: { Expires: '3600' } };
  };
  await made.ask('request');
  await rest();
  assert.deepEqual(statuses, [200]);
  assert.deepEqual(told(made.hub), ['approve', 'bob/a available']);
  await refresh(made);
  assert.equal(made.last().headers.get('CSeq'), '2 SUBSCRIBE');
});

test('RFC 6665 s.4.1.2.4: without a NOTIFY within Timer N the subscription is none, and another is tried later', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await made.pass(timerN - 1000);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'subscribing');
  const late = made.last();
  await made.pass(2000);
  assert.equal([...made.subscriber.rows()][0]?.phase, 'resting');
  assert.equal(await answered(made.subscriber, notice(late, 'active;expires=3600')), 481);
  await made.pass(40_000);
  assert.equal(made.sent.length, 2);
  assert.notEqual(made.last().headers.get('Call-ID'), late.headers.get('Call-ID'));
});

test('RFC 6665 s.4.1.2.4: Timer N holds for a refresh too: no NOTIFY, and there is a new dialog', async (t) => {
  const made = await watched(t);
  await refresh(made);
  const { length } = made.sent;
  await made.pass(timerN + 1000);
  assert.equal(made.sent.length, length + 1);
  assert.doesNotMatch(made.last().headers.get('To') ?? '', /tag=/);
});

test('RFC 3856 s.6.9: of a forked SUBSCRIBE one dialog is kept, and the NOTIFY of every other fork is 481', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  assert.equal(await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), fromTag: 'one' }), 200);
  assert.equal(await made.notify('active;expires=3600', { body: pidf({ b: 'open' }), fromTag: 'two' }), 481);
  assert.deepEqual(told(made.hub), ['approve', 'bob/a available']);
  await refresh(made);
  assert.match(made.last().headers.get('To') ?? '', /tag=one/);
});

for (const [what, parts] of [
  ['another Call-ID', { callId: 'nobody' }],
  ['another tag of ours', { toTag: 'guess' }],
  ['another tag of theirs', { fromTag: 'guess' }],
  ['no tag of ours', { toTag: '' }],
] as const) {
  test(`RFC 6665 s.4.1.3: a NOTIFY with ${what} belongs to no subscription of ours: 481, and nobody is told`, async (t) => {
    const made = await watched(t);
    assert.equal(await made.notify('active;expires=3600', { body: pidf({ x: 'open' }), ...parts }), 481);
    assert.equal(made.hub.drafts.length, 2);
  });
}

test('RFC 6665 s.4.1.3: another event package is 489, no Event and no Subscription-State are 400', async (t) => {
  const made = await watched(t);
  assert.equal(await made.notify('active', { event: 'dialog' }), 489);
  assert.equal(await made.notify('active', { event: '' }), 400);
  assert.equal(await made.notify('', {}), 400);
  assert.equal(await made.notify('active', { event: 'presence;id=7' }), 481);
  assert.equal(made.hub.drafts.length, 2);
});

test('RFC 3856 s.6.5: a body of a type that was not asked for is 415, one that cannot be read is 400', async (t) => {
  const made = await watched(t);
  assert.equal(await made.notify('active', { body: 'hello', type: 'text/plain' }), 415);
  assert.equal(await made.notify('active', { body: pidf({ a: 'away' }), type: 'application/pidf-diff+xml' }), 415);
  assert.equal(await made.notify('active', { body: '<presence' }), 400);
  assert.equal(await made.notify('active', { body: '<other/>' }), 400);
  assert.equal(await made.notify('active', { body: 'x', more: ['Content-Encoding: br'] }), 415);
  assert.equal(made.hub.drafts.length, 2);
  assert.equal(await made.notify('active', { body: pidf({ a: 'away' }) }), 200);
});

test('RFC 3856 s.6.5: xpidf is asked for and understood too', async (t) => {
  const made = await watched(t);
  assert.deepEqual(made.last().headers.all('Accept').slice(0, 2), ['application/pidf+xml', 'application/xpidf+xml']);
  const body =
    '<presence><presentity uri="sip:bob@sip.example;method=SUBSCRIBE"/><atom id="a">' +
    '<address uri="sip:bob@sip.example"><status status="inuse"/></address></atom></presence>';
  assert.equal(await made.notify('active', { body, type: 'application/xpidf+xml' }), 200);
  assert.equal(told(made.hub).at(-1), 'bob/a busy');
});

test('RFC 3856 s.6.8: a NOTIFY without a body leaves what is known as it is', async (t) => {
  const made = await watched(t);
  assert.equal(await made.notify('active;expires=3000'), 200);
  assert.equal(made.hub.drafts.length, 2);
  await made.ask('fetch');
  assert.deepEqual(told(made.hub, 2), ['bob/a available']);
});

test('RFC 3856 s.6.8: the highest CSeq wins: what is overtaken is 500 and tells nothing', async (t) => {
  const made = await watched(t);
  assert.equal(await made.notify('active', { body: pidf({ a: 'away' }), cseq: 9 }), 200);
  assert.equal(await made.notify('active', { body: pidf({ a: 'dnd' }), cseq: 8 }), 500);
  assert.equal(await made.notify('active', { body: pidf({ a: 'dnd' }), cseq: 9 }), 500);
  assert.deepEqual(told(made.hub, 2), ['bob/a away']);
});

test('a document that says what was said before costs nobody an event and the store no write', async (t) => {
  const made = await watched(t);
  const { set } = made.hub.state;
  let writes = 0;
  made.hub.state.set = (...args) => {
    writes++;
    return set.apply(made.hub.state, args);
  };
  for (let copies = 0; copies < 5; copies++) {
    assert.equal(await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) }), 200);
  }
  assert.equal(made.hub.drafts.length, 2);
  assert.equal(writes, 0);
});

test('RFC 6665 s.4.4.1: the route set is that of the NOTIFY, and so is the target', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  const more = ['Record-Route: <sip:edge.example;lr>, <sip:core.example;lr>'];
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), more });
  await refresh(made);
  const { uri, headers } = made.last();
  assert.equal(uri, 'sip:bob@192.0.2.9:5060');
  assert.deepEqual(headers.all('Route'), ['<sip:edge.example;lr>', '<sip:core.example;lr>']);
  const route = made.routes.at(-1);
  assert.equal(route && 'uri' in route && route.uri.host, 'edge.example');
});

test('RFC 3261 s.12.2.1.1: without a route set a refresh goes as everything to that person does, through the proxy, to the target', async (t) => {
  const made = await bench(t);
  const uri = { scheme: 'sip', host: 'proxy.example', parameters: new Map() };
  made.direction = { peer: contact, route: { uri }, through: ['<sip:proxy.example;lr>'] };
  await made.ask('request');
  assert.deepEqual(made.last().headers.all('Route'), ['<sip:proxy.example;lr>']);
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  await refresh(made);
  assert.equal(made.last().uri, 'sip:bob@192.0.2.9:5060');
  assert.deepEqual(made.last().headers.all('Route'), ['<sip:proxy.example;lr>']);
  const route = made.routes.at(-1);
  assert.equal(route && 'uri' in route && route.uri.host, 'proxy.example');
});

test('RFC 3261 s.12.2.1.1: without a proxy a refresh goes straight to the target', async (t) => {
  const made = await watched(t);
  await refresh(made);
  const route = made.routes.at(-1);
  assert.equal(route && 'uri' in route && route.uri.host, '192.0.2.9');
});

test('RFC 6665 s.4.1.3: the expires of the NOTIFY decides, and never lengthens', async (t) => {
  const made = await watched(t);
  const left = () => [...made.subscriber.rows()][0]?.expiresInSeconds;
  await made.notify('active;expires=600');
  assert.equal(left(), 600);
  await made.notify('active;expires=999999');
  assert.equal(left(), 3600);
  await made.notify('active');
  assert.equal(left(), 3600);
});

test('RFC 6665 s.4.1.2.2: a subscription that a 2xx prolongs is written down with the new end', async (t) => {
  const made = await watched(t);
  made.reply = () => ({ status: 200, headers: { Expires: '1800', Contact: '<sip:bob@192.0.2.77>' } });
  await refresh(made);
  const [stored] = await Array.fromAsync(made.hub.state.scan('watch/'));
  const { expiresAt, dialog } = JSON.parse(stored?.[1] ?? '{}');
  assert.ok(Math.abs(expiresAt - made.hub.now() - 1_800_000) < 60_000);
  assert.equal(dialog.target, 'sip:bob@192.0.2.77');
});

for (const status of [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 501, 604]) {
  test(`RFC 6665 s.4.1.2.2: ${status} to a refresh is the end of that subscription: a new Call-ID and a new tag`, async (t) => {
    const made = await watched(t);
    const first = made.last().headers;
    made.reply = ({ headers }) => ({ status: /tag=/.test(headers.get('To') ?? '') ? status : 200 });
    await refresh(made);
    const { headers } = made.last();
    assert.notEqual(headers.get('Call-ID'), first.get('Call-ID'));
    assert.notEqual(headers.get('From'), first.get('From'));
    assert.ok(!told(made.hub).includes('deny'));
  });
}

for (const status of [400, 408, 413, 500, 503]) {
  test(`RFC 6665 s.4.1.2.2: ${status} to a refresh leaves the dialog until it expires, and the refresh is tried again in it`, async (t) => {
    const made = await watched(t);
    made.reply = () => ({ status });
    await refresh(made);
    assert.equal(await made.notify('active', { body: pidf({ a: 'away' }) }), 200);
    made.reply = () => ({ status: 200 });
    await refresh(made);
    assert.match(made.last().headers.get('To') ?? '', /tag=remote/);
    assert.equal([...made.subscriber.rows()][0]?.phase, 'refreshing');
  });
}

test('RFC 6665 s.4.1.2.2: every status has one meaning: taken, refused, dead, too short, or to be tried again', () => {
  const meanings: Record<string, number[]> = {};
  for (let status = 200; status < 700; status++) {
    const outcome = outcomeOf(status);
    if (outcome !== 'failed' && status >= 300) meanings[outcome] = [...(meanings[outcome] ?? []), status];
  }
  assert.deepEqual(meanings, {
    refused: [403, 489, 603],
    dead: [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 501, 604],
    shorter: [423],
  });
});

for (const reason of ['deactivated', 'timeout']) {
  test(`RFC 6665 s.4.1.3: terminated;reason=${reason}: unavailable, and a new subscription at once`, async (t) => {
    const made = await watched(t);
    await made.pass(120_000);
    assert.equal(await made.notify(`terminated;reason=${reason}`), 200);
    await rest();
    assert.deepEqual(told(made.hub, 2), ['bob unavailable']);
    assert.equal(made.sent.length, 2);
    assert.doesNotMatch(made.last().headers.get('To') ?? '', /tag=/);
    await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), cseq: 1 });
    assert.deepEqual(told(made.hub, 2), ['bob unavailable', 'bob/a available']);
  });
}

for (const reason of ['probation', 'giveup']) {
  test(`RFC 6665 s.4.1.3: terminated;reason=${reason}: another attempt after retry-after, and not before`, async (t) => {
    const made = await watched(t);
    await made.pass(120_000);
    await made.notify(`terminated;reason=${reason};retry-after=600`);
    assert.deepEqual(told(made.hub, 2), ['bob unavailable']);
    await made.pass(595_000);
    assert.equal(made.sent.length, 1);
    await made.pass(10_000);
    assert.equal(made.sent.length, 2);
  });
}

test('RFC 6665 s.4.1.3: terminated;reason=rejected takes the approval back', async (t) => {
  const made = await watched(t);
  await made.notify('terminated;reason=rejected');
  assert.equal(told(made.hub).at(-1), 'deny');
  made.heard('available');
  await made.pass(hourMs);
  assert.equal(made.sent.length, 1);
  assert.equal(made.subscriber.size, 0);
});

test('RFC 6665 s.4.1.3: rejected while pending is a refusal', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await made.notify('pending;expires=3600');
  await made.notify('terminated;reason=rejected');
  assert.deepEqual(told(made.hub), ['deny']);
});

test('RFC 6665 s.4.1.3: terminated;reason=noresource: unavailable, and no other attempt', async (t) => {
  const made = await watched(t);
  await made.notify('terminated;reason=noresource');
  assert.deepEqual(told(made.hub, 2), ['bob unavailable']);
  made.heard('available');
  await made.pass(hourMs);
  assert.equal(made.sent.length, 1);
});

test('RFC 6665 s.4.1.3: terminated;reason=invariant: what is known stays so, and no other attempt', async (t) => {
  const made = await watched(t);
  await made.notify('terminated;reason=invariant', { body: pidf({ a: 'open' }) });
  made.heard('available');
  await made.pass(hourMs);
  assert.equal(made.sent.length, 1);
  await made.ask('fetch');
  assert.deepEqual(told(made.hub, 2), ['bob/a available']);
});

test('RFC 6665 s.4.1.3: a reason that nobody knows, or none, is tried again after a pause', async (t) => {
  for (const reason of ['', ';reason=weather', ';reason=__proto__', ';reason=constructor']) {
    const made = await watched(t);
    await made.pass(120_000);
    await made.notify(`terminated${reason}`);
    await rest();
    assert.equal(made.sent.length, 1);
    await made.pass(60_000);
    assert.equal(made.sent.length, 2);
  }
  assert.equal(endingOf(undefined), 'later');
});

test('RFC 6665 s.4.1.3: a subscription that ends as soon as it begins is not begun again in a circle', async (t) => {
  const made = await watched(t);
  for (let ends = 0; ends < 10; ends++) {
    await made.notify('terminated;reason=deactivated');
    await made.pass(20_000);
    await made.notify('active;expires=3600', { body: pidf({ a: 'open' }), cseq: 100 + 2 * ends });
  }
  assert.ok(made.sent.length <= 5, `${made.sent.length} SUBSCRIBE in 200 s`);
});

test('RFC 6665 s.4.1.3: for a watcher who is away nothing is begun again when a subscription ends', async (t) => {
  const made = await watched(t);
  made.heard('unavailable', watcher);
  await made.notify('terminated;reason=deactivated');
  await made.pass(hourMs);
  assert.equal(made.sent.length, 1);
  made.heard('available');
  await rest();
  assert.equal(made.sent.length, 2);
});

test('RFC 6665 s.4.1.2.2: failures in a row are further and further apart', async (t) => {
  const made = await watched(t);
  await made.pass(120_000);
  made.reply = () => ({ status: 500 });
  await made.notify('terminated;reason=deactivated');
  const at: number[] = [];
  for (let minutes = 0; minutes < 60; minutes++) {
    const { length } = made.sent;
    await made.pass(60_000);
    for (let more = length; more < made.sent.length; more++) at.push(minutes);
  }
  assert.ok(at.length >= 4 && at.length <= 8, at.join(' '));
  const pauses = at.slice(1).map((minute, index) => minute - (at[index] ?? 0));
  assert.ok((pauses.at(-1) ?? 0) > 10, pauses.join(' '));
});

const answers: ReadonlyArray<readonly [FailureReason, number]> = [
  ['not-found', 404],
  ['not-allowed', 481],
  ['unsupported', 489],
  ['throttled', 503],
  ['unavailable', 503],
  ['unreachable', 503],
  ['internal', 500],
];
for (const [reason, status] of answers) {
  test(`RFC 6665 s.4.2.2: a hub that says ${reason} is ${status} to the notifier`, async (t) => {
    const made = await watched(t);
    made.hub.onPublish = () => {
      throw new GatewayError(reason, 'no');
    };
    assert.equal(await made.notify('active', { body: pidf({ a: 'away' }) }), status);
    made.hub.onPublish = undefined;
    const isEnded = [404, 481, 489].includes(status);
    assert.equal(await made.notify('active', { body: pidf({ a: 'away' }) }), isEnded ? 481 : 200);
    // What was not told then is told now.
    assert.deepEqual(told(made.hub, 2), isEnded ? [] : ['bob/a away']);
  });
}

test('RFC 6665 s.4.1.3: of two NOTIFY at once each tells what is new after the other', async (t) => {
  const made = await watched(t);
  const statuses = await Promise.all([
    made.notify('active', { body: pidf({ a: 'away' }) }),
    made.notify('active', { body: pidf({ a: 'away', b: 'open' }) }),
  ]);
  assert.deepEqual(statuses, [200, 200]);
  assert.deepEqual(told(made.hub, 2), ['bob/a away', 'bob/b available']);
});

test('RFC 6665 s.4.1.3: an end is an end, whatever it encloses', async (t) => {
  const made = await watched(t);
  assert.equal(await made.notify('terminated;reason=noresource', { body: '<broken', type: 'text/html' }), 200);
  assert.equal(made.subscriber.size, 0);
});

test('a document is kept within bounds: 16 devices, and 8 KiB of what they say', async (t) => {
  const made = await watched(t);
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`d${index}`, 'open']));
  assert.equal(await made.notify('active', { body: pidf(many) }), 200);
  assert.equal([...made.subscriber.rows()][0]?.devices, 16);
  const wordy = pidf({ a: 'away' }, `<note>${'lorem '.repeat(3000)}</note>`);
  assert.equal(await made.notify('active', { body: wordy }), 200);
  const [stored] = await Array.fromAsync(made.hub.state.scan('watch/'));
  assert.ok((stored?.[1].length ?? 0) < 12_000);
});

test('RFC 8048 s.8.1: no more SUBSCRIBE at once to one destination than configured: the others wait their turn', async (t) => {
  const made = await bench(t, { options: { perDestination: 3 } });
  let running = 0;
  let most = 0;
  made.reply = () => {
    running--;
    return { status: 200 };
  };
  const { find } = made.finder;
  made.finder.find = async (...args) => {
    running++;
    most = Math.max(most, running);
    return find(...args);
  };
  const asked = Array.from({ length: 12 }, (_, index) => made.ask('request', `sip:w${index}@gw.example`));
  await Promise.all(asked);
  assert.equal(made.sent.length, 12);
  assert.equal(most, 3);
});

test('more subscriptions than configured are refused, and the hub is told to wait', async (t) => {
  const made = await bench(t, { options: { max: 2 } });
  await made.ask('request', 'sip:w1@gw.example');
  await made.ask('request', 'sip:w2@gw.example');
  await assert.rejects(made.ask('request', 'sip:w3@gw.example'), { reason: 'throttled' });
  await made.ask('request', 'sip:w2@gw.example');
});

test('RFC 8048 s.8.1: refreshes of what began together are spread over the last quarter of its life', async (t) => {
  let seed = 1;
  const random = () => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const made = await bench(t, { random });
  for (let index = 0; index < 200; index++) {
    await made.ask('request', `sip:w${index}@gw.example`);
    const parts = { body: pidf({ a: 'open' }), ...dialogOf(made.last()), cseq: 1 };
    await made.notify('active;expires=3600', parts);
  }
  const perMinute: number[] = [];
  for (let minute = 0; minute < 60; minute++) {
    const { length } = made.hub.drafts;
    await made.pass(60_000);
    perMinute.push(told(made.hub, length).filter((what) => what === 'fetch').length);
  }
  assert.equal(
    perMinute.reduce((sum, count) => sum + count),
    200,
  );
  assert.ok(Math.max(...perMinute) < 60, perMinute.join(' '));
});

test('reference sip 3.5: the watcher is who the hub shows, and a trunk may speak in its own name', async (t) => {
  const made = await bench(t);
  const uri = { scheme: 'sip', host: 'provider.example', parameters: new Map() };
  const credentials = [{ user: 'us', password: 'secret' }];
  made.direction = {
    peer: contact,
    route: { uri },
    through: [],
    credentials,
    showAs: 'sip:us@provider.example',
    asserts: 'sender',
  };
  await made.ask('request');
  assert.match(made.last().headers.get('From') ?? '', /^<sip:us@provider\.example>;tag=/);
  assert.equal(made.last().headers.get('P-Asserted-Identity'), `<${watcher}>`);
  assert.equal(made.last().headers.get('To'), `<${contact}>`);
  assert.deepEqual(made.credentials.at(-1), credentials);
  await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) });
  assert.deepEqual(
    made.hub.drafts.map(({ to }) => to),
    [watcher, watcher],
  );
});

test('RFC 8048 s.5.2: a request for what is granted already is approved at once, with what is known', async (t) => {
  const made = await watched(t);
  await made.ask('request');
  assert.deepEqual(told(made.hub, 2), ['approve', 'bob/a available']);
  assert.equal(made.sent.length, 1);
});

test('DESIGN 6: an approval that could not be told is told with the next NOTIFY', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  made.hub.onPublish = () => {
    throw new GatewayError('throttled', 'full');
  };
  assert.equal(await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) }), 503);
  made.hub.onPublish = undefined;
  assert.equal(await made.notify('active;expires=3600', { body: pidf({ a: 'open' }) }), 200);
  assert.deepEqual(told(made.hub), ['approve', 'bob/a available']);
});

test('DESIGN 6: a refusal that could not be told is told after the next one', async (t) => {
  const made = await watched(t);
  await untilProbe(made);
  made.reply = () => ({ status: 403 });
  made.hub.onPublish = () => {
    throw new GatewayError('throttled', 'full');
  };
  made.heard('available');
  await rest();
  await rest();
  made.hub.onPublish = undefined;
  await made.pass(120_000);
  assert.equal(told(made.hub).at(-1), 'deny');
  assert.equal(made.subscriber.size, 0);
});

test('RFC 6665 s.4.1.2.2: a notifier that grants a second is not asked every second', async (t) => {
  const made = await watched(t);
  made.heard('available');
  for (let seconds = 0; seconds < 300; seconds++) {
    await made.notify('active;expires=1');
    await made.pass(1000);
    if ([...made.subscriber.rows()][0]?.phase === 'probing') made.heard('available');
  }
  assert.ok(made.sent.length <= 11, `${made.sent.length} SUBSCRIBE in 300 s`);
});

test('RFC 6665 s.4.1.2.2: a refresh that fails until the dialog has expired is not tried in a circle', async (t) => {
  const made = await watched(t);
  made.reply = () => ({ status: 500 });
  made.heard('available');
  for (let minutes = 0; minutes < 120; minutes++) {
    await made.pass(60_000);
    if ([...made.subscriber.rows()][0]?.phase === 'probing') made.heard('available');
  }
  assert.ok(made.sent.length >= 4 && made.sent.length < 20, `${made.sent.length} SUBSCRIBE in two hours`);
  assert.ok(told(made.hub).includes('bob unavailable'));
  assert.ok(!told(made.hub).includes('deny'));
});

test('DESIGN 6: an end that could not be told is told later', async (t) => {
  const made = await watched(t);
  made.heard('unavailable', watcher);
  made.hub.onPublish = () => {
    throw new GatewayError('throttled', 'full');
  };
  await made.pass(hourMs + 10_000);
  made.hub.onPublish = undefined;
  assert.equal(made.hub.drafts.length, 2);
  await made.pass(120_000);
  assert.deepEqual(told(made.hub, 2), ['bob unavailable']);
});
