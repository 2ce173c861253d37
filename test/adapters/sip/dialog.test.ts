import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers, SipParseError, type SipRequest } from '../../../adapters/sip/codec/message.ts';
import { advanced, dialogFromRequest, dialogKey, keyOfRequest, requestIn } from '../../../adapters/sip/dialog.ts';

function subscribe(over: Record<string, string | undefined> = {}): SipRequest {
  const values: Record<string, string | undefined> = {
    From: '"Bob" <sip:bob@example.net>;tag=their-tag',
    To: '<sip:alice@gw.example.net>',
    'Call-ID': 'call@example.net',
    CSeq: '7 SUBSCRIBE',
    Contact: '<sip:bob@192.0.2.4:5070;transport=tcp?Subject=x>',
    'Record-Route': '<sip:p1.example.net;lr>, <sip:p2.example.net;lr>',
    ...over,
  };
  const headers = new Headers();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) headers.add(name, value);
  return { kind: 'request', method: 'SUBSCRIBE', uri: 'sip:alice@gw.example.net', headers, body: new Uint8Array() };
}

test('RFC 3261 s.12.1.1: a request makes a dialog with its Record-Route in order and its Contact as target', () => {
  const dialog = dialogFromRequest(subscribe(), 'ours');
  assert.deepEqual(dialog.routes, ['<sip:p1.example.net;lr>', '<sip:p2.example.net;lr>']);
  assert.equal(dialog.target, 'sip:bob@192.0.2.4:5070;transport=tcp');
  assert.equal(dialog.remoteTag, 'their-tag');
  assert.equal(dialog.remoteCSeq, 7);
});

test('RFC 3261 s.12.1.1: no dialog without a Contact', () => {
  for (const Contact of [undefined, '*']) {
    assert.throws(() => dialogFromRequest(subscribe({ Contact }), 'ours'), SipParseError);
  }
});

test('RFC 3261 s.12.2.1.1: requests of ours count up and go by the route set', () => {
  const first = requestIn(dialogFromRequest(subscribe(), 'ours'), 'NOTIFY');
  const second = requestIn(first.dialog, 'NOTIFY');
  assert.equal(first.request.headers.get('CSeq'), '1 NOTIFY');
  assert.equal(second.request.headers.get('CSeq'), '2 NOTIFY');
  assert.equal(first.request.uri, 'sip:bob@192.0.2.4:5070;transport=tcp');
  assert.equal(first.next.host, 'p1.example.net');
  assert.deepEqual(first.request.headers.all('Route'), ['<sip:p1.example.net;lr>', '<sip:p2.example.net;lr>']);
  assert.equal(first.request.headers.get('From'), '<sip:alice@gw.example.net>;tag=ours');
  assert.equal(first.request.headers.get('To'), '<sip:bob@example.net>;tag=their-tag');
});

test('RFC 3261 s.12.2.1.1: a strict router becomes the Request-URI and the target the last Route', () => {
  const dialog = dialogFromRequest(
    subscribe({ 'Record-Route': '<sip:strict.example.net>, <sip:p2.example.net;lr>' }),
    'ours',
  );
  const { request } = requestIn(dialog, 'NOTIFY');
  assert.equal(request.uri, 'sip:strict.example.net');
  assert.deepEqual(request.headers.all('Route'), ['<sip:p2.example.net;lr>', '<sip:bob@192.0.2.4:5070;transport=tcp>']);
});

test('RFC 3261 s.12.2.2: a request with a lower CSeq is out of order, a higher one may move the target', () => {
  const dialog = dialogFromRequest(subscribe(), 'ours');
  assert.equal(advanced(dialog, subscribe()), undefined);
  const moved = advanced(dialog, subscribe({ CSeq: '8 SUBSCRIBE', Contact: '<sip:bob@192.0.2.5>' }));
  assert.equal(moved?.target, 'sip:bob@192.0.2.5');
  assert.equal(moved?.remoteCSeq, 8);
});

test('RFC 3261 s.12: a request belongs to the dialog of its Call-ID and both tags', () => {
  const dialog = dialogFromRequest(subscribe(), 'ours');
  assert.equal(keyOfRequest(subscribe()), undefined);
  assert.equal(keyOfRequest(subscribe({ To: '<sip:alice@gw.example.net>;tag=ours' })), dialogKey(dialog));
});
