// What an application submits, on its way to the hub: one message a recipient, each with an id that it can be asked for by.
import { createHash, randomUUID } from 'node:crypto';
import {
  type Address,
  asGatewayError,
  type DraftOf,
  GatewayError,
  type Hub,
  type PhoneRules,
} from '../../src/contract/index.ts';
import type { Account, Accounts } from './accounts.ts';
import type { Ledger, Sent } from './ledger.ts';
import { recipientOf, type Submission, writtenOf } from './mapping/submission.ts';

export interface InboxParts {
  hub: Hub;
  accounts: Accounts;
  ledger: Ledger;
  rules: PhoneRules;
  maxRecipients: number;
}

export interface Outcome {
  readonly to: string;
  readonly id?: string;
  readonly error?: GatewayError;
}

export class Inbox {
  readonly #parts: InboxParts;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  /**
   * Resolves, once it is durable, with what became of it for each recipient. `key` names the request: the same again is
   * the same messages. Throws GatewayError when nothing of it can be taken.
   */
  async submit(account: Account, submission: Submission, key?: string): Promise<Outcome[]> {
    const { accounts, maxRecipients } = this.#parts;
    const { to } = submission;
    if (to.length > maxRecipients)
      throw new GatewayError('too-large', `to: at most ${maxRecipients} recipients a request`);
    const from = accounts.senderOf(account, submission.from);
    refuseHost(account, submission.dlrUrl);
    accounts.spend(account, to.length);
    const recipients = [...new Set(to)];
    return Promise.all(recipients.map((recipient) => this.#send(account, submission, from, recipient, key)));
  }

  /** Undefined when the account has sent nothing of that id. */
  async find({ name }: Account, id: string): Promise<Sent | undefined> {
    const sent = await this.#parts.ledger.find(id);
    return sent?.account === name ? sent : undefined;
  }

  /** Takes back what waits for its time. False when it is out. */
  async withdraw(account: Account, id: string): Promise<boolean> {
    const { hub, ledger } = this.#parts;
    const sent = await this.find(account, id);
    if (sent?.event === undefined || !(await hub.withdraw(sent.event))) return false;
    await ledger.keep(id, { ...sent, state: 'withdrawn' });
    return true;
  }

  async #send(account: Account, submission: Submission, from: Address, text: string, key?: string): Promise<Outcome> {
    const { ledger, rules } = this.#parts;
    const id = key === undefined ? `m${randomUUID().replaceAll('-', '')}` : idOf(account.name, key, text);
    try {
      const to = recipientOf(text, rules);
      const sent = this.#recordOf(account, submission, from, to, key);
      const known = key === undefined ? undefined : await ledger.claim(id, sent);
      if (known?.digest !== undefined && known.digest !== sent.digest)
        throw new GatewayError('unsupported', 'Idempotency-Key: another message had this one');
      const draft: DraftOf<'message'> = { type: 'message', from, to, nativeId: id, ...submission.message };
      // A crash may have left a record without its message; the hub knows whether it has it.
      if (!known || known.state === 'queued') await this.#publish(draft, sent, known);
      return { to: text, id };
    } catch (thrown) {
      return { to: text, error: asGatewayError(thrown) };
    }
  }

  #recordOf(account: Account, submission: Submission, from: Address, to: Address, key?: string): Sent {
    const { dlrMask, dlrUrl = account.options.dlrUrl } = submission;
    return {
      account: account.name,
      from: writtenOf(from),
      to: writtenOf(to),
      at: this.#parts.hub.now(),
      state: 'queued',
      wasSent: false,
      dlrMask,
      ...(dlrUrl === undefined ? {} : { dlrUrl }),
      ...(key === undefined ? {} : { digest: digestOf(submission) }),
    };
  }

  /** `known`: what an earlier request of the same key recorded. */
  async #publish(draft: DraftOf<'message'>, fresh: Sent, known: Sent | undefined): Promise<void> {
    const { hub, ledger } = this.#parts;
    const { nativeId: id = '', notBefore } = draft;
    const sent = known ?? fresh;
    const isKeyed = fresh.digest !== undefined;
    // On its way to the store before the message is, so that no receipt can be quicker. Where the store refuses it and takes
    // the message, it is asked again.
    const keeping = isKeyed ? Promise.resolve() : ledger.keep(id, sent);
    const kept = keeping.then(
      () => true,
      () => false,
    );
    try {
      const published = await hub.publish(isKeyed ? { ...draft, dedupeKey: id } : draft);
      if (!(await kept)) await ledger.keep(id, sent);
      if (notBefore !== undefined && sent.event === undefined) await ledger.keep(id, { ...sent, event: published.id });
    } catch (error) {
      await kept;
      if (!known) await ledger.forget(id);
      throw error;
    }
  }
}

function digestOf({ from, message }: Submission): string {
  return createHash('sha256')
    .update(JSON.stringify([from, message]))
    .digest('base64url')
    .slice(0, 16);
}

function idOf(account: string, key: string, to: string): string {
  return `m${createHash('sha256')
    .update(JSON.stringify([account, key, to]))
    .digest('hex')
    .slice(0, 32)}`;
}

function refuseHost({ name, options: { callbackHosts } }: Account, dlrUrl: string | undefined): void {
  if (dlrUrl === undefined) return;
  const url = URL.parse(dlrUrl.replace(/%[a-zA-Z](?![0-9a-fA-F])/g, 'x'));
  if (!url || !/^https?:$/.test(url.protocol)) throw new GatewayError('malformed', 'dlr-url: an http: or https: URL');
  if (callbackHosts === undefined || callbackHosts.includes(url.hostname)) return;
  throw new GatewayError('not-allowed', `dlr-url: ${url.hostname} is not among the callbackHosts of account ${name}`);
}
