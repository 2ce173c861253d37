// Which kind of document it is to be; partial ones (RFC 5262 to 5264) we neither read nor write, so that whole ones come instead.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage } from '../../../../adapters/sip/codec/message.ts';
import { requestText } from '../../../peers/sip-peer.ts';
import { headerOf, Site, watching } from '../watcher-fixtures.ts';
import { bench, watched } from './subscriber-fixtures.ts';

const partialType = 'application/pidf-diff+xml';
const diff =
  '<p:pidf-diff xmlns="urn:ietf:params:xml:ns:pidf" xmlns:p="urn:ietf:params:xml:ns:pidf-diff" version="2">' +
  '<p:remove sel="*/tuple[1]"/></p:pidf-diff>';

test('RFC 5263 s.4.3: a watcher who takes partial documents too is sent whole ones, one who takes no others is 406', async () => {
  const { site } = await watching(new Site(), { accept: `${partialType};q=1, application/pidf+xml;q=0.5` });
  assert.equal(site.last.request.headers.get('Content-Type'), 'application/pidf+xml');
  const only = await site.subscribe({ accept: partialType });
  assert.equal(only.status, 406);
  assert.match(headerOf(only, 'Accept') ?? '', /^application\/pidf\+xml/);
});

test('RFC 5263 s.4.2: partial documents are not asked for, and one that comes all the same is 415 and changes nothing', async (t) => {
  const asking = await bench(t);
  await asking.ask('request');
  assert.doesNotMatch(asking.last().headers.all('Accept').join(), /diff/);
  const made = await watched(t);
  const before = made.hub.drafts.length;
  assert.equal(await made.notify('active;expires=3600', { body: diff, type: partialType }), 415);
  assert.equal(made.hub.drafts.length, before);
});

test('RFC 5264 s.4.2: a partial publication is 415 with what is taken', async () => {
  const site = new Site();
  const bob = 'sip:bob@native.example';
  const text = requestText({
    ...{ port: 5060, method: 'PUBLISH', uri: bob, from: `<${bob}>;tag=b1`, body: diff, type: partialType },
    more: ['Event: presence', 'Expires: 600'],
  });
  const request = decodeMessage(Buffer.from(text));
  assert.equal(request.kind, 'request');
  const answer = request.kind === 'request' ? await site.send(request, { isTrusted: true }) : undefined;
  assert.equal(answer?.status, 415);
  assert.equal(answer && headerOf(answer, 'Accept'), 'application/pidf+xml');
});

test('RFC 3261 s.20.1: what a watcher says q=0 of it is never sent', async () => {
  const [pidf, xpidf] = ['application/pidf+xml', 'application/xpidf+xml'];
  for (const [accept, sent] of [
    [`${pidf};q=0, application/*`, xpidf],
    [`${pidf};q=0.001, ${xpidf}`, pidf],
    [`${pidf};q=much`, pidf],
  ] as const) {
    const { site } = await watching(new Site(), { accept });
    assert.equal(site.last.request.headers.get('Content-Type'), sent, accept);
  }
  assert.equal((await new Site().subscribe({ accept: `${pidf};q=0, ${xpidf};q=0.0` })).status, 406);
});
