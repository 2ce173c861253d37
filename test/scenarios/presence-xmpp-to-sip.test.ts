// A SIP user watches an XMPP user through the gateway: asked, approved, every change of every device, a restart in between.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PeerMessage, requestText, responseTo } from '../peers/sip-peer.ts';
import { xml } from '../peers/xmpp-user.ts';
import { until } from '../servers/process.ts';
import { alice, aliceUri, bobJid, hearsPresence, openPresenceSite, SipWatch } from './presence-site.ts';

const stateOf = (notify: PeerMessage) => notify.header('Subscription-State');
const says = (pattern: RegExp) => (notify: PeerMessage) => pattern.test(notify.body);
const tuples = (notify: PeerMessage) => notify.body.match(/<(?:\w+:)?tuple[ >]/g)?.length ?? 0;

for (const kind of ['prosody', 'ejabberd'] as const) {
  test(`RFC 8048 s.5.3: presence of an XMPP user on SIP, with ${kind}`, async (t) => {
    const site = await openPresenceSite(t, kind);
    if (!site) return;
    const { bob, gateway, sipPort } = site;
    let desk = await site.logIn();
    const watch = new SipWatch(site);
    const mood = 'http://jabber.org/protocol/mood';
    /** She publishes a mood (XEP-0163). */
    const feels = async (word: string) => {
      const item = xml('item', { id: 'current' }, xml('mood', { xmlns: mood }, xml(word)));
      const publish = xml('publish', { node: mood }, item);
      await desk.ask(
        xml('iq', { type: 'set' }, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, publish)),
      );
    };
    const sayTo = (type: string) => desk.say(xml('presence', { to: bobJid, type }));

    await feels('happy');
    await t.test('RFC 8048 s.5.3.1: SUBSCRIBE is answered at once and pending; the XMPP user is asked', async () => {
      const answer = await watch.subscribe(3600);
      assert.match(answer.first, /^SIP\/2\.0 200 /);
      const first = await watch.hears(() => true);
      assert.match(stateOf(first), /^pending/);
      assert.doesNotMatch(first.body, /<basic>open/);
      await hearsPresence(desk, 'subscribe');
    });

    await t.test('RFC 8048 s.5.3.1: her approval makes it active, with her device in it', async () => {
      await sayTo('subscribed');
      const active = await watch.hears((one) => /^active/.test(stateOf(one)) && /open/.test(one.body));
      assert.equal(tuples(active), 1);
      assert.match(active.body, /entity=["']pres:/);
    });

    await t.test('reference sip 3.4: the mood that she had published before is in the document', async () => {
      await watch.hears(says(/<(\w+:)?mood><(\w+:)?happy\/>/));
    });

    await t.test('RFC 8048 s.6.2: show, status and priority arrive', async () => {
      const more = [xml('show', {}, 'dnd'), xml('status', {}, 'writing a letter'), xml('priority', {}, '127')];
      await desk.say(xml('presence', {}, ...more));
      const told = await watch.hears(says(/writing a letter/));
      assert.match(told.body, /busy|dnd/);
      assert.match(told.body, /priority=["']1(\.0+)?["']/);
    });

    await t.test('RFC 8048 s.6.2: two devices are two tuples of one document', async () => {
      const phone = await site.logIn();
      const both = await watch.hears((one) => tuples(one) === 2 && !/closed/.test(one.body));
      assert.match(both.body, /writing a letter/);
      const before = watch.notified.length;
      await phone.stop();
      await watch.hears((one) => tuples(one) === 1 || /closed/.test(one.body), before);
    });

    await t.test('RFC 6665 s.4.2.2: after kill -9 the same dialog tells what changed meanwhile', async () => {
      const before = watch.notified.length;
      await gateway.kill();
      await feels('sad');
      await desk.say(xml('presence', {}, xml('show', {}, 'away'), xml('status', {}, 'out for tea')));
      await gateway.start();
      const told = await watch.hears(says(/out for tea/), before, 30_000);
      await watch.hears(says(/<(\w+:)?mood><(\w+:)?sad\/>/), before, 30_000);
      const earlier = watch.notified[before - 1] as PeerMessage;
      const tagOf = (header: string) => /;tag=([^;]+)/.exec(header)?.[1];
      assert.equal(tagOf(told.header('From')), tagOf(earlier.header('From')), 'the same dialog');
      assert.ok(Number.parseInt(told.header('CSeq'), 10) > Number.parseInt(earlier.header('CSeq'), 10));
      assert.equal(desk.heard.filter(({ attrs }) => attrs.type === 'subscribe').length, 1, 'she is not asked again');
    });

    await t.test('RFC 7572 s.4: messages and their failures go on as ever', async () => {
      bob.sendUdp(
        requestText({ port: bob.port, uri: aliceUri, from: '<sip:bob@other.example>;tag=m', body: 'hello' }),
        sipPort,
      );
      await desk.hears((one) => one.name === 'message' && one.getChildText('body') === 'hello', 'the message');
      bob.onRequest = (request) => responseTo(request, /^MESSAGE/.test(request.first) ? '404 Not Found' : '200 OK');
      await desk.say(xml('message', { to: bobJid, type: 'chat', id: 'c-lost' }, xml('body', {}, 'are you there?')));
      const error = await desk.hears(({ attrs }) => attrs.id === 'c-lost' && attrs.type === 'error', 'the failure');
      assert.match(error.toString(), /item-not-found/);
    });

    await t.test('RFC 8048 s.6.2: she goes offline, and it is closed; she comes back', async () => {
      let before = watch.notified.length;
      await desk.stop();
      await watch.hears((one) => !/>\s*open\s*</.test(one.body), before);
      before = watch.notified.length;
      desk = await site.logIn();
      await watch.hears(says(/>\s*open\s*</), before);
    });

    await t.test('RFC 8048 s.7.2: a poll (Expires: 0) of another dialog is told the state and ends', async () => {
      const poll = new SipWatch(site);
      await poll.subscribe(0);
      const told = await poll.hears((one) => /^terminated/.test(stateOf(one)));
      assert.match(stateOf(told), /reason=timeout/);
      assert.match(told.body, /open/);
    });

    await t.test('RFC 8048 s.5.3.3: SUBSCRIBE with Expires: 0 ends the dialog, and not the permission', async () => {
      const heard = desk.heard.length;
      await watch.subscribe(0);
      const ended = await watch.hears((one) => /^terminated/.test(stateOf(one)));
      assert.match(stateOf(ended), /reason=timeout/);
      await hearsPresence(desk, 'unavailable', bobJid, heard);
      const again = new SipWatch(site);
      await again.subscribe(3600);
      const active = await again.hears((one) => /^active/.test(stateOf(one)) && /open/.test(one.body));
      assert.equal(tuples(active), 1);
      assert.equal(desk.heard.slice(heard).filter(({ attrs }) => attrs.type === 'subscribe').length, 0);
      await sayTo('unsubscribed');
      const rejected = await again.hears((one) => /^terminated/.test(stateOf(one)));
      assert.match(stateOf(rejected), /reason=rejected/, 'RFC 8048 s.5.2.3: she takes the permission back');
    });

    await t.test('reference sip 2: operators see who watches whom', async () => {
      const asked = await fetch(`${gateway.adminUrl}/api/views/subscriptions`);
      assert.equal(asked.status, 200);
      await until(async () => {
        const rows = (await (await fetch(`${gateway.adminUrl}/api/views/subscriptions`)).json()) as unknown[];
        return !JSON.stringify(rows).includes(`"standing":"approved"`);
      }, `nobody may watch ${alice} any longer`);
    });
  });
}
