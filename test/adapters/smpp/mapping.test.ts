// Numbers, texts and errors between events and SMPP: the tables, both ways.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fromSme, type SmeAddress, toSme } from '../../../adapters/smpp/addresses.ts';
import { statuses } from '../../../adapters/smpp/codec/index.ts';
import { options } from '../../../adapters/smpp/config.ts';
import { isThrottling, refusals, statusError } from '../../../adapters/smpp/errors.ts';
import { fromEvent, noticeOf, textOf } from '../../../adapters/smpp/mapping.ts';
import { failureReasons, GatewayError, type Message, parseAddress } from '../../../src/contract/index.ts';
import { message, receipt } from './event.ts';

const rules = { shortCodeContext: 'carrier.invalid' };
const gb = { ...rules, defaultCountry: 'GB' };

describe('numbers', () => {
  const cases: Array<[given: SmeAddress, address: string, rules?: typeof gb]> = [
    [{ ton: 1, npi: 1, addr: '447700900123' }, 'tel:+447700900123'],
    [{ ton: 1, npi: 1, addr: '+447700900123' }, 'tel:+447700900123'],
    [{ ton: 0, npi: 1, addr: '+447700900123' }, 'tel:+447700900123'],
    [{ ton: 0, npi: 0, addr: '00447700900123' }, 'tel:+447700900123'],
    [{ ton: 0, npi: 0, addr: '447700900123' }, 'tel:+447700900123'],
    [{ ton: 2, npi: 1, addr: '07700900123' }, 'tel:+447700900123', gb],
    [{ ton: 2, npi: 1, addr: '7700900123' }, 'tel:+447700900123', gb],
    [{ ton: 0, npi: 0, addr: '07700900123' }, 'tel:+447700900123', gb],
    [{ ton: 2, npi: 1, addr: '07700900123' }, 'tel:07700900123;phone-context=carrier.invalid'],
    [{ ton: 0, npi: 0, addr: '12345' }, 'tel:12345;phone-context=carrier.invalid'],
    [{ ton: 0, npi: 0, addr: '12345' }, 'tel:12345;phone-context=carrier.invalid', gb],
    [{ ton: 3, npi: 0, addr: '447700900123' }, 'tel:447700900123;phone-context=carrier.invalid'],
    [{ ton: 1, npi: 1, addr: '12' }, 'tel:12;phone-context=carrier.invalid'],
    [{ ton: 0, npi: 0, addr: '*100#' }, 'tel:*100%23;phone-context=carrier.invalid'],
    [{ ton: 5, npi: 0, addr: 'My Bank' }, 'tel:My%20Bank;phone-context=alphanumeric'],
    [{ ton: 1, npi: 1, addr: 'INFO' }, 'tel:INFO;phone-context=alphanumeric'],
    [{ ton: 5, npi: 0, addr: "O'Neil" }, 'tel:O_Neil;phone-context=alphanumeric'],
  ];
  for (const [given, address, how] of cases) {
    test(`SMPP 3.4 s.5.2.5: TON ${given.ton} ${given.addr}${how ? ' in GB' : ''} is ${address}`, () => {
      assert.equal(fromSme(given, how ?? rules), address);
    });
  }
  test('an empty address is malformed', () => {
    assert.throws(() => fromSme({ ton: 1, npi: 1, addr: ' ' }, rules), GatewayError);
  });
  test('reference smpp 1.1: number rules: an answer goes to the TON, NPI and digits that the message came from', () => {
    for (const given of [
      { ton: 1, npi: 1, addr: '447700900123' },
      { ton: 5, npi: 0, addr: 'My Bank' },
      { ton: 3, npi: 0, addr: '12345' },
    ]) {
      assert.deepEqual(toSme(fromSme(given, rules)), given);
    }
  });
  test('reference smpp 1.1: number rules: TON and NPI can be set, but a name is always alphanumeric', () => {
    assert.deepEqual(toSme(parseAddress('tel:12345;phone-context=x.invalid'), { ton: 6, npi: 1 }), {
      ton: 6,
      npi: 1,
      addr: '12345',
    });
    assert.equal(toSme(parseAddress('tel:Bank;phone-context=alphanumeric'), { ton: 6, npi: 1 }).ton, 5);
  });
  test('whatever an SMSC writes as an address is an address or malformed, and never another error', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.string({ unit: 'binary', maxLength: 64 }), fc.boolean(), (ton, addr, isGb) => {
        try {
          assert.match(fromSme({ ton, npi: 1, addr }, isGb ? gb : rules), /^tel:/);
        } catch (error) {
          assert.ok(error instanceof GatewayError && error.reason === 'malformed', String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('texts', () => {
  const cases: Array<[what: string, more: Partial<Message>, text: string]> = [
    ['a plain text', {}, 'hello'],
    ['a subject stands before it', { subject: { '': 'Lunch' } }, '[Lunch]\nhello'],
    ['a correction says so', { replaces: 'x' }, 'edited: hello'],
    ['a retraction is told', { retracts: 'x' }, '[took back an earlier message]'],
    ['a reaction is told', { text: { '': '' }, reaction: { of: 'x', emoji: ['👍'] } }, '[reaction] 👍'],
    [
      'a file is a link',
      { attachments: [{ url: 'https://x.example/a', name: 'a.pdf' }] },
      'hello\na.pdf: https://x.example/a',
    ],
    ['only a file', { text: {}, attachments: [{ url: 'https://x.example/a' }] }, 'https://x.example/a'],
    ['a text in one language only', { text: { fr: 'bonjour' } }, 'bonjour'],
  ];
  for (const [what, more, text] of cases) {
    test(`what SMS cannot say is put into words: ${what}`, () => assert.equal(textOf(message('hello', more)), text));
  }
  test('a notice is for what ended badly, and for nothing else', () => {
    assert.match(noticeOf(receipt('expired')) ?? '', /was not delivered\.$/);
    for (const state of ['sent', 'delivered', 'displayed', 'unknown'] as const)
      assert.equal(noticeOf(receipt(state)), undefined);
  });
});

describe('validity', () => {
  const settings = options.parse({ systemId: 'me' });
  const cases: Array<[seconds: number, period: string]> = [
    [3600, '000000010000000R'],
    [90_061, '000001010101000R'],
    [1, '000000000100000R'],
    [-5, '000000000100000R'],
    [40 * 86_400, '000030000000000R'],
  ];
  for (const [seconds, period] of cases) {
    test(`SMPP 3.4 s.7.1.1: ${seconds} s is ${period}`, () => {
      const event = message('x', { expiresAt: new Date(seconds * 1000).toISOString() });
      assert.equal(fromEvent(event, settings, 0).validity_period, period);
    });
  }
});

describe('errors', () => {
  test('every status has a reason and words that name it', () => {
    for (const [name, status] of Object.entries(statuses)) {
      if (status === 0) continue;
      const error = statusError(status);
      assert.ok((failureReasons as readonly string[]).includes(error.reason));
      assert.ok(error.message.includes(name) && error.native === name);
    }
  });
  test('reference smpp 1.1: THROTTLED / MSGQFUL: ESME_RTHROTTLED and ESME_RMSGQFUL throttle, and nothing else does unless configured', () => {
    const throttling = Object.entries(statuses)
      .filter(([, status]) => isThrottling(status))
      .map(([name]) => name);
    assert.deepEqual(throttling, ['ESME_RMSGQFUL', 'ESME_RTHROTTLED']);
    assert.ok(isThrottling(0x412, { '0x412': 'throttled' }));
  });
  test('a refusal that trying again cannot help is answered with a status that the SMSC does not retry', () => {
    const passing = new Set(['ESME_RX_T_APPN', 'ESME_RTHROTTLED']);
    for (const reason of failureReasons) {
      assert.equal(passing.has(refusals[reason]), !new GatewayError(reason, '').isFinal, reason);
    }
  });
});
