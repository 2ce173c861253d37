// One table each: command_status, the states of receipts, the network's error codes <-> FailureReason, with words for people.
import { type FailureReason, GatewayError, type ReceiptState } from '../../src/contract/index.ts';
import { type StatusName, statuses, statusName } from './codec/index.ts';
import { gsmErrors, networkKinds } from './receipts/network-errors.ts';

/** SMPP 3.4 s.5.1.3, SMPP 5.0 s.4.7.6. What is about our own session rather than the message is worth another try. */
const failures: Readonly<Record<Exclude<StatusName, 'ESME_ROK'>, readonly [FailureReason, string]>> = {
  ESME_RINVMSGLEN: ['too-large', 'the message is too long for the SMS centre'],
  ESME_RINVCMDLEN: ['malformed', 'the SMS centre could not read the request'],
  ESME_RINVCMDID: ['unsupported', 'the SMS centre does not know the request'],
  ESME_RINVBNDSTS: ['unavailable', 'the SMS centre says that we are not bound for this'],
  ESME_RALYBND: ['unavailable', 'the account is bound already, by another process or an older connection'],
  ESME_RINVPRTFLG: ['malformed', 'the SMS centre does not take the priority'],
  ESME_RINVREGDLVFLG: ['malformed', 'the SMS centre does not take the request for a receipt'],
  ESME_RSYSERR: ['unavailable', 'the SMS centre has a fault'],
  ESME_RINVSRCADR: ['not-allowed', 'the SMS centre does not take the sender'],
  ESME_RINVDSTADR: ['not-found', 'the SMS centre does not take the number'],
  ESME_RINVMSGID: ['not-found', 'the SMS centre does not know the message'],
  ESME_RBINDFAIL: ['unavailable', 'the SMS centre refused the bind'],
  ESME_RINVPASWD: ['unavailable', 'the password is wrong'],
  ESME_RINVSYSID: ['unavailable', 'the SMS centre does not know the system_id'],
  ESME_RCANCELFAIL: ['not-allowed', 'it could not be cancelled'],
  ESME_RREPLACEFAIL: ['not-allowed', 'it could not be replaced'],
  ESME_RMSGQFUL: ['throttled', 'the queue of the SMS centre is full'],
  ESME_RINVSERTYP: ['not-allowed', 'the SMS centre does not take the service_type'],
  ESME_RINVNUMDESTS: ['malformed', 'the SMS centre does not take the number of recipients'],
  ESME_RINVDLNAME: ['not-found', 'the SMS centre does not know the distribution list'],
  ESME_RINVDESTFLAG: ['malformed', 'the SMS centre does not take the kind of recipient'],
  ESME_RINVSUBREP: ['malformed', 'the SMS centre does not take the replacement'],
  ESME_RINVESMCLASS: ['unsupported', 'the SMS centre does not take the esm_class'],
  ESME_RCNTSUBDL: ['not-allowed', 'the SMS centre takes nothing for that distribution list'],
  ESME_RSUBMITFAIL: ['unavailable', 'the SMS centre could not take the message'],
  ESME_RINVSRCTON: ['not-allowed', "the SMS centre does not take the sender's TON"],
  ESME_RINVSRCNPI: ['not-allowed', "the SMS centre does not take the sender's NPI"],
  ESME_RINVDSTTON: ['not-found', "the SMS centre does not take the recipient's TON"],
  ESME_RINVDSTNPI: ['not-found', "the SMS centre does not take the recipient's NPI"],
  ESME_RINVSYSTYP: ['unavailable', 'the SMS centre does not know the system_type'],
  ESME_RINVREPFLAG: ['malformed', 'the SMS centre does not take the replace_if_present flag'],
  ESME_RINVNUMMSGS: ['malformed', 'the SMS centre does not take the number of messages'],
  ESME_RTHROTTLED: ['throttled', 'the SMS centre asks us to send more slowly'],
  ESME_RINVSCHED: ['malformed', 'the SMS centre does not take the delivery time'],
  ESME_RINVEXPIRY: ['malformed', 'the SMS centre does not take the validity period'],
  ESME_RINVDFTMSGID: ['malformed', 'the SMS centre does not know the predefined message'],
  ESME_RX_T_APPN: ['unavailable', 'the receiver has a passing fault'],
  ESME_RX_P_APPN: ['not-allowed', 'the receiver has a lasting fault'],
  ESME_RX_R_APPN: ['not-allowed', 'the receiver refused the message'],
  ESME_RQUERYFAIL: ['unavailable', 'the SMS centre could not answer the query'],
  ESME_RINVOPTPARSTREAM: ['malformed', 'the SMS centre could not read the optional parameters'],
  ESME_ROPTPARNOTALLWD: ['unsupported', 'the SMS centre does not take an optional parameter'],
  ESME_RINVPARLEN: ['malformed', 'the SMS centre does not take the length of a parameter'],
  ESME_RMISSINGOPTPARAM: ['malformed', 'the SMS centre misses an optional parameter'],
  ESME_RINVOPTPARAMVAL: ['malformed', 'the SMS centre does not take the value of an optional parameter'],
  ESME_RDELIVERYFAILURE: ['unreachable', 'the SMS centre could not deliver the message'],
  ESME_RUNKNOWNERR: ['unavailable', 'the SMS centre has a fault without a name'],
  ESME_RSERTYPUNAUTH: ['not-allowed', 'the account may not use the service_type'],
  ESME_RPROHIBITED: ['not-allowed', 'the account may not do this'],
  ESME_RSERTYPUNAVAIL: ['unavailable', 'the service_type is not available now'],
  ESME_RSERTYPDENIED: ['not-allowed', 'the service_type is denied'],
  ESME_RINVDCS: ['unsupported', 'the SMS centre does not take the alphabet'],
  ESME_RINVSRCADDRSUBUNIT: ['malformed', "the SMS centre does not take the sender's subunit"],
  ESME_RINVDSTADDRSUBUNIT: ['malformed', "the SMS centre does not take the recipient's subunit"],
  ESME_RINVBCASTFREQINT: ['malformed', 'the SMS centre does not take the interval of the broadcast'],
  ESME_RINVBCASTALIAS_NAME: ['malformed', 'the SMS centre does not take the alias of the broadcast'],
  ESME_RINVBCASTAREAFMT: ['malformed', 'the SMS centre does not take the form of the broadcast area'],
  ESME_RINVNUMBCAST_AREAS: ['malformed', 'the SMS centre does not take the number of broadcast areas'],
  ESME_RINVBCASTCNTTYPE: ['malformed', 'the SMS centre does not take the content of the broadcast'],
  ESME_RINVBCASTMSGCLASS: ['malformed', 'the SMS centre does not take the class of the broadcast'],
  ESME_RBCASTFAIL: ['unavailable', 'the SMS centre could not broadcast'],
  ESME_RBCASTQUERYFAIL: ['unavailable', 'the SMS centre could not answer about the broadcast'],
  ESME_RBCASTCANCELFAIL: ['not-allowed', 'the broadcast could not be cancelled'],
  ESME_RINVBCAST_REP: ['malformed', 'the SMS centre does not take the repetitions of the broadcast'],
  ESME_RINVBCASTSRVGRP: ['malformed', 'the SMS centre does not take the service group of the broadcast'],
  ESME_RINVBCASTCHANIND: ['malformed', 'the SMS centre does not take the channel of the broadcast'],
};

type Overrides = Readonly<Record<string, FailureReason>>;

/** What another status than ESME_ROK means; `overrides` are the instance's statusReasons. */
export function statusError(status: number, overrides: Overrides = {}): GatewayError {
  const native = statusName(status);
  const [known, words] = failures[native as keyof typeof failures] ?? [
    // s.5.1.3 leaves 0x400..0x4FF to the carrier: nearly always a refusal (no credit, blocked), seldom a passing state.
    status >= 0x400 && status <= 0x4ff ? 'not-allowed' : 'unavailable',
    'the SMS centre refused the message with a status of its own',
  ];
  const override = Object.entries(overrides).find(([key]) => Number(key) === status)?.[1];
  return new GatewayError(override ?? known, `${words} (${native})`, { native });
}

export function isThrottling(status: number, overrides: Overrides = {}): boolean {
  return status !== statuses.ESME_ROK && statusError(status, overrides).reason === 'throttled';
}

/** How a deliver_sm is answered when the hub refused it: a final status where trying again cannot help. */
export const refusals: Readonly<Record<FailureReason, StatusName>> = {
  malformed: 'ESME_RX_P_APPN',
  unsupported: 'ESME_RX_P_APPN',
  'not-found': 'ESME_RINVDSTADR',
  'not-allowed': 'ESME_RX_R_APPN',
  'too-large': 'ESME_RX_P_APPN',
  expired: 'ESME_RX_P_APPN',
  throttled: 'ESME_RTHROTTLED',
  unreachable: 'ESME_RX_T_APPN',
  unavailable: 'ESME_RX_T_APPN',
  internal: 'ESME_RX_T_APPN',
};

export interface Outcome {
  readonly state: ReceiptState;
  readonly reason?: FailureReason;
  readonly words: string;
}

/** Appendix B and s.5.2.28, with the words of SMPP 5.0 and of carriers. */
const outcomes: Readonly<Record<string, Outcome | 'on its way'>> = {
  DELIVRD: { state: 'delivered', words: 'delivered' },
  EXPIRED: { state: 'expired', reason: 'expired', words: 'the SMS centre gave up: the validity period is over' },
  DELETED: { state: 'failed', reason: 'not-allowed', words: 'the SMS centre deleted it' },
  UNDELIV: { state: 'failed', reason: 'unreachable', words: 'the SMS centre could not deliver it' },
  REJECTD: { state: 'failed', reason: 'not-allowed', words: 'the SMS centre rejected it' },
  SKIPPED: { state: 'failed', reason: 'unreachable', words: 'the SMS centre skipped it' },
  FAILED: { state: 'failed', reason: 'unreachable', words: 'the SMS centre could not deliver it' },
  UNKNOWN: { state: 'unknown', words: 'the SMS centre does not know what became of it' },
  ENROUTE: 'on its way',
  ACCEPTD: 'on its way',
  BUFFRED: 'on its way',
  SCHEDULED: 'on its way',
};
/** s.5.2.28 has longer names than Appendix B; some write those. */
const longNames: Readonly<Record<string, string>> = {
  DELIVERED: 'DELIVRD',
  UNDELIVERABLE: 'UNDELIV',
  UNDELIVERED: 'UNDELIV',
  REJECTED: 'REJECTD',
  ACCEPTED: 'ACCEPTD',
};

/** s.5.2.28 message_state, and 0 and 9 of SMPP 5.0. */
const stateNames = 'SCHEDULED ENROUTE DELIVRD EXPIRED DELETED UNDELIV ACCEPTD UNKNOWN REJECTD SKIPPED'.split(' ');

export function stateName(message_state: number): string {
  return stateNames[message_state] ?? 'UNKNOWN';
}

/** The state of a receipt for figures: what a carrier makes up has no series of its own. */
export function knownStat(stat: string): string {
  return Object.hasOwn(outcomes, stat) || Object.hasOwn(longNames, stat) ? stat : 'other';
}

interface Detail {
  readonly networkError?: Buffer | undefined;
  /** The SMSC's own err. */
  readonly code?: string | undefined;
  /** The carrier's table of them, in words. */
  readonly errorWords?: Readonly<Record<string, string>>;
}

/** How a receipt ends its message; undefined when it does not. Without a table `code` is quoted and not interpreted. */
export function outcomeOf(stat: string, { networkError, code, errorWords = {} }: Detail = {}): Outcome | undefined {
  const saying = JSON.stringify(stat.slice(0, 20));
  const known = outcomes[longNames[stat] ?? stat] ?? { state: 'unknown', words: `the SMS centre says ${saying}` };
  if (known === 'on its way') return undefined;
  const isBad = known.state !== 'delivered';
  const network = isBad ? networkErrorOf(networkError) : undefined;
  const isSaying = isBad && code !== undefined && !/^0*$/.test(code);
  const own = isSaying ? wordsOf(code, errorWords) : undefined;
  const why = [network?.[1], own].filter((words) => words !== undefined).join(', ');
  const said = isSaying ? ` (error ${code.slice(0, 10)} of the SMS centre)` : '';
  const words = `${known.words}${why === '' ? '' : `: ${why}`}${said}`;
  return { ...known, ...(network && known.state === 'failed' ? { reason: network[0] } : {}), words };
}

function networkErrorOf(octets: Buffer | undefined): readonly [FailureReason, string] | undefined {
  if (octets?.length !== 3) return undefined;
  const error = octets.readUInt16BE(1);
  if (octets[0] === networkKinds.gsm) return gsmErrors.get(error);
  // s.4.8.4.42 of SMPP 5.0: a status of SMPP itself.
  if (octets[0] !== networkKinds.smpp || error === 0) return undefined;
  const { reason, message } = statusError(error);
  return [reason, message];
}

// `12` and `012` are one code.
function wordsOf(code: string, table: Readonly<Record<string, string>>): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/^0+(?=.)/, '');
  return table[code] ?? Object.entries(table).find(([known]) => plain(known) === plain(code))?.[1];
}
