// The adapter between a fake hub and an SMSC of npm smpp, and the PDUs that such a carrier sends.
import type { TestContext } from 'node:test';
import { adapter } from '../../../adapters/smpp/index.ts';
import { GatewayError } from '../../../src/contract/index.ts';
import { type FakeHub, fakeHub } from '../../peers/hub.ts';
import { type NpmSmsc, npmSmsc } from '../../peers/smpp-npm.ts';

export const { signal } = new AbortController();

export async function open(
  t: TestContext,
  more: Record<string, unknown> = {},
  given: { smsc?: NpmSmsc; hub?: FakeHub } = {},
) {
  const smsc = given.smsc ?? (await npmSmsc());
  const hub = given.hub ?? fakeHub();
  const fast = { reconnect: { firstMs: 10, maxMs: 20 }, throttle: { firstMs: 20, maxMs: 50 } };
  const settings = adapter.options.parse({ port: smsc.port, systemId: 'me', password: 'secret', ...fast, ...more });
  const smpp = adapter.create('carrier', settings);
  t.after(async () => {
    await smpp.stop();
    if (!given.smsc) await smsc.close();
  });
  await smpp.start(hub);
  return { smsc, hub, smpp };
}

export const fails =
  (reason: string, words = /./) =>
  (error: unknown) =>
    error instanceof GatewayError && error.reason === reason && words.test(error.message);
export const phone = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '447700900123' };
export const service = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '447700900001' };
export const dlr = (id: unknown, stat = 'DELIVRD') => ({
  ...phone,
  ...service,
  esm_class: 4,
  short_message: Buffer.from(
    `id:${id} sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:${stat} err:000 text:`,
  ),
});
export const mo = (text: string, more: Record<string, unknown> = {}) => ({
  ...phone,
  ...service,
  data_coding: 0,
  short_message: Buffer.from(text),
  ...more,
});
export const moPart = (reference: number, total: number, index: number, text: string) =>
  mo('', {
    esm_class: 0x40,
    short_message: Buffer.concat([Buffer.from([5, 0, 3, reference, total, index]), Buffer.from(text)]),
  });
