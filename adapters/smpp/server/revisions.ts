// What an ESME asks about a message that it handed in: how it fares (s.4.8), to take it back (s.4.9), to say it anew (s.4.10).
import { asGatewayError, type DraftOf } from '../../../src/contract/index.ts';
import { versions } from '../binds/versions.ts';
import { formatTime, type PduOf } from '../codec/index.ts';
import type { Answer } from '../exchange.ts';
import { contentOf } from '../text/index.ts';
import type { Account } from './account.ts';
import type { Connection } from './connection.ts';
import { type Entry, nameOf, parseId } from './ledger.ts';
import { headOf, withContent } from './mapping.ts';
import { isFinal, messageStates, Refusal, type StateWord, submitStatuses } from './statuses.ts';
import { readInstants } from './submission.ts';
import { takeBack, type WithdrawalParts } from './withdrawal.ts';

const registeredBits = 0x1f;

export class Revisions {
  readonly #parts: WithdrawalParts;

  constructor(parts: WithdrawalParts) {
    this.#parts = parts;
  }

  async query({ account, version }: Connection, { body }: PduOf<'query_sm'>): Promise<Answer> {
    const entries = account ? await this.#find(account, body.message_id, body.source_addr) : [];
    // Of a submit_multi: one that is still on its way, if there is one.
    const entry = entries.find(({ state }) => !isFinal(state)) ?? entries[0];
    if (!entry) return { status: 'ESME_RINVMSGID' };
    const { doneAt, error = 0 } = entry;
    return {
      status: 'ESME_ROK',
      body: {
        message_id: body.message_id,
        final_date: doneAt === undefined ? '' : formatTime(doneAt),
        message_state: messageStates[this.#stateOf(entry, version)],
        error_code: error,
      },
    };
  }

  async cancel({ account }: Connection, { body }: PduOf<'cancel_sm'>): Promise<Answer> {
    if (!account) return { status: 'ESME_RINVBNDSTS' };
    if (body.message_id === '') {
      const { source_addr: source, destination_addr: destination, service_type: serviceType } = body;
      const anyType = serviceType === '' ? {} : { serviceType };
      const names = this.#parts.agenda.matching({ account: account.name, source, destination, ...anyType });
      const outcomes = await Promise.all(names.map((name) => takeBack(name, this.#parts)));
      return { status: outcomes.includes(true) ? 'ESME_ROK' : 'ESME_RCANCELFAIL' };
    }
    const entries = await this.#find(account, body.message_id, body.source_addr);
    if (entries.length === 0) return { status: 'ESME_RINVMSGID' };
    const isTheirs = ({ destination }: Entry) =>
      body.destination_addr === '' || destination.addr === body.destination_addr;
    const meant = entries.filter(isTheirs);
    const outcomes = await Promise.all(meant.map((entry) => takeBack(entry.whole ?? nameOf(entry), this.#parts)));
    return { status: outcomes.length > 0 && outcomes.every(Boolean) ? 'ESME_ROK' : 'ESME_RCANCELFAIL' };
  }

  /** Throws Refusal. */
  async replace({ account }: Connection, { body }: PduOf<'replace_sm'>): Promise<Answer> {
    if (!account) return { status: 'ESME_RINVBNDSTS' };
    if (body.sm_default_msg_id !== 0) return { status: 'ESME_RINVDFTMSGID' };
    if ((body.registered_delivery & ~registeredBits) !== 0) return { status: 'ESME_RINVREGDLVFLG' };
    if (body.short_message.length === 0) return { status: 'ESME_RINVMSGLEN' };
    const entries = await this.#find(account, body.message_id, body.source_addr);
    if (entries.length === 0) return { status: 'ESME_RINVMSGID' };
    const { hub } = this.#parts;
    const times = readInstants(body.schedule_delivery_time, body.validity_period, hub.now());
    const [only] = entries;
    let isReplaced = false;
    if (only && entries.length === 1) {
      await this.#parts.ledger.change(nameOf(only), async (entry) => {
        isReplaced = await this.#replaceOne(account, entry, body, times);
        return isReplaced;
      });
    }
    return { status: isReplaced ? 'ESME_ROK' : 'ESME_RREPLACEFAIL' };
  }

  /** The new text waits before the old one is taken back: at no time is there none. */
  async #replaceOne(
    account: Account,
    entry: Entry,
    body: PduOf<'replace_sm'>['body'],
    { notBefore, expiresAt }: { notBefore?: number; expiresAt?: number },
  ): Promise<boolean> {
    const { hub, agenda } = this.#parts;
    const { draft, event, dataCoding = 0 } = entry;
    const dueAt = notBefore ?? entry.dueAt;
    const { alphabet0 } = account.options;
    const piece = { payload: body.short_message, dataCoding };
    const content = contentOf([piece], alphabet0);
    if (!draft || event === undefined || dueAt === undefined || entry.parts || content.binary) return false;
    const bare: DraftOf<'message'> = {
      ...draft,
      notBefore: new Date(dueAt).toISOString(),
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
    };
    const published = await hub.publish(withContent(bare, content)).catch((thrown: unknown) => {
      const error = asGatewayError(thrown);
      throw new Refusal(submitStatuses[error.reason], error.message);
    });
    if (!(await hub.withdraw(event))) {
      await hub.withdraw(published.id);
      return false;
    }
    Object.assign(entry, {
      draft: bare,
      event: published.id,
      dueAt,
      registered: body.registered_delivery,
      head: headOf(piece, alphabet0),
    });
    await agenda.add(entry, dueAt);
    return true;
  }

  /** All recipients of that message_id, when it is this account's and that sender's. */
  async #find(account: Account, messageId: string, source: string): Promise<Entry[]> {
    const id = parseId(messageId, account.options.messageIds);
    if (id === undefined) return [];
    const isTheirs = (entry: Entry) =>
      entry.account === account.name && (source === '' || source === entry.source.addr);
    return (await this.#parts.ledger.all(id)).filter(isTheirs);
  }

  #stateOf({ state, dueAt = 0 }: Entry, version: number): StateWord {
    const isWaiting = state === 'SCHEDULED' && dueAt > this.#parts.hub.now();
    if (state !== 'SCHEDULED') return state;
    // 3.4 has no word for it.
    return isWaiting && version >= versions.v50 ? 'SCHEDULED' : 'ENROUTE';
  }
}
