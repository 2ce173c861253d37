// Lists of resources: the example of RFC 4662, parts and their ids, what is broken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentOf, MimeError, type MimePart } from '../../src/formats/mime.ts';
import { formatListNotice, parseRlmi, type Rlmi, readListNotice } from '../../src/formats/rlmi.ts';
import { XmlError } from '../../src/formats/xml.ts';

const type =
  'multipart/related;type="application/rlmi+xml";start="<nXYxAE@pres.vancouver.example.com>";boundary="50UBfW7LSCVLtggUPe5z"';
const example = [
  '--50UBfW7LSCVLtggUPe5z',
  'Content-Transfer-Encoding: binary',
  'Content-ID: <nXYxAE@pres.vancouver.example.com>',
  'Content-Type: application/rlmi+xml;charset="UTF-8"',
  '',
  '<?xml version="1.0" encoding="UTF-8"?>',
  '<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:adam-friends@pres.vancouver.example.com" version="1" fullState="true">',
  '  <name xml:lang="en">Buddy List at COM</name>',
  '  <name xml:lang="de">Liste der Freunde an COM</name>',
  '  <resource uri="sip:bob@vancouver.example.com">',
  '    <name>Bob Smith</name>',
  '    <instance id="juwigmtboe" state="active" cid="bUZBsM@pres.vancouver.example.com"/>',
  '  </resource>',
  '  <resource uri="sip:dave@vancouver.example.com">',
  '    <name>Dave Jones</name>',
  '    <instance id="hqzsuxtfyq" state="active" cid="ZvSvkz@pres.vancouver.example.com"/>',
  '  </resource>',
  '  <resource uri="sip:ed@dallas.example.net">',
  '    <name>Ed at NET</name>',
  '  </resource>',
  '</list>',
  '',
  '--50UBfW7LSCVLtggUPe5z',
  'Content-Transfer-Encoding: binary',
  'Content-ID: <bUZBsM@pres.vancouver.example.com>',
  'Content-Type: application/pidf+xml;charset="UTF-8"',
  '',
  'bob',
  '--50UBfW7LSCVLtggUPe5z',
  'Content-Transfer-Encoding: binary',
  'Content-ID: <ZvSvkz@pres.vancouver.example.com>',
  'Content-Type: application/pidf+xml;charset="UTF-8"',
  '',
  'dave',
  '--50UBfW7LSCVLtggUPe5z--',
  '',
].join('\r\n');
const whole = (body: string | Uint8Array, contentType = type): MimePart => ({
  headers: [['Content-Type', contentType]],
  body: Buffer.from(body),
});

test('RFC 4662 s.6: the example reads as it says; a resource without instance is one of which nothing is known', () => {
  const { rlmi, parts } = readListNotice(whole(example));
  assert.deepEqual(rlmi, {
    uri: 'sip:adam-friends@pres.vancouver.example.com',
    version: 1,
    fullState: true,
    resources: [
      {
        uri: 'sip:bob@vancouver.example.com',
        name: 'Bob Smith',
        instances: [{ id: 'juwigmtboe', state: 'active', cid: 'bUZBsM@pres.vancouver.example.com' }],
      },
      {
        uri: 'sip:dave@vancouver.example.com',
        name: 'Dave Jones',
        instances: [{ id: 'hqzsuxtfyq', state: 'active', cid: 'ZvSvkz@pres.vancouver.example.com' }],
      },
      { uri: 'sip:ed@dallas.example.net', name: 'Ed at NET', instances: [] },
    ],
  });
  const text = (cid: string) => contentOf(parts.get(cid) ?? assert.fail(cid)).toString();
  assert.deepEqual(
    ['bUZBsM', 'ZvSvkz'].map((id) => text(`${id}@pres.vancouver.example.com`)),
    ['bob', 'dave'],
  );
});

test('RFC 4662 s.5: what is written reads as it was, whatever stands in names and URIs', () => {
  const rlmi: Rlmi = {
    uri: 'sip:list@h;x="<&>"',
    version: 7,
    fullState: false,
    resources: [
      { uri: 'sip:a@h', name: 'A & B', instances: [{ id: 'i', state: 'terminated', reason: 'rejected' }] },
      { uri: 'sip:b@h', instances: [{ id: 'j', state: 'active', cid: 'c@h' }] },
    ],
  };
  const written = formatListNotice(rlmi, new Map([['c@h', { type: 'application/pidf+xml', content: 'doc' }]]), {
    boundary: 'b1',
  });
  const read = readListNotice(whole(written.content, written.type));
  assert.deepEqual(read.rlmi, rlmi);
  assert.deepEqual([...read.parts.keys()], ['c@h']);
  assert.equal(contentOf(read.parts.get('c@h') ?? assert.fail()).toString(), 'doc');
});

test('RFC 4662 s.5: without start the first part is the list', () => {
  assert.equal(readListNotice(whole(example, type.replace(/start="[^"]*";/, ''))).rlmi.version, 1);
});

test('RFC 4662 s.5.2: a list says its version; what is no list is refused', () => {
  for (const text of ['', '<list/>', '<list version="-1"/>', '<presence version="1"/>'])
    assert.throws(() => parseRlmi(text), XmlError, text);
  assert.throws(() => readListNotice(whole('hello', 'text/plain')), MimeError);
  assert.throws(
    () => readListNotice(whole('--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--', 'multipart/related;boundary=b')),
    MimeError,
  );
  assert.throws(() => readListNotice(whole('--b\r\n\r\nx\r\n'.repeat(300), 'multipart/related;boundary=b')), MimeError);
});
