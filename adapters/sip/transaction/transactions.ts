// The table of live transactions: new requests out, and every message in to the one it belongs to.
import { createResponse, encodeMessage, type SipMessage, type SipRequest, type SipResponse } from '../codec/message.ts';
import { noParameters, type Parameters } from '../codec/parameters.ts';
import { formatVia, type Via } from '../codec/via.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { newBranch, newTag } from '../tokens.ts';
import type { Flow } from '../transport/flow.ts';
import { type ClientTransaction, type ClientUser, InviteClient, NonInviteClient } from './client.ts';
import type { TimerValues, TransactionParts } from './clockwork.ts';
import { cancelledKeys, clientKey, loopMark, mergedKey, responseKey, serverKey } from './keys.ts';
import { InviteServer, NonInviteServer, type ReplyWay, type ServerTransaction } from './server.ts';

export interface TransactionUser {
  /** A new request: answer through `transaction.respond`. */
  onRequest(request: SipRequest, transaction: ServerTransaction): void;
  /** The ACK for a 2xx. */
  onAck(ack: SipRequest): void;
  retransmitted(): void;
}

export interface TransactionOptions {
  timers: TimerValues;
  /** Requests beyond this many are answered 503 without being kept. */
  maxServerTransactions: number;
  /** Opens a flow for a response whose connection has closed. */
  replyFlow(request: SipRequest): Promise<Flow>;
}

/** RFC 5923 s.4 */
const offeringAlias: Parameters = new Map([['alias', undefined]]);

export class Transactions {
  readonly #options: TransactionOptions;
  readonly #user: TransactionUser;
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #merged = new Map<string, ServerTransaction>();
  readonly #clients = new Map<string, ClientTransaction>();
  /** Those that die with their connection. */
  readonly #byFlow = new Map<Flow, Set<ClientTransaction>>();
  readonly #serverParts: TransactionParts;
  readonly #clientParts: TransactionParts;

  constructor(wheel: TimerWheel, user: TransactionUser, options: TransactionOptions) {
    this.#options = options;
    this.#user = user;
    const { timers } = options;
    const retransmitted = () => user.retransmitted();
    this.#clientParts = { wheel, timers, retransmitted, ended: (it) => this.#forgetClient(it as ClientTransaction) };
    this.#serverParts = { wheel, timers, retransmitted, ended: (it) => this.#forgetServer(it as ServerTransaction) };
  }

  get serverCount(): number {
    return this.#servers.size;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Sends a request under a Via of its own, which its headers do not show. */
  request(request: SipRequest, flow: Flow, user: ClientUser): ClientTransaction {
    const branch = newBranch(loopMark(request));
    const { host, port } = flow.sentBy;
    const parameters = flow.offersAlias ? offeringAlias : noParameters;
    const via = formatVia({ transport: flow.transport, host, port, branch, rport: true, parameters });
    const bytes = encodeMessage(request, via);
    const key = clientKey(branch, request.method);
    const transaction =
      request.method === 'INVITE'
        ? new InviteClient(this.#clientParts, key, bytes, flow, user, { request, via })
        : new NonInviteClient(this.#clientParts, key, bytes, flow, user);
    this.#clients.set(key, transaction);
    if (flow.isReliable) this.#addToFlow(flow, transaction);
    transaction.start();
    return transaction;
  }

  /** `via` is a request's topmost, where somebody has read it already. */
  receive(message: SipMessage, flow: Flow, via?: Via): void {
    if (message.kind === 'response') this.#receiveResponse(message, flow);
    else this.#receiveRequest(message, flow, via);
  }

  /** What was under way over a connection that closed will not be answered. */
  closed(flow: Flow): void {
    for (const transaction of [...(this.#byFlow.get(flow) ?? [])]) transaction.fail(new Error('the connection closed'));
  }

  stop(): void {
    for (const transaction of [...this.#clients.values()]) transaction.fail(new Error('stopped'));
    for (const transaction of [...this.#servers.values()]) transaction.end();
  }

  #addToFlow(flow: Flow, transaction: ClientTransaction): void {
    const others = this.#byFlow.get(flow);
    if (others) others.add(transaction);
    else this.#byFlow.set(flow, new Set([transaction]));
  }

  #receiveResponse(response: SipResponse, flow: Flow): void {
    const transaction = this.#clients.get(responseKey(response));
    // A stray response has nowhere to go; one by another connection is not from whom we asked.
    if (!transaction || (transaction.flow.isReliable && transaction.flow !== flow)) return;
    transaction.receive(response);
  }

  #receiveRequest(request: SipRequest, flow: Flow, via: Readonly<Via> | undefined): void {
    const key = serverKey(request, via);
    const known = this.#servers.get(key);
    if (known) {
      known.repeat(request);
      return;
    }
    if (request.method === 'ACK') {
      this.#user.onAck(request);
      return;
    }
    if (this.#servers.size >= this.#options.maxServerTransactions) {
      this.#refuse(request, flow, 503, 'Retry-After', '10');
      return;
    }
    // s.9.2: too late for whatever it cancels, and answered all the same.
    if (request.method === 'CANCEL' && cancelledKeys(request, via).some((one) => this.#servers.has(one))) {
      this.#refuse(request, flow, 200);
      return;
    }
    const merged = mergedKey(request);
    if (merged !== undefined && request.method !== 'CANCEL' && this.#merged.has(merged)) {
      this.#refuse(request, flow, 482);
      return;
    }
    this.#begin(request, flow, key, merged);
  }

  #begin(request: SipRequest, flow: Flow, key: string, merged: string | undefined): void {
    const at = { key, mergedKey: merged, flow, way: this.#wayBack(request, flow) };
    const transaction =
      request.method === 'INVITE'
        ? new InviteServer(this.#serverParts, at, request, (ack) => this.#user.onAck(ack))
        : new NonInviteServer(this.#serverParts, at, request);
    this.#servers.set(key, transaction);
    if (merged !== undefined) this.#merged.set(merged, transaction);
    this.#user.onRequest(request, transaction);
  }

  #forgetClient(transaction: ClientTransaction): void {
    this.#clients.delete(transaction.key);
    const others = this.#byFlow.get(transaction.flow);
    others?.delete(transaction);
    if (others?.size === 0) this.#byFlow.delete(transaction.flow);
  }

  #forgetServer(transaction: ServerTransaction): void {
    this.#servers.delete(transaction.key);
    const { mergedKey: merged } = transaction;
    if (merged !== undefined && this.#merged.get(merged) === transaction) this.#merged.delete(merged);
  }

  // Kept by nobody: the same request again gets the same answer again.
  #refuse(request: SipRequest, flow: Flow, status: number, name?: string, value?: string): void {
    const response = createResponse(request, status, { toTag: newTag() });
    if (name !== undefined && value !== undefined) response.headers.add(name, value);
    this.#wayBack(request, flow).send(encodeMessage(response), () => {});
  }

  // s.18.2.2: over the connection the request came by; when that is gone, a new one to where its Via says.
  #wayBack(request: SipRequest, flow: Flow): ReplyWay {
    return flow.isReliable ? new ConnectionWay(flow, () => this.#options.replyFlow(request)) : flow;
  }
}

class ConnectionWay implements ReplyWay {
  readonly isReliable = true;
  readonly #flow: Flow;
  readonly #reopen: () => Promise<Flow>;

  constructor(flow: Flow, reopen: () => Promise<Flow>) {
    this.#flow = flow;
    this.#reopen = reopen;
  }

  send(bytes: Uint8Array, onError: (error: Error) => void): void {
    if (this.#flow.isOpen) this.#flow.send(bytes, onError);
    else this.#reopen().then((flow) => flow.send(bytes, onError), onError);
  }
}
