// An XMPP user watches a SIP user through the gateway: asked, approved, every device, a restart in between, refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { responseTo } from '../peers/sip-peer.ts';
import { xml } from '../peers/xmpp-user.ts';
import { until } from '../servers/process.ts';
import { bobJid, hearsPresence, openPresenceSite, SipNotifier, takeSubscriptions } from './presence-site.ts';

interface Tuple {
  id: string;
  basic: 'open' | 'closed';
  rpid?: string;
  note?: string;
  priority?: string;
}

/** A document as RFC 4479 and 4480 have it: written here by hand, with prefixes. */
function pidf(tuples: readonly Tuple[], activities = '', mood = ''): string {
  const parts = tuples.map(
    ({ id, basic, note, priority, rpid = '' }) =>
      `<p:tuple id='${id}'><p:status><p:basic>${basic}</p:basic></p:status>${rpid}<p:contact${
        priority === undefined ? '' : ` priority='${priority}'`
      }>sip:bob@127.0.0.1</p:contact>${note === undefined ? '' : `<p:note xml:lang='en'>${note}</p:note>`}</p:tuple>`,
  );
  return `<?xml version='1.0'?><p:presence xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='pres:bob@other.example'>${parts.join('')}${
    activities === ''
      ? ''
      : `<dm:person id='p1'><rpid:activities>${activities}</rpid:activities><rpid:mood>${mood || '<rpid:unknown/>'}</rpid:mood></dm:person>`
  }</p:presence>`;
}

const desk: Tuple = { id: 'desk', basic: 'open', note: 'at my desk', priority: '1.0' };
const phone: Tuple = { id: 'phone', basic: 'open' };

for (const kind of ['prosody', 'ejabberd'] as const) {
  test(`RFC 8048 s.5.2: presence of a SIP user on XMPP, with ${kind}`, async (t) => {
    const site = await openPresenceSite(t, kind);
    if (!site) return;
    const { bob, gateway } = site;
    bob.onRequest = takeSubscriptions;
    let alice = await site.logIn();
    const notifier = new SipNotifier(site);
    const sayTo = (type: string, to = bobJid) => alice.say(xml('presence', { to, type }));
    /** Her presence from a device of his, heard after `work`. */
    const hearsAfter = async (work: () => Promise<unknown>, type: string | undefined, device: RegExp) => {
      const before = alice.heard.length;
      await work();
      const matches = (attrs: Record<string, string | undefined>) =>
        attrs.type === type && attrs.from?.startsWith(bobJid) && device.test(attrs.from.slice(bobJid.length));
      const find = () => alice.heard.slice(before).find((one) => one.name === 'presence' && matches(one.attrs));
      await until(() => find() !== undefined, `${type ?? 'available'} from ${device}`, 15_000).catch((error: Error) => {
        throw new Error(`${error.message}; heard ${alice.heard.slice(before).join(' ').slice(0, 2000)}`);
      });
      return find()!;
    };

    await t.test(
      'RFC 8048 s.5.2.1: subscribe becomes SUBSCRIBE; its 200 and a pending NOTIFY tell her nothing',
      async () => {
        await sayTo('subscribe');
        const subscribe = await notifier.hears(() => true);
        assert.equal(subscribe.header('Event'), 'presence');
        assert.match(subscribe.header('Accept'), /application\/pidf\+xml/);
        assert.match(subscribe.header('From'), /alice%40xmpp\.example@gw\.example/);
        assert.match((await notifier.notify('pending;expires=3600')).first, / 200 /);
        const roster = await alice.ask(xml('iq', { type: 'get' }, xml('query', { xmlns: 'jabber:iq:roster' })));
        assert.match(roster.toString(), /ask="subscribe"/);
        assert.ok(!alice.heard.some(({ attrs }) => attrs.type === 'subscribed'));
      },
    );

    await t.test(
      'RFC 8048 s.5.2.1, s.6.3: the first active NOTIFY is `subscribed`, and each tuple a device',
      async () => {
        const document = pidf([desk, phone], '<rpid:meeting/>');
        const first = await hearsAfter(() => notifier.notify('active;expires=3600', document), undefined, /desk/);
        await hearsPresence(alice, 'subscribed');
        assert.equal(first.getChildText('status'), 'at my desk');
        assert.equal(first.getChildText('priority'), '127');
        assert.equal(first.getChildText('show'), 'dnd');
        await until(() => alice.heard.some(({ attrs }) => /phone/.test(attrs.from ?? '')), 'the other device');
      },
    );

    await t.test('RFC 8048 s.6.3: a tuple that is gone from the document is an unavailable device', async () => {
      await hearsAfter(() => notifier.notify('active;expires=3500', pidf([desk])), 'unavailable', /phone/);
    });

    await t.test(
      'reference sip 3.4: the RPID mood and activity of a SIP contact are PEP news for her client',
      async () => {
        const document = pidf([desk], '<rpid:on-the-phone/>', '<rpid:happy/>');
        await notifier.notify('active;expires=3500', document);
        const hears = (said: RegExp) =>
          alice.hears((one) => one.attrs.from === bobJid && said.test(one.toString()), `${said}`, 15_000);
        await hears(/<mood [^>]*><happy *\/><\/mood>/);
        await hears(/<talking><on_the_phone *\/><\/talking>/);
        await notifier.notify('active;expires=3500', pidf([desk]));
        await hears(/<mood [^>]*\/>/);
      },
    );

    await t.test('RFC 6665 s.4.1.2.4: after kill -9 the dialog goes on, and NOTIFY in it arrives', async () => {
      await gateway.kill();
      await gateway.start();
      const late = pidf([{ ...desk, note: 'after the restart' }], '<rpid:meal/>', '<rpid:sad/>');
      assert.match((await notifier.notify('active;expires=3400', late)).first, / 200 /);
      // What was under way when it was killed may come once more before.
      const told = await alice.hears((one) => one.getChildText('status') === 'after the restart', 'the note', 15_000);
      assert.match(told.attrs.from ?? '', /desk/);
    });

    await t.test('RFC 8048 s.6.3, RFC 6121 s.4.3: she logs in again and is told how he is', async () => {
      await alice.stop();
      alice = await site.logIn();
      await until(
        () => alice.heard.some((one) => one.getChildText('status') === 'after the restart'),
        'his presence for the new log-in',
        15_000,
      );
      await alice.hears((one) => /<mood [^>]*><sad/.test(one.toString()), 'his mood for the new log-in', 15_000);
    });

    await t.test('RFC 7572 s.4: messages and their receipts go on as ever', async () => {
      await alice.say(xml('message', { to: bobJid, type: 'chat', id: 'c-1' }, xml('body', {}, 'are you there?')));
      await bob.until(({ first, body }) => first.startsWith('MESSAGE ') && body.includes('are you there?'));
      bob.onRequest = (request) =>
        /^MESSAGE/.test(request.first) ? responseTo(request, '404 Not Found') : takeSubscriptions(request);
      await alice.say(xml('message', { to: bobJid, type: 'chat', id: 'c-lost' }, xml('body', {}, 'and now?')));
      const error = await alice.hears(({ attrs }) => attrs.id === 'c-lost' && attrs.type === 'error', 'the failure');
      assert.match(error.toString(), /item-not-found/);
      bob.onRequest = takeSubscriptions;
    });

    await t.test('RFC 8048 s.6.3: closed is unavailable', async () => {
      await hearsAfter(
        () => notifier.notify('active;expires=3300', pidf([{ id: 'desk', basic: 'closed' }])),
        'unavailable',
        /desk/,
      );
      await hearsAfter(() => notifier.notify('active;expires=3200', pidf([desk])), undefined, /desk/);
    });

    await t.test('RFC 8048 s.5.2.3: unsubscribe ends the SIP subscription with Expires: 0', async () => {
      await sayTo('unsubscribe');
      const last = await notifier.hears((one) => one.header('Expires') === '0', 10_000);
      assert.match(last.header('To'), /;tag=/, 'in its dialog');
      const roster = async () =>
        (await alice.ask(xml('iq', { type: 'get' }, xml('query', { xmlns: 'jabber:iq:roster' })))).toString();
      await until(async () => /subscription="none"/.test(await roster()), 'no subscription is left');
    });

    await t.test('RFC 6665 s.4.1.3: terminated;reason=noresource makes every device of his unavailable', async () => {
      const before = notifier.asked.length;
      await sayTo('subscribe');
      await until(() => notifier.asked.length > before, 'another SUBSCRIBE');
      await hearsAfter(() => notifier.notify('active;expires=3600', pidf([phone])), undefined, /phone/);
      await hearsAfter(() => notifier.notify('terminated;reason=noresource'), 'unavailable', /phone/);
    });

    await t.test('RFC 8048 s.5.2.1: 403 is unsubscribed, so nothing stays open in her roster', async () => {
      bob.onRequest = (request) => responseTo(request, '403 Forbidden');
      const mallory = bobJid.replace('bob', 'mallory');
      await sayTo('subscribe', mallory);
      await hearsPresence(alice, 'unsubscribed', mallory);
    });
  });
}
