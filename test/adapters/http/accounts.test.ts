// Whose a number is, and as whom an application may write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Accounts } from '../../../adapters/http/accounts.ts';
import { options } from '../../../adapters/http/config.ts';
import { GatewayError, parseAddress } from '../../../src/contract/index.ts';

function accountsOf(senders: Readonly<Record<string, { senders: string[]; keywords?: string[] }>>) {
  const accounts = Object.fromEntries(
    Object.entries(senders).map(([name, own]) => [name, { password: 'long enough', ...own }]),
  );
  const parsed = options.parse({ accounts, defaultCountry: 'GB' });
  return new Accounts(parsed.accounts, { defaultCountry: 'GB', shortCodeContext: 'http.invalid' }, () => 0);
}

test('DESIGN 3: a number belongs to who has it, before who has its prefix, and a long prefix counts before a short one', () => {
  const accounts = accountsOf({
    all: { senders: ['*'] },
    short: { senders: ['+4420*'] },
    long: { senders: ['+44 20 71*', '88222'] },
    one: { senders: ['020 7183 8750'] },
  });
  const ownerOf = (address: string) => accounts.ownerOf(parseAddress(address))?.name;
  assert.deepEqual(['tel:+442071838750', 'tel:+442071838751', 'tel:+442083661177', 'tel:+33142685300'].map(ownerOf), [
    'one',
    'long',
    'short',
    'all',
  ]);
  // Each network has a context of its own for the same code.
  assert.equal(ownerOf('tel:88222;phone-context=carrier.invalid'), 'long');
});

test('reference smpp 1.1: MO routing: of those who share a number a keyword decides', () => {
  const shared = ['+447700900200'];
  const accounts = accountsOf({ shop: { senders: shared }, bus: { senders: shared, keywords: ['bus'] } });
  const ownerOf = (text: string) => accounts.ownerOf(parseAddress('tel:+447700900200'), text)?.name;
  assert.deepEqual(['BUS 12', 'hello', ''].map(ownerOf), ['bus', 'shop', 'shop']);
});

test('a sender is one of the account, in whichever spelling; without a name it is the first that is no prefix', () => {
  const accounts = accountsOf({ shop: { senders: ['+4477009002*', '020 7183 8750', 'My Shop'] } });
  const account = accounts.byName('shop');
  assert.ok(account);
  assert.equal(accounts.senderOf(account, undefined), 'tel:+442071838750');
  assert.equal(accounts.senderOf(account, '+44 7700 900277'), 'tel:+447700900277');
  assert.equal(accounts.senderOf(account, 'My Shop'), 'tel:My%20Shop;phone-context=alphanumeric');
  const isRefused = (error: unknown) => error instanceof GatewayError && error.reason === 'not-allowed';
  for (const text of ['+447700900300', 'Your Shop', '88222']) {
    assert.throws(() => accounts.senderOf(account, text), isRefused);
  }
});
