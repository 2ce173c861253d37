// To the ESMEs: messages for their numbers, and receipts of what they handed in. Over whichever bind is freest; who is away
// gets nothing now, and the hub keeps it.
import {
  type Delivery,
  type FailureReason,
  GatewayError,
  type Hub,
  type Message,
  type Receipt,
} from '../../../src/contract/index.ts';
import { RecentMap } from '../../../src/guards/recent-map.ts';
import { statuses, statusName, textRanges } from '../codec/index.ts';
import { statusError } from '../errors.ts';
import { type Exchange, measure, SessionError } from '../exchange.ts';
import type { Account, Accounts } from './account.ts';
import type { Connection } from './connection.ts';
import { readNativeId } from './intake.ts';
import type { Ledger } from './ledger.ts';
import { type DeliverPdu, isAsked, toDeliverPdus, toReceiptPdu } from './mapping.ts';
import { isFinal, networkErrors, stateOf } from './statuses.ts';
import type { Transactions } from './transactions.ts';

/** How far the attempts at one event came. */
interface Progress {
  readonly reference: number;
  readonly taken: Set<number>;
}

// How soon an ESME that comes back hears of what waits for it.
const awayMs = 2000;
const maxUnderWay = 10_000;
const referenceMs = 3 * 86_400_000;
const never = new AbortController().signal;

export interface OutboundParts {
  readonly hub: Hub;
  readonly accounts: Accounts;
  readonly ledger: Ledger;
  readonly transactions: Transactions;
  /** Something waits for an account that is not there. */
  readonly wake: (account: Account) => void;
  /** The account took something where it was called. */
  readonly served: (account: string) => void;
}

export class Outbound {
  readonly #hub: Hub;
  readonly #accounts: Accounts;
  readonly #ledger: Ledger;
  readonly #transactions: Transactions;
  readonly #wake: OutboundParts['wake'];
  readonly #served: OutboundParts['served'];
  readonly #underWay = new RecentMap<string, Progress>(maxUnderWay);

  constructor({ hub, accounts, ledger, transactions, wake, served }: OutboundParts) {
    this.#hub = hub;
    this.#accounts = accounts;
    this.#ledger = ledger;
    this.#transactions = transactions;
    this.#wake = wake;
    this.#served = served;
  }

  async message(event: Message, signal: AbortSignal): Promise<Delivery> {
    const account = this.#accounts.ownerOf(event.to);
    if (!account) throw new GatewayError('not-found', `no account has ${event.to}`);
    const { options } = account;
    const known = this.#underWay.get(event.id);
    let reference = known?.reference ?? 0;
    let bind = this.#receiverOf(account);
    let pdus = toDeliverPdus(event, { options, takesTlvs: bind.takesTlvs, reference });
    if (pdus.length > 1 && !known) {
      reference = await this.#reference(event);
      // Chosen in the turn in which it is used, so that it is the freest.
      bind = this.#receiverOf(account);
      pdus = toDeliverPdus(event, { options, takesTlvs: bind.takesTlvs, reference });
    }
    await this.#sendAll(event.id, bind, pdus, { reference, taken: known?.taken ?? new Set() }, signal);
    // The application is whom it was for.
    return { state: 'delivered', facts: { parts: pdus.length, account: account.name } };
  }

  async receipt(event: Receipt, signal: AbortSignal): Promise<Delivery> {
    const native = readNativeId(event.of);
    const entry = native && (await this.#ledger.get(native.name));
    if (!entry) {
      this.#hub.metrics.count('receipts_total', { found: 'unknown' });
      return {};
    }
    const word = stateOf(event);
    const names = entry.parts ?? [native.name];
    const error = event.reason === undefined ? undefined : networkErrors[event.reason];
    const settle = (name: string) =>
      this.#ledger.settle(name, word, this.#hub.now(), isFinal(word) ? error : undefined);
    const entries = (await Promise.all(names.map(settle))).filter((one) => one !== undefined);
    const asked = entries.filter(({ registered }) => isAsked(registered, event.state, word));
    const account = this.#accounts.get(entry.account);
    if (this.#transactions.told(native.name, event) || asked.length === 0 || !account) return {};
    const pdus = asked.map((one) => toReceiptPdu(one, event, word, account.options, this.#hub.now()));
    const progress = this.#underWay.get(event.id) ?? { reference: 0, taken: new Set<number>() };
    await this.#sendAll(event.id, this.#receiverOf(account), pdus, progress, signal);
    this.#hub.metrics.count('receipts_total', { found: 'known' });
    return {};
  }

  /** The receipt of one part that ended here. Throws GatewayError. */
  async tell(account: Account, name: string, reason: FailureReason): Promise<void> {
    const entry = await this.#ledger.get(name);
    if (!entry) return;
    const failed = { state: 'failed', reason } as const;
    const pdu = toReceiptPdu(entry, failed, stateOf(failed), account.options, this.#hub.now());
    await this.#send(name, this.#receiverOf(account), pdu, never);
  }

  // One after the other: the rest of a message that is refused would be a fragment.
  async #sendAll(event: string, bind: Connection, pdus: DeliverPdu[], progress: Progress, signal: AbortSignal) {
    if (pdus.length > 1) this.#underWay.set(event, progress);
    try {
      for (const [index, pdu] of pdus.entries()) {
        if (progress.taken.has(index)) continue;
        await this.#send(event, bind, pdu, signal);
        progress.taken.add(index);
      }
    } catch (error) {
      if (error instanceof GatewayError && error.isFinal) this.#underWay.delete(event);
      throw error;
    }
    this.#underWay.delete(event);
  }

  async #send(event: string, bind: Connection, { command, body, tlvs }: DeliverPdu, signal: AbortSignal) {
    const exchange = await bind.send(command, body, tlvs, signal).catch((error: unknown) => {
      throw failureOf(error);
    });
    this.#trace(event, command, exchange);
    const status = exchange.response.command_status;
    this.#hub.metrics.count('delivers_total', { bind: exchange.bind, status: statusName(status) });
    measure(exchange, this.#hub);
    if (status === statuses.ESME_ROK) {
      if (bind.origin.calledFor !== undefined) this.#served(bind.origin.calledFor);
      return;
    }
    const { reason, native = '' } = statusError(status);
    throw new GatewayError(reason, `the application did not take it (${native})`, { native });
  }

  #trace(event: string, command: string, { request, response, frame }: Exchange): void {
    const { trace } = this.#hub;
    trace.hop(event, { direction: 'outbound', what: command, wire: request, hidden: textRanges(request) });
    const what = `${response.command} ${statusName(response.command_status)}`;
    trace.hop(event, { direction: 'inbound', what, wire: frame });
  }

  #receiverOf(account: Account): Connection {
    const [bind] = account.receivers();
    if (bind) return bind;
    this.#wake(account);
    throw new GatewayError('unavailable', `${account.name} is not bound to receive`, { retryAfterMs: awayMs });
  }

  /** TS 23.040 s.9.2.3.24.1: each text between two numbers has its own. */
  #reference({ from, to }: Message): Promise<number> {
    return this.#hub.state.increment(`reference/${from}/${to}`, 1, referenceMs);
  }
}

function failureOf(error: unknown): unknown {
  if (error instanceof SessionError) return new GatewayError('unavailable', error.message);
  if (error instanceof RangeError) return new GatewayError('malformed', `SMPP cannot say it: ${error.message}`);
  return error;
}
