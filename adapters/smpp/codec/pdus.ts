// SMPP 3.4 s.4: every PDU as a table of its fields, and the TypeScript types that follow from the table.
import { type StatusName, statuses } from './status.ts';
import type { Tlv } from './tlvs.ts';

/** What the kinds of field hold. `octets` is a length octet and that many octets (sm_length, short_message). */
export interface FieldValue {
  int8: number;
  int32: number;
  cstring: string;
  octets: Buffer;
  destinations: Destination[];
  unsuccessful: Unsuccessful[];
}
export type FieldKind = keyof FieldValue;

/** s.4.5.1.1: an SME address or the name of a distribution list. */
export type Destination =
  | { dest_addr_ton: number; dest_addr_npi: number; destination_addr: string }
  | { dl_name: string };

/** s.4.5.2.1. */
export interface Unsuccessful {
  dest_addr_ton: number;
  dest_addr_npi: number;
  destination_addr: string;
  error_status_code: number;
}

/** Name, kind, most octets (a cstring's with its NUL), and the status that answers a bad one. */
export type Field = readonly [name: string, kind: FieldKind, max?: number, refusal?: StatusName];
interface Layout {
  readonly id: number;
  readonly fields: readonly Field[];
}

// s.5.2.2 allows a password 8 octets, yet carriers hand out longer ones; s.5.2.23 a message_id 64, and some SMSCs use more.
const bind = [
  ['system_id', 'cstring', 16, 'ESME_RINVSYSID'],
  ['password', 'cstring', 65, 'ESME_RINVPASWD'],
  ['system_type', 'cstring', 13, 'ESME_RINVSYSTYP'],
  ['interface_version', 'int8'],
  ['addr_ton', 'int8'],
  ['addr_npi', 'int8'],
  ['address_range', 'cstring', 41],
] as const;
const bindResp = [['system_id', 'cstring', 16]] as const;
const messageId = ['message_id', 'cstring', 255, 'ESME_RINVMSGID'] as const;
const serviceType = ['service_type', 'cstring', 6, 'ESME_RINVSERTYP'] as const;
const source = [
  ['source_addr_ton', 'int8'],
  ['source_addr_npi', 'int8'],
  ['source_addr', 'cstring', 21, 'ESME_RINVSRCADR'],
] as const;
const destination = [
  ['dest_addr_ton', 'int8'],
  ['dest_addr_npi', 'int8'],
  ['destination_addr', 'cstring', 21, 'ESME_RINVDSTADR'],
] as const;
const times = [
  ['schedule_delivery_time', 'cstring', 17, 'ESME_RINVSCHED'],
  ['validity_period', 'cstring', 17, 'ESME_RINVEXPIRY'],
] as const;
const classes = [
  ['esm_class', 'int8'],
  ['protocol_id', 'int8'],
  ['priority_flag', 'int8'],
  ...times,
  ['registered_delivery', 'int8'],
  ['replace_if_present_flag', 'int8'],
  ['data_coding', 'int8'],
  ['sm_default_msg_id', 'int8'],
  ['short_message', 'octets', 254, 'ESME_RINVMSGLEN'],
] as const;
const single = [serviceType, ...source, ...destination, ...classes] as const;

/** s.5.1.2.1, with the section of each. */
export const commands = {
  generic_nack: { id: 0x80000000, fields: [] }, // 4.3
  bind_receiver: { id: 0x01, fields: bind }, // 4.1.3
  bind_receiver_resp: { id: 0x80000001, fields: bindResp },
  bind_transmitter: { id: 0x02, fields: bind }, // 4.1.1
  bind_transmitter_resp: { id: 0x80000002, fields: bindResp },
  query_sm: { id: 0x03, fields: [messageId, ...source] }, // 4.8
  query_sm_resp: {
    id: 0x80000003,
    fields: [messageId, ['final_date', 'cstring', 17], ['message_state', 'int8'], ['error_code', 'int8']],
  },
  submit_sm: { id: 0x04, fields: single }, // 4.4
  submit_sm_resp: { id: 0x80000004, fields: [messageId] },
  deliver_sm: { id: 0x05, fields: single }, // 4.6
  deliver_sm_resp: { id: 0x80000005, fields: [messageId] },
  unbind: { id: 0x06, fields: [] }, // 4.2
  unbind_resp: { id: 0x80000006, fields: [] },
  // 4.10
  replace_sm: {
    id: 0x07,
    fields: [
      messageId,
      ...source,
      ...times,
      ['registered_delivery', 'int8'],
      ['sm_default_msg_id', 'int8'],
      ['short_message', 'octets', 254, 'ESME_RINVMSGLEN'],
    ],
  },
  replace_sm_resp: { id: 0x80000007, fields: [] },
  cancel_sm: { id: 0x08, fields: [serviceType, messageId, ...source, ...destination] }, // 4.9
  cancel_sm_resp: { id: 0x80000008, fields: [] },
  bind_transceiver: { id: 0x09, fields: bind }, // 4.1.5
  bind_transceiver_resp: { id: 0x80000009, fields: bindResp },
  // 4.1.7
  outbind: {
    id: 0x0b,
    fields: [
      ['system_id', 'cstring', 16, 'ESME_RINVSYSID'],
      ['password', 'cstring', 65, 'ESME_RINVPASWD'],
    ],
  },
  enquire_link: { id: 0x15, fields: [] }, // 4.11
  enquire_link_resp: { id: 0x80000015, fields: [] },
  // 4.5
  submit_multi: {
    id: 0x21,
    fields: [serviceType, ...source, ['dest_address', 'destinations', 255, 'ESME_RINVNUMDESTS'], ...classes],
  },
  submit_multi_resp: { id: 0x80000021, fields: [messageId, ['unsuccess_sme', 'unsuccessful', 255]] },
  // 4.12
  alert_notification: {
    id: 0x102,
    fields: [
      ['source_addr_ton', 'int8'],
      ['source_addr_npi', 'int8'],
      ['source_addr', 'cstring', 65, 'ESME_RINVSRCADR'],
      ['esme_addr_ton', 'int8'],
      ['esme_addr_npi', 'int8'],
      ['esme_addr', 'cstring', 65],
    ],
  },
  // 4.7: its addresses may be 64 characters
  data_sm: {
    id: 0x103,
    fields: [
      serviceType,
      ['source_addr_ton', 'int8'],
      ['source_addr_npi', 'int8'],
      ['source_addr', 'cstring', 65, 'ESME_RINVSRCADR'],
      ['dest_addr_ton', 'int8'],
      ['dest_addr_npi', 'int8'],
      ['destination_addr', 'cstring', 65, 'ESME_RINVDSTADR'],
      ['esm_class', 'int8'],
      ['registered_delivery', 'int8'],
      ['data_coding', 'int8'],
    ],
  },
  data_sm_resp: { id: 0x80000103, fields: [messageId] },
  // SMPP 5.0 s.4.4 and 4.6: read so that they can be refused in their own response.
  broadcast_sm: {
    id: 0x111,
    fields: [
      serviceType,
      ...source,
      messageId,
      ['priority_flag', 'int8'],
      ...times,
      ['replace_if_present_flag', 'int8'],
      ['data_coding', 'int8'],
      ['sm_default_msg_id', 'int8'],
    ],
  },
  broadcast_sm_resp: { id: 0x80000111, fields: [messageId] },
  query_broadcast_sm: { id: 0x112, fields: [messageId, ...source] },
  query_broadcast_sm_resp: { id: 0x80000112, fields: [messageId] },
  cancel_broadcast_sm: { id: 0x113, fields: [serviceType, messageId, ...source] },
  cancel_broadcast_sm_resp: { id: 0x80000113, fields: [] },
} as const satisfies Record<string, Layout>;

export type CommandName = keyof typeof commands;
export type RequestName = Exclude<CommandName, `${string}_resp` | 'generic_nack'>;
export type ResponseName = Exclude<CommandName, RequestName>;

/** The fields of one PDU, under the names of the specification. */
export type Body<C extends CommandName> = {
  [F in (typeof commands)[C]['fields'][number] as F[0]]: FieldValue[F[1]];
};

export interface PduOf<C extends CommandName> {
  readonly command: C;
  readonly command_status: number;
  readonly sequence_number: number;
  readonly body: Body<C>;
  /** In the order of the wire, known or not, byte for byte. */
  readonly tlvs: readonly Tlv[];
}
export type Pdu = { [C in CommandName]: PduOf<C> }[CommandName];
export type RequestPdu = { [C in RequestName]: PduOf<C> }[RequestName];
export type ResponsePdu = { [C in ResponseName]: PduOf<C> }[ResponseName];

export interface CompiledField {
  readonly name: string;
  readonly kind: FieldKind;
  readonly max: number;
  readonly refusal: number;
}
export interface CompiledLayout {
  readonly command: CommandName;
  readonly id: number;
  readonly isResponse: boolean;
  readonly fields: readonly CompiledField[];
}

function compile(command: CommandName): CompiledLayout {
  const { id, fields }: Layout = commands[command];
  const compiled = fields.map(([name, kind, max = 0, refusal = 'ESME_RINVPARLEN']) => {
    return { name, kind, max, refusal: statuses[refusal] };
  });
  return { command, id, isResponse: id >= 0x80000000, fields: compiled };
}

export const layouts: Readonly<Record<CommandName, CompiledLayout>> = Object.fromEntries(
  Object.keys(commands).map((command) => [command, compile(command as CommandName)]),
) as Record<CommandName, CompiledLayout>;

export const layoutsById: ReadonlyMap<number, CompiledLayout> = new Map(
  Object.values(layouts).map((layout) => [layout.id, layout]),
);

/** `submit_sm` -> `submit_sm_resp`. Outbind and alert_notification have none. */
export function responseTo(request: RequestName): ResponseName | undefined {
  const name = `${request}_resp`;
  return name in commands ? (name as ResponseName) : undefined;
}

export function isRequest(pdu: Pdu): pdu is RequestPdu {
  return !layouts[pdu.command].isResponse;
}
