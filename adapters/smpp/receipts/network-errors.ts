// What network_error_code says of a failed message (SMPP 3.4 s.5.3.2.31, SMPP 5.0 s.4.8.4.42): the errors of a GSM network
// in words. Below 0x80 as the MAP of 3GPP TS 29.002 numbers them, from there on TP-FCS of TS 23.040 s.9.2.3.22.
import type { FailureReason } from '../../../src/contract/index.ts';

/** The first octet: whose numbers the others are. */
export const networkKinds = { gsm: 3, smpp: 7 } as const;

export const gsmErrors: ReadonlyMap<number, readonly [FailureReason, string]> = new Map([
  [1, ['not-found', 'unknown subscriber']],
  [5, ['not-found', 'unidentified subscriber']],
  [6, ['unreachable', 'absent subscriber']],
  [9, ['not-allowed', 'illegal subscriber']],
  [11, ['unsupported', 'teleservice not provisioned']],
  [12, ['not-allowed', 'illegal equipment']],
  [13, ['not-allowed', 'call barred']],
  [21, ['unsupported', 'facility not supported']],
  [27, ['unreachable', 'absent subscriber']],
  [31, ['unreachable', 'subscriber busy']],
  [32, ['unreachable', 'the phone could not take it, its memory may be full']],
  [34, ['unavailable', 'system failure']],
  [0x80, ['unsupported', 'telematic interworking not supported']],
  [0x81, ['unsupported', 'short message type 0 not supported']],
  [0x82, ['unsupported', 'the phone cannot replace a message']],
  [0x8f, ['unsupported', 'the phone does not take the protocol identifier']],
  [0x90, ['unsupported', 'the phone does not take the alphabet']],
  [0x91, ['unsupported', 'the phone does not take the message class']],
  [0x9f, ['unsupported', 'the phone does not take the data coding']],
  [0xa0, ['unsupported', 'the command cannot be carried out']],
  [0xa1, ['unsupported', 'the command is not supported']],
  [0xaf, ['unsupported', 'the command has an error']],
  [0xb0, ['unsupported', 'the phone does not take this kind of message']],
  [0xc0, ['unreachable', 'the service centre is busy']],
  [0xc1, ['not-allowed', 'no subscription at the service centre']],
  [0xc2, ['unavailable', 'the service centre has a fault']],
  [0xc3, ['not-found', 'invalid address']],
  [0xc4, ['not-allowed', 'the recipient is barred']],
  [0xc5, ['not-allowed', 'refused as a duplicate']],
  [0xc6, ['unsupported', 'the form of the validity period is not supported']],
  [0xc7, ['unsupported', 'the validity period is not supported']],
  [0xd0, ['unreachable', 'the storage of the SIM is full']],
  [0xd1, ['unreachable', 'the SIM stores no messages']],
  [0xd2, ['unreachable', 'the phone has an error']],
  [0xd3, ['unreachable', 'the memory of the phone is full']],
  [0xd4, ['unreachable', 'the SIM is busy']],
  [0xd5, ['unreachable', 'the SIM could not take it']],
  [0xff, ['unreachable', 'an error without a name']],
]);
