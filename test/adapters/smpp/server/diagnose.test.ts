// What doctor says of the accounts and listeners of our own SMS centre, and what the configuration refuses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapter } from '../../../../adapters/smpp/server/index.ts';
import { builtInProtocols, loadAdapter } from '../../../../src/loader.ts';

async function findings(options: object): Promise<string[]> {
  const found: string[] = [];
  const settings = adapter.options.parse(options);
  for await (const { state, what } of adapter.diagnose?.(settings, new AbortController().signal) ?? []) {
    found.push(`${state}: ${what}`);
  }
  return found;
}

const good = { password: 'long enough', numbers: ['+447700900100'] };

test('the loader finds the second face of SMPP by its name', async () => {
  assert.ok(builtInProtocols().includes('smpp/server'));
  const loaded = await loadAdapter('smpp/server');
  assert.deepEqual([loaded.protocol, loaded.network], ['smpp/server', 'tel']);
});

test('doctor: accounts that are in order', async () => {
  assert.deepEqual(await findings({ accounts: { shop: good } }), ['ok: 1 accounts']);
});

const broken = (what: string) => `-----BEGIN ${what}-----\nx\n-----END ${what}-----\n`;

test('doctor: an account without a sender, a short password, passwords in the clear, no certificate', async () => {
  const found = await findings({
    listen: [{ host: '0.0.0.0' }, { tls: { cert: broken('CERTIFICATE'), key: broken('PRIVATE KEY') } }],
    accounts: { shop: good, mute: { password: 'x' } },
  });
  const expected = [
    /^warning: 0\.0\.0\.0:2775: passwords and texts travel in the clear$/,
    /^failed: 127\.0\.0\.1:2775: .*PEM/,
    /^warning: account mute: a short password/,
    /^failed: account mute may send as nobody$/,
    /^ok: 2 accounts$/,
  ];
  assert.equal(found.length, expected.length);
  for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern);
});

test('the configuration refuses addresses that are none, names that are too long and an account without a password', () => {
  for (const accounts of [
    { shop: { ...good, allow: ['192.0.2.0/33'] } },
    { shop: { ...good, allow: ['example.org'] } },
    { shop: { ...good, allow: ['2001:db8::/'] } },
    { [`shop${'p'.repeat(12)}`]: good },
    { shop: { numbers: ['1'] } },
  ]) {
    assert.equal(adapter.options.safeParse({ accounts }).success, false, JSON.stringify(accounts));
  }
  assert.equal(adapter.options.safeParse({ accounts: { shop: { ...good, allow: ['2001:db8::/32'] } } }).success, true);
});
