// What the SMSC sends: receipts to the book, texts to the hub, each acknowledged only once it is durable.
import { randomUUID } from 'node:crypto';
import { GatewayError, type Hub, type SmsHints } from '../../src/contract/index.ts';
import { fromSme, type SmeAddress } from './addresses.ts';
import { type PduOf, type RequestPdu, textRanges, tlvInt, tlvOctets, tlvText } from './codec/index.ts';
import type { SmppOptions } from './config.ts';
import { knownStat, refusals } from './errors.ts';
import type { Answer } from './exchange.ts';
import { hintsOf } from './hints.ts';
import { type MobileRules, toEvent } from './mapping.ts';
import type { ReceiptBook } from './receipts/book.ts';
import { isMarkedReceipt, type ParsedReceipt, parseReceipt } from './receipts/dialects.ts';
import type { PartRecord } from './receipts/records.ts';
import type { Rejoin, Whole } from './rejoin.ts';
import { type Repeats, sealOf } from './repeats.ts';
import { contentOf, type DataCoding, headerBytesOf, type Piece, readDataCoding, readSegment } from './text/index.ts';

export interface InboundParts {
  readonly options: SmppOptions;
  readonly rules: MobileRules;
  readonly hub: Hub;
  readonly book: ReceiptBook;
  readonly rejoin: Rejoin;
  readonly repeats: Repeats;
}

/** The session that a PDU came by: the SMS centre at its other end, and the name of the bind. */
export interface Origin {
  readonly bind?: string;
  readonly host: string;
}

type Mobile = PduOf<'deliver_sm'> | PduOf<'data_sm'>;

const udhi = 0x40;
/** s.5.3.2.30. */
const available = 0;

export class Inbound {
  readonly #parts: InboundParts;

  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  async request(pdu: RequestPdu, frame: Buffer, link: Origin): Promise<Answer> {
    if (pdu.command === 'alert_notification') this.#alerted(pdu);
    if (pdu.command === 'alert_notification' || pdu.command === 'outbind') return 'silent';
    // An ESME is asked for nothing else.
    if (pdu.command !== 'deliver_sm' && pdu.command !== 'data_sm') return { status: 'ESME_RINVCMDID' };
    try {
      await this.#take(pdu, frame, link);
      return { status: 'ESME_ROK' };
    } catch (error) {
      const reason = error instanceof GatewayError ? error.reason : 'internal';
      const why = error instanceof Error ? error.message : String(error);
      this.#parts.hub.log.warn({ command: pdu.command, reason, why }, 'refused');
      return { status: refusals[reason] };
    }
  }

  /** s.4.12: a phone can be reached again. What it says of one that cannot is of no use. */
  #alerted({ body, tlvs }: PduOf<'alert_notification'>): void {
    const { hub, rules } = this.#parts;
    const isHere = (tlvInt(tlvs, 'ms_availability_status') ?? available) === available;
    hub.metrics.count('alerts_total', { available: String(isHere) });
    const source = { ton: body.source_addr_ton, npi: body.source_addr_npi, addr: body.source_addr };
    if (isHere && source.addr.trim() !== '') hub.reachable(fromSme(source, rules));
  }

  /** A whole text, complete or with gaps. */
  async handOn({ source, destination, pieces, notes, key }: Whole): Promise<void> {
    const [note] = notes;
    const hints = note === undefined ? {} : (JSON.parse(note) as SmsHints);
    await this.#publish(source, destination, pieces, hints, key);
  }

  async #take(pdu: Mobile, frame: Buffer, link: Origin): Promise<void> {
    const { host } = link;
    const { options, hub, book, repeats } = this.#parts;
    const { bind = '' } = link;
    const octets = userData(pdu);
    const coding = readDataCoding(pdu.body.data_coding, options.alphabet0);
    const receipt = parseReceipt(pdu, receiptTexts(pdu, octets, coding));
    if (receipt) {
      // Most SMSCs turn source and destination round in a receipt, some do not.
      const numbers = [pdu.body.source_addr, pdu.body.destination_addr];
      const matched = ({ e: event, a: sentAt }: PartRecord) => {
        this.#trace(event, pdu, frame, receipt.stat);
        if (sentAt !== undefined) hub.metrics.observe('receipt_ms', hub.now() - sentAt, { bind });
      };
      const found = await book.heard(receipt, numbers, host, matched);
      hub.metrics.count('receipts_total', { found });
      // What any peer may write is no label.
      const err = /^\w{1,4}$/.test(receipt.code ?? '') ? (receipt.code ?? '') : '';
      const stat = knownStat(receipt.stat);
      if (found !== 'unknown') hub.metrics.count('receipt_states_total', { bind, stat, err });
      if (found === 'settled' && receipt.isCertain) await this.#noteDialect(receipt, host);
      if (found === 'unknown' && receipt.isCertain) {
        hub.log.warn({ ids: receipt.ids, stat: receipt.stat }, 'a receipt for no message of ours');
      }
      if (found !== 'unknown' || receipt.isCertain) return;
    } else if (isMarkedReceipt(pdu)) {
      hub.log.warn({ source: pdu.body.source_addr }, 'a receipt without an id or a state');
      return;
    }
    const seal = sealOf(pdu, frame);
    if (repeats.take(seal)) hub.metrics.count('repeats_total');
    else {
      await this.#text(pdu, octets, coding, frame, host);
      await this.#noteStyle(pdu, octets, host);
    }
    repeats.answered(link, seal);
  }

  async #noteDialect({ dialect, doneDate }: ParsedReceipt, host: string): Promise<void> {
    const { learnt } = this.#parts.book;
    if (dialect !== undefined) await learnt.noteOne(host, 'dialects', dialect);
    if (doneDate !== undefined && /^\d+$/.test(doneDate))
      await learnt.noteOne(host, 'dates', `${doneDate.length} digits`);
  }

  /** How this SMS centre writes messages, for operators who set `source`, `destination` and `alphabet0`. */
  async #noteStyle({ body }: Mobile, octets: Buffer, host: string): Promise<void> {
    const { book, options } = this.#parts;
    const { learnt } = book;
    const { source_addr_ton, source_addr_npi, dest_addr_ton, dest_addr_npi, data_coding } = body;
    const [from, to] = [`${source_addr_ton}/${source_addr_npi}`, `${dest_addr_ton}/${dest_addr_npi}`];
    await learnt.noteOne(host, 'numbers', `from ${from} to ${to}`);
    const isSeven = (options.alphabet0 === 'gsm' || options.alphabet0 === 'ia5') && (body.esm_class & udhi) === 0;
    const isOdd = data_coding === 0 && isSeven && octets.some((octet) => octet > 0x7f);
    const coding = `0x${data_coding.toString(16).padStart(2, '0')}`;
    await learnt.noteOne(host, 'codings', isOdd ? `${coding} with octets above 0x7f (see alphabet0)` : coding);
  }

  async #text(pdu: Mobile, octets: Buffer, coding: DataCoding, frame: Buffer, host: string): Promise<void> {
    const { data_coding: dataCoding, esm_class } = pdu.body;
    const source = { ton: pdu.body.source_addr_ton, npi: pdu.body.source_addr_npi, addr: pdu.body.source_addr };
    const destination = { ton: pdu.body.dest_addr_ton, npi: pdu.body.dest_addr_npi, addr: pdu.body.destination_addr };
    if (coding.isCompressed) throw new GatewayError('unsupported', 'a compressed text (TS 23.042)');
    const { payload, part, udh } = readSegment(octets, (esm_class & udhi) !== 0, pdu.tlvs, coding);
    const piece = { payload, dataCoding, ...(udh ? { udh } : {}) };
    const hints = hintsOf(pdu);
    if (part) {
      const note = Object.keys(hints).length === 0 ? {} : { note: JSON.stringify(hints) };
      await this.#parts.rejoin.add({ source, destination, ...part, ...piece, ...note });
      return;
    }
    const id = await this.#publish(source, destination, [piece], hints, smscName(pdu, host));
    this.#trace(id, pdu, frame);
  }

  async #publish(
    source: SmeAddress,
    destination: SmeAddress,
    pieces: readonly Piece[],
    hints: SmsHints,
    dedupeKey?: string,
  ): Promise<string> {
    const { hub, rules, options } = this.#parts;
    const content = contentOf(pieces, options.alphabet0);
    const mobile = { source, destination, content, hints, nativeId: randomUUID(), dedupeKey };
    const { id } = await hub.publish(toEvent(mobile, rules));
    return id;
  }

  // A copy: the frame is a slice of all that the socket read at once.
  #trace(event: string, { command }: Mobile, frame: Buffer, stat = ''): void {
    const what = `${command} ${stat}`.trim();
    this.#parts.hub.trace.hop(event, { direction: 'inbound', what, wire: frame, hidden: textRanges(frame) });
  }
}

/** s.4.6.1, 5.3.2.32: short_message, or message_payload in its place. */
function userData(pdu: Mobile): Buffer {
  const short = 'short_message' in pdu.body ? pdu.body.short_message : undefined;
  if (short && short.length > 0) return short;
  return tlvOctets(pdu.tlvs, 'message_payload') ?? Buffer.alloc(0);
}

// Receipts are ASCII; some say so, some call it UCS-2 and send ASCII, some send UCS-2.
function receiptTexts(pdu: Mobile, octets: Buffer, { alphabet, isPacked }: DataCoding): string[] {
  const text = octets.subarray((pdu.body.esm_class & udhi) === 0 ? 0 : headerBytesOf(octets));
  const ascii = text.toString('latin1');
  return alphabet && !isPacked && alphabet.name === 'UCS-2' ? [alphabet.decode(text), ascii] : [ascii];
}

/** The one name of a message that an SMSC repeats with it; without, a repeat cannot be told from a person's own. */
function smscName(pdu: Mobile, host: string): string | undefined {
  const id = tlvText(pdu.tlvs, 'receipted_message_id');
  return id === undefined || id === '' ? undefined : `id/${host}/${id}`;
}
