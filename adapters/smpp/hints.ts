// What only short messages have (`message.sms`), out of a PDU and into one.
import type { Message, SmsHints } from '../../src/contract/index.ts';
import { type NumberTable, tableOf } from '../../src/formats/number-table.ts';
import { type PduOf, type Tlv, tlvs } from './codec/index.ts';
import type { SmppOptions } from './config.ts';

const known: ReadonlySet<number> = new Set(Object.values(tlvs).map(([tag]) => tag));

type MessagePdu = PduOf<'deliver_sm'> | PduOf<'submit_sm'> | PduOf<'submit_multi'> | PduOf<'data_sm'>;

/** service_type, protocol_id, replace_if_present_flag, and every optional parameter that SMPP does not define. */
export function hintsOf({ body, tlvs: all }: MessagePdu): SmsHints {
  const strangers = all.filter(({ tag }) => !known.has(tag));
  const named = strangers.map(({ tag, value }) => [nameOf(tag), value.toString('hex')] as const);
  return {
    ...(body.service_type === '' ? {} : { serviceType: body.service_type }),
    ...('protocol_id' in body && body.protocol_id !== 0 ? { protocolId: body.protocol_id } : {}),
    ...('replace_if_present_flag' in body && body.replace_if_present_flag === 1 ? { replaceIfPresent: true } : {}),
    ...(named.length === 0 ? {} : { tlvs: Object.fromEntries(named) }),
  };
}

/** What is configured for every submit, and for some senders and recipients. */
export class ConfiguredTlvs {
  readonly #common: readonly Tlv[];
  readonly #routes: ReadonlyArray<{ from: NumberTable<true>; to: NumberTable<true>; tlvs: readonly Tlv[] }>;

  constructor({ tlvs: common, routeTlvs }: Pick<SmppOptions, 'tlvs' | 'routeTlvs'>) {
    this.#common = configuredTlvs(common);
    this.#routes = routeTlvs.map(({ from, to, tlvs: own }) => {
      return { from: tableOf([from]), to: tableOf([to]), tlvs: configuredTlvs(own) };
    });
  }

  /** Of one tag the first that fits. */
  between({ from, to }: Pick<Message, 'from' | 'to'>): readonly Tlv[] {
    if (this.#routes.length === 0) return this.#common;
    const fitting = this.#routes.filter((route) => route.from.find(from) && route.to.find(to));
    const all = [...fitting.flatMap((route) => route.tlvs), ...this.#common];
    return all.filter(({ tag }, place) => all.findIndex((other) => other.tag === tag) === place);
  }
}

/** `0x` and hexadecimal digits are octets, anything else is text. */
function configuredTlvs(configured: Readonly<Record<string, string>>): Tlv[] {
  return Object.entries(configured).map(([tag, value]) => ({ tag: Number(tag), value: octetsOf(value) }));
}

/** Those of a message that the carrier is to have, instead of the configured ones of the same tag. */
export function tlvsFor(
  hints: SmsHints | undefined,
  passed: readonly string[],
  configured: readonly Tlv[],
): readonly Tlv[] {
  const given = passed.flatMap((tag) => {
    const value = hints?.tlvs?.[tag.toLowerCase()];
    return value === undefined ? [] : [{ tag: Number(tag), value: Buffer.from(value, 'hex') }];
  });
  if (given.length === 0) return configured;
  return [...configured.filter(({ tag }) => !given.some((one) => one.tag === tag)), ...given];
}

function octetsOf(value: string): Buffer {
  return /^0x([0-9a-f]{2})*$/i.test(value) ? Buffer.from(value.slice(2), 'hex') : Buffer.from(value);
}

function nameOf(tag: number): string {
  return `0x${tag.toString(16).padStart(4, '0')}`;
}
