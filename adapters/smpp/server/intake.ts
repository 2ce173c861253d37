// Messages from ESMEs: each is in the ledger before it is published, a part is durable before it is answered, and a long
// text is published once, when its last part is there.
import { asGatewayError, type DraftOf, type GatewayError, type Hub } from '../../../src/contract/index.ts';
import type { SmeAddress } from '../addresses.ts';
import { textRanges } from '../codec/index.ts';
import { Rejoin, type Whole } from '../rejoin.ts';
import { contentOf, type PartOf } from '../text/index.ts';
import type { Account, Accounts } from './account.ts';
import type { Agenda } from './agenda.ts';
import { type Entry, type Ledger, nameOf } from './ledger.ts';
import { headOf, toDraft, withContent } from './mapping.ts';
import type { Owed } from './owed.ts';
import { networkErrors, Refusal, stateOf, submitStatuses } from './statuses.ts';
import type { Submission } from './submission.ts';
import { takeBack } from './withdrawal.ts';

export interface IntakeParts {
  readonly hub: Hub;
  readonly accounts: Accounts;
  readonly ledger: Ledger;
  readonly agenda: Agenda;
  readonly owed: Owed;
  readonly rejoinWaitMs: () => number;
}

/** Without what it says. */
type Bare = DraftOf<'message'>;

/** One message to one recipient, as it came. */
export interface Handed {
  readonly account: Account;
  readonly submission: Submission;
  readonly destination: SmeAddress;
  readonly id: number;
  readonly place?: number;
  readonly what: string;
  readonly frame: Buffer;
}

export class Intake {
  readonly #parts: IntakeParts;
  readonly rejoin: Rejoin;
  /** Parts whose answer is still ours to choose. */
  readonly #answering = new Set<string>();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    const { hub, rejoinWaitMs } = parts;
    // Each submit_sm is a message of its own, however like an earlier one.
    this.rejoin = new Rejoin(
      hub.state,
      rejoinWaitMs,
      (whole) => this.#handOn(whole),
      () => hub.now(),
      false,
    );
  }

  /** Resolves once it is durable. Throws Refusal. */
  async take(handed: Handed): Promise<void> {
    const { account, submission, destination, id, place } = handed;
    const from = account.senderOf(submission.source);
    if (!from) throw new Refusal('ESME_RINVSRCADR', 'not a sender of this account');
    const to = account.recipientOf(destination);
    if (!to) throw new Refusal('ESME_RINVDSTADR', 'nobody, or nobody that this account may write to');
    const { ledger } = this.#parts;
    const { tracked, alphabet0 } = account.options;
    const { source, serviceType, registered, piece } = submission;
    const name = nameOf(place === undefined ? { id } : { id, place });
    const entry: Entry = {
      id,
      ...(place === undefined ? {} : { place }),
      account: account.name,
      source,
      destination,
      serviceType,
      registered,
      at: this.#parts.hub.now(),
      head: registered === 0 ? '' : headOf(piece, alphabet0),
      state: 'ENROUTE',
    };
    const draft = toDraft(submission, { from, to, nativeId: nativeIdOf(account.name, name) }, tracked);
    try {
      const { part } = submission;
      if (part) await this.#takePart(handed, part, entry, draft);
      else await this.#takeWhole(handed, entry, draft);
    } catch (thrown) {
      await ledger.forget(name).catch(() => {});
      const error = asGatewayError(thrown);
      throw new Refusal(submitStatuses[error.reason], error.message);
    }
  }

  async #takeWhole({ account, submission, what, frame }: Handed, entry: Entry, bare: Bare): Promise<void> {
    const { hub, ledger } = this.#parts;
    const { piece, notBefore } = submission;
    const draft = withContent(bare, contentOf([piece], account.options.alphabet0));
    await ledger.put(entry);
    const former = this.#replacedBy(entry, bare);
    const { id: event } = await hub.publish(draft);
    await this.#withdrawAll(former);
    hub.trace.hop(event, { direction: 'inbound', what, wire: frame, hidden: textRanges(frame) });
    const { dataCoding } = piece;
    if (notBefore !== undefined) await this.#schedule({ ...entry, draft: bare, dataCoding }, event, notBefore);
  }

  async #takePart({ account, submission }: Handed, part: PartOf, entry: Entry, draft: Bare): Promise<void> {
    const { piece, source } = submission;
    await this.#parts.ledger.put({ ...entry, draft });
    const name = nameOf(entry);
    const reference = `${account.name} ${part.reference}`;
    this.#answering.add(name);
    try {
      await this.rejoin.add({ ...part, ...piece, reference, source, destination: entry.destination, note: name });
    } finally {
      this.#answering.delete(name);
    }
  }

  /** A whole text, complete or with gaps. Throws GatewayError. */
  async #handOn({ pieces, notes, key }: Whole): Promise<void> {
    const { hub, ledger, accounts } = this.#parts;
    const names = [...notes];
    const entries = (await Promise.all(names.map((name) => ledger.get(name)))).filter((entry) => entry !== undefined);
    const first = entries.find(({ draft }) => draft !== undefined);
    // Nobody waits for it any more, or the account is gone.
    const account = first && accounts.get(first.account);
    if (!first?.draft || !account) return;
    const wants = new Set(entries.flatMap(({ draft }) => draft?.wants ?? []));
    const bare = { ...first.draft, wants: [...wants], dedupeKey: key };
    const draft = withContent(bare, contentOf(pieces, account.options.alphabet0));
    await ledger.put({ ...first, parts: names });
    const former = this.#replacedBy(first, draft);
    try {
      const { id: event } = await hub.publish(draft);
      await this.#withdrawAll(former);
      const what = `the last of ${pieces.length} parts`;
      hub.trace.hop(event, { direction: 'inbound', what });
      if (draft.notBefore !== undefined) await this.#scheduleAll(first, names, event, Date.parse(draft.notBefore));
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (error.isFinal) await this.#concludeRefused(names, error);
      throw error;
    }
  }

  /** s.5.2.18: what still waits between the same addresses, of the same service_type. */
  #replacedBy({ account, source, destination, serviceType }: Entry, { sms }: Bare): string[] {
    if (!sms?.replaceIfPresent) return [];
    return this.#parts.agenda.matching({ account, source: source.addr, destination: destination.addr, serviceType });
  }

  /** Once the new one is safe: at no time is there none. One that has left meanwhile has left. */
  async #withdrawAll(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => takeBack(name, this.#parts)));
  }

  /** The parts that were taken already end here, and their ESME is told. */
  async #concludeRefused(names: readonly string[], { reason }: GatewayError): Promise<void> {
    const { hub, ledger, owed } = this.#parts;
    for (const name of names) {
      if (this.#answering.has(name)) continue;
      const state = stateOf({ state: 'failed', reason });
      const entry = await ledger.settle(name, state, hub.now(), networkErrors[reason]);
      if (entry) await owed.add(entry, reason);
    }
  }

  async #scheduleAll(first: Entry, names: readonly string[], event: string, dueAt: number): Promise<void> {
    const { ledger } = this.#parts;
    await this.#schedule({ ...first, parts: [...names] }, event, dueAt);
    const whole = nameOf(first);
    for (const name of names) {
      if (name === whole) continue;
      await ledger.change(name, (entry) => {
        entry.whole = whole;
        entry.state = 'SCHEDULED';
        return true;
      });
    }
  }

  async #schedule(entry: Entry, event: string, dueAt: number): Promise<void> {
    await this.#parts.ledger.put({ ...entry, event, dueAt, state: 'SCHEDULED' });
    await this.#parts.agenda.add(entry, dueAt);
  }
}

/** What the hub calls a message of ours by: its account stands before it, so that a receipt's way needs no look-up. */
export function nativeIdOf(account: string, name: string): string {
  return `${account}:${name}`;
}

/** Undefined for what is none of ours. */
export function readNativeId(id: string): { account: string; name: string } | undefined {
  const colon = id.lastIndexOf(':');
  return colon < 1 ? undefined : { account: id.slice(0, colon), name: id.slice(colon + 1) };
}
