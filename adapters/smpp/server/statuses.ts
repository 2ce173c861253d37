// Tables of the server side: refusals of the hub as command_status, and how a message fared in the words of receipts.
import type { FailureReason, Receipt } from '../../../src/contract/index.ts';
import type { StatusName } from '../codec/index.ts';

/** A request that is answered with another status than ESME_ROK. */
export class Refusal extends Error {
  readonly status: StatusName;
  constructor(status: StatusName, why: string) {
    super(why);
    this.name = 'Refusal';
    this.status = status;
  }
}

/** Why the hub did not take a message, as the answer to submit_sm. */
export const submitStatuses: Readonly<Record<FailureReason, StatusName>> = {
  malformed: 'ESME_RSUBMITFAIL',
  unsupported: 'ESME_RSUBMITFAIL',
  'not-found': 'ESME_RINVDSTADR',
  'not-allowed': 'ESME_RSUBMITFAIL',
  'too-large': 'ESME_RINVMSGLEN',
  expired: 'ESME_RINVEXPIRY',
  throttled: 'ESME_RMSGQFUL',
  unreachable: 'ESME_RSYSERR',
  unavailable: 'ESME_RSYSERR',
  internal: 'ESME_RSYSERR',
};

/** s.5.2.28, with SCHEDULED of SMPP 5.0. */
export const messageStates = {
  SCHEDULED: 0,
  ENROUTE: 1,
  DELIVRD: 2,
  EXPIRED: 3,
  DELETED: 4,
  UNDELIV: 5,
  ACCEPTD: 6,
  UNKNOWN: 7,
  REJECTD: 8,
} as const;
export type StateWord = keyof typeof messageStates;

const failedStates: Readonly<Partial<Record<FailureReason, StateWord>>> = {
  malformed: 'REJECTD',
  unsupported: 'REJECTD',
  'not-allowed': 'REJECTD',
  'too-large': 'REJECTD',
};

export function stateOf({ state, reason }: Pick<Receipt, 'state' | 'reason'>): StateWord {
  if (state === 'delivered' || state === 'displayed') return 'DELIVRD';
  if (state === 'sent') return 'ENROUTE';
  if (state === 'failed') return (reason && failedStates[reason]) ?? 'UNDELIV';
  return state === 'expired' ? 'EXPIRED' : 'UNKNOWN';
}

export function isFinal(word: StateWord): boolean {
  return word !== 'SCHEDULED' && word !== 'ENROUTE' && word !== 'ACCEPTD';
}

/** network_error_code (s.5.3.2.31) of type 3, with the numbers of 3GPP TS 29.002; also `err:` of the text. */
export const networkErrors: Readonly<Record<FailureReason, number>> = {
  malformed: 36,
  unsupported: 21,
  'not-found': 1,
  'not-allowed': 13,
  'too-large': 36,
  expired: 27,
  throttled: 34,
  unreachable: 27,
  unavailable: 34,
  internal: 34,
};
