// data_sm in transaction mode (SMPP 3.4 s.2.10.3): answered when it is known whether the message arrived, or when the wait
// for that is over. What is told in the answer is told by no receipt.
import type { FailureReason, Receipt } from '../../../src/contract/index.ts';
import { type Body, intTlv, octetsTlv, type StatusName, type Tlv, textTlv } from '../codec/index.ts';
import { networkErrors } from './statuses.ts';

type Ending = Pick<Receipt, 'state' | 'reason' | 'text'>;

interface Held {
  readonly until: number;
  /** Whether there is still somebody to answer. */
  readonly isThere: () => boolean;
  readonly resolve: (ending: Ending) => void;
}

/** Until the hub has told that the message expired: its own clock ends what nobody could take. */
export const graceMs = 2000;
const longestWords = 200;

export class Transactions {
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Resolves with how the message of that name ended; as `unknown` after `waitMs`. */
  hold(name: string, waitMs: number, isThere: () => boolean): Promise<Ending> {
    return new Promise((resolve) => {
      this.#held.set(name, { until: this.#now() + waitMs + graceMs, isThere, resolve });
    });
  }

  /** Nobody waits for it any more. */
  drop(name: string): void {
    this.#held.delete(name);
  }

  /** True when an answer told it, and no receipt is needed. */
  told(name: string, ending: Ending): boolean {
    const held = this.#held.get(name);
    if (!held || ending.state === 'sent') return false;
    this.#held.delete(name);
    held.resolve(ending);
    return held.isThere();
  }

  /** Called a few times a second. */
  tick(): void {
    const now = this.#now();
    for (const [name, { until, resolve }] of this.#held) {
      if (until > now) continue;
      this.#held.delete(name);
      resolve({ state: 'unknown', text: 'it is on its way, and nobody knows yet whether it arrives' });
    }
  }
}

/** s.5.3.2.33: 0 nobody there, 1 no such address, 2 for good, 3 for now. */
const failureReasons: Readonly<Record<FailureReason, number>> = {
  unreachable: 0,
  unavailable: 0,
  expired: 0,
  'not-found': 1,
  malformed: 2,
  unsupported: 2,
  'not-allowed': 2,
  'too-large': 2,
  throttled: 3,
  internal: 3,
};

/** What an ESME is answered that waited for the ending. */
export function answerOf({ state, reason, text }: Ending): {
  status: StatusName;
  body?: Partial<Body<'data_sm_resp'>>;
  tlvs?: Tlv[];
} {
  if (state === 'delivered' || state === 'displayed') return { status: 'ESME_ROK' };
  const why = text === undefined ? [] : [textTlv('additional_status_info_text', text.slice(0, longestWords))];
  if (state === 'unknown') return { status: 'ESME_RUNKNOWNERR', tlvs: why };
  const cause = reason ?? (state === 'expired' ? 'expired' : 'unreachable');
  const error = networkErrors[cause];
  const network = octetsTlv('network_error_code', Buffer.from([3, error >> 8, error & 0xff]));
  const tlvs = [intTlv('delivery_failure_reason', failureReasons[cause]), network, ...why];
  return { status: 'ESME_RDELIVERYFAILURE', tlvs };
}
