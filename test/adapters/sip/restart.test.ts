// What must outlive the process: who is registered, and who asked to be told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, message, open, receipt, signal } from './adapter-fixtures.ts';

const bob = 'sip:bob@native.example';

test('DESIGN 6: after a restart a phone is still reached, and a sender is still told what was asked', async (t) => {
  const settings = { nativeDomains: ['native.example'] };
  const { sip, hub, peer, ask } = await open(t, settings);
  const more = [`Contact: <sip:bob@127.0.0.1:${peer.port}>`];
  await ask({ method: 'REGISTER', uri: 'sip:native.example', from: `<${bob}>;tag=1`, to: `<${bob}>`, body: '', more });
  const body =
    'NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1\r\nimdn.Disposition-Notification: display\r\n\r\nContent-Type: text/plain\r\n\r\nhi';
  await ask({ from: `<${bob}>;tag=2`, type: 'message/cpim', body });
  await sip.stop();
  const next = create(settings);
  t.after(() => next.stop());
  await next.start(hub);
  await next.deliver(message(bob, { text: { '': 'still there?' } }), signal);
  await next.deliver(receipt(bob, { of: 'm1', state: 'displayed' }), signal);
  const [text, notification] = peer.heard.filter(({ first }) => first.startsWith('MESSAGE'));
  assert.equal(text?.body, 'still there?');
  assert.match(notification?.body ?? '', /<message-id>m1<.*<displayed\/>/s);
});
