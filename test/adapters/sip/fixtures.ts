// A clock that the test moves, a flow that keeps what it was given, and messages to put through them.
import { decodeMessage, type SipRequest, type SipResponse } from '../../../adapters/sip/codec/message.ts';
import { TimerWheel } from '../../../adapters/sip/timer-wheel.ts';
import type { Endpoint, Flow, TransportName } from '../../../adapters/sip/transport/flow.ts';

export class FakeClock {
  now = 1_000_000;
  readonly wheel = new TimerWheel(
    () => this.now,
    () => () => {},
  );

  /** In steps of one wheel tick, as the real alarm would. */
  advance(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(this.now + 10, end);
      this.wheel.advance();
    }
  }
}

export function fakeClock(): FakeClock {
  return new FakeClock();
}

export class FakeFlow implements Flow {
  readonly id = 'fake';
  readonly transport: TransportName;
  readonly isReliable: boolean;
  readonly remote: Endpoint;
  readonly sentBy = { host: '192.0.2.1', port: 5060 };
  isOpen = true;
  /** Each copy, with when it left. */
  readonly sent: Array<{ at: number; text: string; bytes: Uint8Array }> = [];
  readonly #clock: { now: number };

  constructor(clock: { now: number }, transport: TransportName = 'UDP', remote = { address: '192.0.2.9', port: 5060 }) {
    this.#clock = clock;
    this.transport = transport;
    this.isReliable = transport !== 'UDP';
    this.remote = remote;
  }

  send(bytes: Uint8Array): void {
    this.sent.push({ at: this.#clock.now, text: Buffer.from(bytes).toString(), bytes });
  }

  at(): Flow {
    return this;
  }

  close(): void {
    this.isOpen = false;
  }

  /** Statuses sent, in order. */
  get statuses(): number[] {
    return this.sent.map(({ text }) => Number(text.slice(8, 11)));
  }
}

export function request(
  parts: {
    method?: string;
    branch?: string;
    sentBy?: string;
    callId?: string;
    fromTag?: string;
    cseq?: number;
    to?: string;
    uri?: string;
    via?: string;
    more?: string[];
    body?: string;
  } = {},
): SipRequest {
  const { method = 'MESSAGE', branch = 'z9hG4bKone', sentBy = '192.0.2.9', cseq = 1, body = 'hi' } = parts;
  const message = decodeMessage(
    Buffer.from(
      [
        `${method} ${parts.uri ?? 'sip:alice@gw.example'} SIP/2.0`,
        `Via: ${parts.via ?? `SIP/2.0/UDP ${sentBy};branch=${branch}`}`,
        `From: <sip:bob@other.example>;tag=${parts.fromTag ?? 'b'}`,
        `To: ${parts.to ?? '<sip:alice@gw.example>'}`,
        `Call-ID: ${parts.callId ?? 'call-1'}`,
        `CSeq: ${cseq} ${method}`,
        'Max-Forwards: 70',
        ...(parts.more ?? []),
        'Content-Type: text/plain',
        `Content-Length: ${Buffer.byteLength(body)}`,
        '',
        body,
      ].join('\r\n'),
    ),
  );
  if (message.kind !== 'request') throw new Error('not a request');
  return message;
}

/** The response that a peer would send to what left last over a flow. */
export function answer(flow: FakeFlow, status: number, more: readonly string[] = []): SipResponse {
  const head = flow.sent.at(-1)?.text.split('\r\n\r\n')[0] ?? '';
  const copied = head.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line));
  const text = [`SIP/2.0 ${status} Any`, ...copied, ...more, 'Content-Length: 0', '', ''].join('\r\n');
  const message = decodeMessage(Buffer.from(text));
  if (message.kind !== 'response') throw new Error('not a response');
  return message;
}
