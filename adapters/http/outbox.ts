// Events on their way to an application: inbound messages to its webhook or Kannel URL, receipts to where it asked for them.
import {
  type Delivery,
  GatewayError,
  type GatewayEvent,
  type Hub,
  type Message,
  type Receipt,
} from '../../src/contract/index.ts';
import type { Account, Accounts } from './accounts.ts';
import type { Callbacks } from './callbacks.ts';
import type { Ledger, Sent } from './ledger.ts';
import { messageJson, receiptJson } from './mapping/json.ts';
import { dlrOf, fillUrl, type UrlFacts } from './mapping/kannel.ts';
import { writtenOf } from './mapping/submission.ts';

export interface OutboxParts {
  hub: Hub;
  accounts: Accounts;
  callbacks: Callbacks;
  ledger: Ledger;
}

export class Outbox {
  readonly #parts: OutboxParts;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Throws GatewayError. */
  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    if (event.type === 'message') return this.#message(event, signal);
    if (event.type === 'receipt') return this.#receipt(event, signal);
    throw new GatewayError('unsupported', `no ${event.type} for an application`);
  }

  async #message(event: Message, signal: AbortSignal): Promise<Delivery> {
    const text = textOf(event);
    const account = this.#parts.accounts.ownerOf(event.to, text);
    if (!account) throw new GatewayError('not-found', `${writtenOf(event.to)} belongs to no account`);
    const { webhook, getUrl } = account.options;
    if (webhook) await this.#post(webhook, event.id, messageJson(event), signal);
    else if (getUrl !== undefined) await this.#ask(account, getUrl, event, text, signal);
    else
      throw new GatewayError(
        'unsupported',
        `account ${account.name} takes no messages: it has neither webhook nor getUrl`,
      );
    this.#parts.hub.metrics.count('callbacks_total', { account: account.name, type: 'message' });
    // It answered 2xx: the application has it, and there is no further device.
    return { state: 'delivered' };
  }

  async #ask(account: Account, getUrl: string, event: Message, text: string, signal: AbortSignal): Promise<void> {
    const { callbacks, hub } = this.#parts;
    const { attachments = [], sms } = event;
    // Octets are %b; what lies elsewhere is its address.
    const links = attachments.map(({ url }) => url).filter((url) => !url.startsWith('data:'));
    const said = [text, ...links].filter((part) => part !== '').join(' ');
    const facts = { ...this.#facts(account, event, said), binary: sms?.binary };
    const answer = await callbacks.get(fillUrl(getUrl, facts), signal);
    if (!account.options.replies || answer === '') return;
    const { from: to, to: from, id } = event;
    // A retry of the call answers once more; the same key says that it is the same answer.
    const reply = { type: 'message', from, to, text: { '': answer }, wants: [], dedupeKey: `reply/${id}` } as const;
    await hub.publish({ ...reply, wants: [] });
  }

  async #receipt(event: Receipt, signal: AbortSignal): Promise<Delivery> {
    const { accounts, ledger, hub } = this.#parts;
    const sent = await ledger.find(event.of);
    const account = sent && accounts.byName(sent.account);
    if (!sent || !account) return {};
    await ledger.keep(event.of, concluded(sent, event));
    const { webhook } = account.options;
    if (webhook) await this.#post(webhook, event.id, receiptJson(event), signal);
    await this.#report(account, sent, event, signal);
    hub.metrics.count('callbacks_total', { account: account.name, type: 'receipt' });
    return {};
  }

  async #report(account: Account, sent: Sent, event: Receipt, signal: AbortSignal): Promise<void> {
    const dlr = dlrOf(event, sent.wasSent);
    if (sent.dlrUrl === undefined || dlr === undefined || (sent.dlrMask & dlr) === 0) return;
    // As Kannel has it: %p is who the message was from, %P whom it was for.
    const { from, to } = sent;
    const facts = { ...this.#facts(account, event, event.text ?? ''), id: event.of, from, to, dlr };
    await this.#parts.callbacks.get(fillUrl(sent.dlrUrl, facts), signal);
  }

  #facts(account: Account, event: GatewayEvent, text: string): UrlFacts {
    const { from, to, id } = event;
    const at = Date.parse(event.at);
    return {
      from: writtenOf(from),
      to: writtenOf(to),
      text,
      id,
      account: account.name,
      smsc: this.#parts.hub.instance,
      at,
    };
  }

  async #post(
    webhook: { url: string; secret: string },
    event: string,
    value: object,
    signal: AbortSignal,
  ): Promise<void> {
    const { callbacks, hub } = this.#parts;
    const startedAt = performance.now();
    await callbacks.post(webhook.url, webhook.secret, event, value, signal);
    hub.metrics.observe('callback_ms', performance.now() - startedAt);
    hub.trace.hop(event, { direction: 'outbound', what: `POST ${new URL(webhook.url).host}` });
  }
}

/** What an application reads of it. */
export function textOf({ text }: Message): string {
  return text[''] ?? Object.values(text)[0] ?? '';
}

/** The first ending stands; `unknown` may be bettered. */
function concluded(sent: Sent, { state, reason, text }: Receipt): Sent {
  const isEnded = ['delivered', 'displayed', 'failed', 'expired'].includes(sent.state);
  const next = isEnded && state !== 'displayed' ? sent.state : state;
  return {
    ...sent,
    state: next,
    wasSent: sent.wasSent || state === 'sent' || state === 'delivered' || state === 'displayed',
    ...(reason === undefined ? {} : { reason }),
    ...(text === undefined ? {} : { text }),
  };
}
