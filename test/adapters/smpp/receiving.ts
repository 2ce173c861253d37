// The way in without a network: PDUs of an SMSC handed to Inbound, with a real book behind it and a hub in memory.
import { decode, encode, isFault, type RequestPdu, type Sendable } from '../../../adapters/smpp/codec/index.ts';
import { options } from '../../../adapters/smpp/config.ts';
import { Inbound } from '../../../adapters/smpp/inbound.ts';
import { toReceipt } from '../../../adapters/smpp/mapping.ts';
import { type BookHooks, ReceiptBook } from '../../../adapters/smpp/receipts/book.ts';
import type { PartRecord } from '../../../adapters/smpp/receipts/records.ts';
import { Rejoin } from '../../../adapters/smpp/rejoin.ts';
import { Repeats } from '../../../adapters/smpp/repeats.ts';
import { fakeHub } from '../../peers/hub.ts';
import { ours, theirs } from './event.ts';

export const phoneNumber = '447700900123';
export const ownNumber = '447700900001';

export type Heard = Sendable<'deliver_sm' | 'data_sm'>;

export async function receiving(more: Record<string, unknown> = {}, hooks: BookHooks = {}) {
  const hub = fakeHub();
  const settings = options.parse({ systemId: 'me', ...more });
  const now = () => hub.now();
  const book = new ReceiptBook(
    hub.state,
    settings,
    async (conclusion) => void (await hub.publish(toReceipt(conclusion))),
    now,
    hooks,
  );
  const rejoin = new Rejoin(
    hub.state,
    () => settings.rejoinWaitMs,
    (whole) => inbound.handOn(whole),
    now,
  );
  const rules = { shortCodeContext: 'carrier.invalid' };
  const inbound = new Inbound({ options: settings, rules, hub, book, rejoin, repeats: new Repeats(0, now) });
  await Promise.all([book.open(), rejoin.open()]);
  /** The SMSC `h` took part `i` of `n` of that event. */
  const accepted = (messageId: string, event = 'e1', i = 0, n = 1, h = '') => {
    const record: PartRecord = { h, e: event, f: ours, t: theirs, d: phoneNumber, o: [1, 1, ownNumber], i, n };
    return book.accepted(messageId, record, 3_600_000);
  };
  const hear = (pdu: Omit<Heard, 'sequence_number'>, host = '') => {
    const numbers = { source_addr: phoneNumber, destination_addr: ownNumber, source_addr_ton: 1, dest_addr_ton: 1 };
    const body = { ...numbers, ...pdu.body };
    const frame = encode({ ...pdu, sequence_number: 1, body });
    const decoded = decode(frame);
    if (isFault(decoded)) throw new Error(decoded.fault);
    return inbound.request(decoded as RequestPdu, frame, { host });
  };
  /** `e1 delivered`, in the order in which it was told. */
  const told = () => hub.draftsOf('receipt').map(({ of, state }) => `${of} ${state}`);
  return { hub, book, accepted, hear, told };
}
