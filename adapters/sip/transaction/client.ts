// Client transactions: non-INVITE (RFC 3261 s.17.1.2) and INVITE (s.17.1.1 with RFC 6026).
import { parseCSeq } from '../codec/cseq.ts';
import { encodeMessage, Headers, type SipRequest, type SipResponse } from '../codec/message.ts';
import type { Flow } from '../transport/flow.ts';
import { Clockwork, type TransactionParts } from './clockwork.ts';

export interface ClientUser {
  /** Each provisional response, and the final one; of an INVITE each 2xx. */
  onResponse(response: SipResponse): void;
  /** No final response will come. */
  onFailure(failure: 'timeout' | 'transport', cause?: Error): void;
}

export abstract class ClientTransaction extends Clockwork {
  readonly key: string;
  readonly flow: Flow;
  readonly bytes: Uint8Array;
  protected readonly user: ClientUser;

  constructor(parts: TransactionParts, key: string, bytes: Uint8Array, flow: Flow, user: ClientUser) {
    super(parts);
    this.key = key;
    this.flow = flow;
    this.bytes = bytes;
    this.user = user;
  }

  abstract start(): void;
  abstract receive(response: SipResponse): void;

  protected send(bytes: Uint8Array = this.bytes): void {
    this.flow.send(bytes, (error) => this.fail(error));
  }

  /** The transport has given up: nobody answers any more. */
  fail(error: Error): void {
    if (this.isAnswered) return;
    this.end();
    this.user.onFailure('transport', error);
  }

  protected abstract get isAnswered(): boolean;

  protected override onEnd(): void {
    if (!this.isAnswered) this.user.onFailure('timeout');
  }
}

export class NonInviteClient extends ClientTransaction {
  #state: 'trying' | 'proceeding' | 'completed' = 'trying';

  protected get isAnswered(): boolean {
    return this.#state === 'completed';
  }

  start(): void {
    const { t1 } = this.parts.timers;
    if (!this.flow.isReliable) this.repeatIn(t1); // Timer E
    this.endIn(64 * t1); // Timer F
    this.send();
  }

  // Timer K is not waited for: it keeps copies of the final response from whoever asked, and so does a branch that nobody knows.
  receive(response: SipResponse): void {
    if (response.status < 200) this.#state = 'proceeding';
    else {
      this.#state = 'completed';
      this.end();
    }
    this.user.onResponse(response);
  }

  protected override onRepeat(): void {
    const { t2 } = this.parts.timers;
    this.parts.retransmitted();
    this.repeatIn(this.#state === 'trying' ? Math.min(this.pauseMs * 2, t2) : t2);
    this.send();
  }
}

/** What an ACK is made from. */
interface Sent {
  request: SipRequest;
  via: string;
}

export class InviteClient extends ClientTransaction {
  readonly #sent: Sent;
  #state: 'calling' | 'proceeding' | 'completed' | 'accepted' = 'calling';
  #ack: Uint8Array | undefined;

  constructor(parts: TransactionParts, key: string, bytes: Uint8Array, flow: Flow, user: ClientUser, sent: Sent) {
    super(parts, key, bytes, flow, user);
    this.#sent = sent;
  }

  protected get isAnswered(): boolean {
    return this.#state === 'completed' || this.#state === 'accepted';
  }

  start(): void {
    const { t1 } = this.parts.timers;
    this.endIn(64 * t1); // Timer B
    if (!this.flow.isReliable) this.repeatIn(t1); // Timer A
    this.send();
  }

  receive(response: SipResponse): void {
    const { status } = response;
    if (this.#state === 'accepted') {
      // RFC 6026 s.7.2: each 2xx, of whatever fork, is for the user, who answers with its own ACK.
      if (status >= 200 && status < 300) this.user.onResponse(response);
    } else if (this.#state === 'completed') {
      if (status >= 300 && this.#ack) this.send(this.#ack);
    } else if (status < 200) {
      this.#state = 'proceeding';
      this.stopRepeating();
      this.endIn(Number.POSITIVE_INFINITY);
      this.user.onResponse(response);
    } else {
      this.#finish(response);
    }
  }

  #finish(response: SipResponse): void {
    this.stopRepeating();
    if (response.status < 300) {
      this.#state = 'accepted';
      this.endIn(64 * this.parts.timers.t1); // Timer M
    } else {
      this.#state = 'completed';
      this.#ack = encodeMessage(ackFor(this.#sent, response));
      this.send(this.#ack);
      this.endIn(this.flow.isReliable ? 0 : 64 * this.parts.timers.t1); // Timer D
    }
    this.user.onResponse(response);
  }

  protected override onRepeat(): void {
    this.parts.retransmitted();
    this.repeatIn(this.pauseMs * 2);
    this.send();
  }
}

/** s.17.1.1.3: the ACK for a response that is no 2xx, on the INVITE's own branch. */
function ackFor({ request: { uri, headers }, via }: Sent, response: SipResponse): SipRequest {
  const copied = new Headers();
  copied.add('Via', via);
  for (const route of headers.all('Route')) copied.add('Route', route);
  copied.add('Max-Forwards', headers.get('Max-Forwards') ?? '70');
  copied.add('From', headers.get('From') ?? '');
  copied.add('To', response.headers.get('To') ?? '');
  copied.add('Call-ID', headers.get('Call-ID') ?? '');
  copied.add('CSeq', `${parseCSeq(headers.get('CSeq') ?? '').number} ACK`);
  return { kind: 'request', method: 'ACK', uri, headers: copied, body: new Uint8Array(0) };
}
