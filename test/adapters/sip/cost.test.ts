// Messages made to be slow to read: each costs no more than its length. Counted in processor time, as a ratio.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage, type Limits, SipParseError } from '../../../adapters/sip/codec/message.ts';
import { rawMessage } from './samples.ts';

const wide: Limits = { messageBytes: 1e7, headBytes: 1e7, headers: 1e6, headerLength: 1e7, uriLength: 1e7 };

/** The least of several runs, in milliseconds of processor time. */
function cost(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 7; run++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

const attacks: Record<string, (bytes: number) => Buffer> = {
  'folded lines': (bytes) => rawMessage({ Subject: `a${'\r\n '.repeat(bytes / 3)}b` }),
  'folded white space': (bytes) => rawMessage({ Subject: `a\r\n${' '.repeat(bytes)}b` }),
  'white space': (bytes) => rawMessage({ From: `a${' '.repeat(bytes)}<sip:a@b>;tag=1` }),
  'white space in Via': (bytes) => rawMessage({ Via: `SIP/2.0/UDP${' '.repeat(bytes)}h;branch=z9hG4bK1` }),
  quotes: (bytes) => rawMessage({ From: `"${'\\"'.repeat(bytes / 2)}" <sip:a@b>;tag=1` }),
  'open quotes': (bytes) => rawMessage({ Contact: '"'.repeat(bytes) }),
  parameters: (bytes) =>
    rawMessage({ From: `<sip:a@b>${Array.from({ length: bytes / 8 }, (_, n) => `;p${n}=1`).join('')}` }),
  'URI parameters': (bytes) =>
    rawMessage({ To: `<sip:a@b${Array.from({ length: bytes / 8 }, (_, n) => `;p${n}=1`).join('')}>` }),
  semicolons: (bytes) => rawMessage({ To: `<sip:a@b>${';'.repeat(bytes)}` }),
  commas: (bytes) => rawMessage({ Via: `SIP/2.0/UDP h;branch=z9hG4bK1${','.repeat(bytes)}` }),
  'angle brackets': (bytes) => rawMessage({ To: '<'.repeat(bytes) }),
  'at signs': (bytes) => rawMessage({ To: `<sip:${'a@'.repeat(bytes / 2)}b>` }),
  headers: (bytes) => rawMessage(Object.fromEntries(Array.from({ length: bytes / 12 }, (_, n) => [`X-${n}`, 'x']))),
  'broken UTF-8': (bytes) => {
    const [before, after] = rawMessage({ Subject: '@@' }).toString('latin1').split('@@');
    return Buffer.from(`${before}${'\xff\xc3'.repeat(bytes / 2)}${after}`, 'latin1');
  },
};

for (const [name, attack] of Object.entries(attacks)) {
  test(`reference sip-stack acceptance 7: 60 kB of ${name} cost no more than their length: ten times the octets, not a hundred times the work`, () => {
    const decode = (bytes: Buffer) => () => {
      try {
        const message = decodeMessage(bytes, wide);
        encodeMessage(message);
      } catch (error) {
        assert.ok(error instanceof SipParseError, String(error));
      }
    };
    const small = attack(60_000);
    const large = attack(600_000);
    for (let warm = 0; warm < 5; warm++) decode(small)();
    const [one, ten] = [cost(decode(small)), cost(decode(large))];
    // Linear is 10, quadratic 100; the 2 ms keep the clock's grain and the collector out of it.
    assert.ok(ten < 35 * one + 2 * 10, `${one.toFixed(2)} ms for 60 kB, ${ten.toFixed(2)} ms for 600 kB`);
  });
}
