// SMPP 3.4 s.5.3.2: the optional parameters by name. A PDU keeps all its TLVs as octets; these functions read and make them.

/** One optional parameter as it stands on the wire. */
export interface Tlv {
  readonly tag: number;
  readonly value: Buffer;
}

type Kind = 'int' | 'cstring' | 'octets';
/** Tag, kind, octets of an int or the most octets of the others. */
type Entry = readonly [tag: number, kind: Kind, bytes: number];

export const tlvs = {
  dest_addr_subunit: [0x0005, 'int', 1],
  dest_network_type: [0x0006, 'int', 1],
  dest_bearer_type: [0x0007, 'int', 1],
  dest_telematics_id: [0x0008, 'int', 2],
  source_addr_subunit: [0x000d, 'int', 1],
  source_network_type: [0x000e, 'int', 1],
  source_bearer_type: [0x000f, 'int', 1],
  source_telematics_id: [0x0010, 'int', 1],
  qos_time_to_live: [0x0017, 'int', 4],
  payload_type: [0x0019, 'int', 1],
  additional_status_info_text: [0x001d, 'cstring', 256],
  receipted_message_id: [0x001e, 'cstring', 65],
  ms_msg_wait_facilities: [0x0030, 'int', 1],
  privacy_indicator: [0x0201, 'int', 1],
  source_subaddress: [0x0202, 'octets', 23],
  dest_subaddress: [0x0203, 'octets', 23],
  user_message_reference: [0x0204, 'int', 2],
  user_response_code: [0x0205, 'int', 1],
  source_port: [0x020a, 'int', 2],
  destination_port: [0x020b, 'int', 2],
  sar_msg_ref_num: [0x020c, 'int', 2],
  language_indicator: [0x020d, 'int', 1],
  sar_total_segments: [0x020e, 'int', 1],
  sar_segment_seqnum: [0x020f, 'int', 1],
  sc_interface_version: [0x0210, 'int', 1],
  callback_num_pres_ind: [0x0302, 'int', 1],
  callback_num_atag: [0x0303, 'octets', 65],
  number_of_messages: [0x0304, 'int', 1],
  callback_num: [0x0381, 'octets', 19],
  dpf_result: [0x0420, 'int', 1],
  set_dpf: [0x0421, 'int', 1],
  ms_availability_status: [0x0422, 'int', 1],
  network_error_code: [0x0423, 'octets', 3],
  message_payload: [0x0424, 'octets', 65535],
  delivery_failure_reason: [0x0425, 'int', 1],
  more_messages_to_send: [0x0426, 'int', 1],
  message_state: [0x0427, 'int', 1],
  // SMPP 5.0 s.4.8.4.18: how full the SMSC is, 0 to 100.
  congestion_state: [0x0428, 'int', 1],
  ussd_service_op: [0x0501, 'octets', 1],
  display_time: [0x1201, 'int', 1],
  sms_signal: [0x1203, 'int', 2],
  ms_validity: [0x1204, 'int', 1],
  alert_on_message_delivery: [0x130c, 'octets', 0],
  its_reply_type: [0x1380, 'int', 1],
  its_session_info: [0x1383, 'octets', 2],
} as const satisfies Record<string, Entry>;

export type TlvName = keyof typeof tlvs;
type NameOf<K extends Kind> = { [N in TlvName]: (typeof tlvs)[N][1] extends K ? N : never }[TlvName];

export function tlvOctets(list: readonly Tlv[], name: TlvName): Buffer | undefined {
  const [tag] = tlvs[name];
  for (const tlv of list) if (tlv.tag === tag) return tlv.value;
  return undefined;
}

/** An integer of whatever width the peer chose. Undefined when absent, empty or wider than 4 octets. */
export function tlvInt(list: readonly Tlv[], name: NameOf<'int'>): number | undefined {
  const value = tlvOctets(list, name);
  return value && value.length > 0 && value.length <= 4 ? value.readUIntBE(0, value.length) : undefined;
}

/** A C-octet string, with or without its NUL. */
export function tlvText(list: readonly Tlv[], name: NameOf<'cstring'>): string | undefined {
  const value = tlvOctets(list, name);
  if (!value) return undefined;
  const end = value.indexOf(0);
  return value.toString('latin1', 0, end < 0 ? value.length : end);
}

export function intTlv(name: NameOf<'int'>, value: number): Tlv {
  const [tag, , bytes] = tlvs[name];
  const octets = Buffer.alloc(bytes);
  octets.writeUIntBE(value, 0, bytes);
  return { tag, value: octets };
}

export function textTlv(name: NameOf<'cstring'>, text: string): Tlv {
  return { tag: tlvs[name][0], value: Buffer.from(`${text}\0`, 'latin1') };
}

export function octetsTlv(name: NameOf<'octets'>, value: Buffer): Tlv {
  return { tag: tlvs[name][0], value };
}
