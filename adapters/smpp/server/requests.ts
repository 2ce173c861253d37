// What an ESME that is bound asks of us, by command: who may ask it, and who answers. Nothing here throws past its session.
import { asGatewayError, type Hub, type LogFields } from '../../../src/contract/index.ts';
import { SparingLog } from '../../../src/guards/sparing-log.ts';
import { versions } from '../binds/versions.ts';
import type { Destination, RequestName, RequestPdu, StatusName, Unsuccessful } from '../codec/index.ts';
import { statuses, textTlv } from '../codec/index.ts';
import type { Answer } from '../exchange.ts';
import type { Connection } from './connection.ts';
import type { Handed, Intake } from './intake.ts';
import { formatId, type Ledger, nameOf } from './ledger.ts';
import type { Revisions } from './revisions.ts';
import { Refusal, submitStatuses } from './statuses.ts';
import { readSubmission, type Submission, type SubmitPdu } from './submission.ts';
import { answerOf, type Transactions } from './transactions.ts';

export interface RequestParts {
  readonly hub: Hub;
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly revisions: Revisions;
  readonly transactions: Transactions;
  readonly transactionWaitMs: () => number;
}

// s.2.3: what a receiver may not ask.
const forTransmitters: ReadonlySet<RequestName> = new Set([
  'submit_sm',
  'data_sm',
  'submit_multi',
  'query_sm',
  'cancel_sm',
  'replace_sm',
]);
const longestWords = 200;

export class Requests {
  readonly #parts: RequestParts;
  // While the store is away each submit is refused.
  readonly #refusals: SparingLog;

  constructor(parts: RequestParts) {
    this.#parts = parts;
    const { hub } = parts;
    const warn = (fields: LogFields, message: string) => hub.log.info(fields, message);
    this.#refusals = new SparingLog({ warn }, () => hub.now());
  }

  async serve(connection: Connection, pdu: RequestPdu, frame: Buffer): Promise<Answer> {
    const answer = await this.#answer(connection, pdu, frame).catch((thrown: unknown) => {
      return this.#refuse(connection, pdu, thrown);
    });
    const status = answer === 'silent' ? answer : String(answer.status);
    this.#parts.hub.metrics.count('requests_total', { command: pdu.command, status });
    return answer;
  }

  async #answer(connection: Connection, pdu: RequestPdu, frame: Buffer): Promise<Answer> {
    const { revisions } = this.#parts;
    if (connection.kind === 'receiver' && forTransmitters.has(pdu.command)) return { status: 'ESME_RINVBNDSTS' };
    switch (pdu.command) {
      case 'submit_sm':
      case 'data_sm':
      case 'submit_multi':
        return this.#submit(connection, pdu, frame);
      case 'query_sm':
        return revisions.query(connection, pdu);
      case 'cancel_sm':
        return revisions.cancel(connection, pdu);
      case 'replace_sm':
        return revisions.replace(connection, pdu);
      case 'outbind':
      case 'alert_notification':
        // Words of an SMSC, and they have no answer.
        return 'silent';
      default:
        return { status: 'ESME_RINVCMDID' };
    }
  }

  async #submit(connection: Connection, pdu: SubmitPdu, frame: Buffer): Promise<Answer> {
    const { account, version } = connection;
    const { hub, ledger } = this.#parts;
    if (!account) return { status: 'ESME_RINVBNDSTS' };
    const { alphabet0, messageIds } = account.options;
    const transactionWaitMs = this.#parts.transactionWaitMs();
    const submission = readSubmission(pdu, { alphabet0, version, now: hub.now(), transactionWaitMs });
    const destinations = destinationsOf(pdu);
    if (!this.#admits(connection, submission, destinations)) return { status: 'ESME_RTHROTTLED' };
    const id = await ledger.nextId();
    const handed = { account, submission, id, what: pdu.command, frame };
    const ending = submission.isTransaction ? this.#hold(connection, id, transactionWaitMs) : undefined;
    const unsuccess_sme = await this.#hand(handed, destinations, pdu.command === 'submit_multi').catch((error) => {
      this.#parts.transactions.drop(nameOf({ id }));
      throw error;
    });
    connection.submitted++;
    const body = { message_id: formatId(id, messageIds), unsuccess_sme };
    return ending ? { body, ...answerOf(await ending) } : { status: 'ESME_ROK', body };
  }

  /** Before it is handed on: its ending may come at once. */
  #hold(connection: Connection, id: number, waitMs: number) {
    return this.#parts.transactions.hold(nameOf({ id }), waitMs, () => connection.isBound);
  }

  /** One PDU counts once for each that it is sent to, and for each short message that it is. */
  #admits(connection: Connection, { part, source, count }: Submission, destinations: readonly Destination[]): boolean {
    const [first] = destinations;
    const to = first && 'destination_addr' in first ? first.destination_addr : '';
    const whole = part && { key: `${source.addr}/${to}/${part.reference}/${part.total}`, total: part.total };
    if (connection.account?.throttle.admits(whole, count * Math.max(1, destinations.length))) return true;
    connection.throttled++;
    return false;
  }

  /** Those who did not get it. Throws Refusal when there was only one. */
  async #hand(
    handed: Omit<Handed, 'destination' | 'place'>,
    destinations: readonly Destination[],
    isMulti: boolean,
  ): Promise<Unsuccessful[]> {
    const { ledger, intake } = this.#parts;
    const [only] = destinations;
    if (!isMulti) {
      if (only && !('dl_name' in only)) await intake.take({ ...handed, destination: smeOf(only) });
      return [];
    }
    if (destinations.length === 0) throw new Refusal('ESME_RINVNUMDESTS', 'nobody to send it to');
    await ledger.announce(handed.id, destinations.length);
    const outcomes = destinations.map(async (destination, place): Promise<Unsuccessful[]> => {
      // s.4.5.1.2: there are no lists here.
      if ('dl_name' in destination) {
        const nobody = { dest_addr_ton: 0, dest_addr_npi: 0, destination_addr: destination.dl_name };
        return [{ ...nobody, error_status_code: statuses.ESME_RINVDLNAME }];
      }
      try {
        await intake.take({ ...handed, destination: smeOf(destination), place });
        return [];
      } catch (thrown) {
        return [{ ...destination, error_status_code: statuses[statusOf(thrown)] }];
      }
    });
    return (await Promise.all(outcomes)).flat();
  }

  #refuse({ account, version }: Connection, pdu: RequestPdu, thrown: unknown): Answer {
    const status = statusOf(thrown);
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    const { command } = pdu;
    this.#refusals.warn(status, { account: account?.name, command, status, why }, 'refused');
    // s.5.3.2.11, SMPP 5.0 s.4.2.5: where the specification lets us say why.
    if (command !== 'data_sm' && !(version >= versions.v50 && command === 'submit_sm')) return { status };
    return { status, body: {}, tlvs: [textTlv('additional_status_info_text', why.slice(0, longestWords))] };
  }
}

function destinationsOf(pdu: SubmitPdu): readonly Destination[] {
  if (pdu.command === 'submit_multi') return pdu.body.dest_address;
  const { dest_addr_ton, dest_addr_npi, destination_addr } = pdu.body;
  return [{ dest_addr_ton, dest_addr_npi, destination_addr }];
}

function smeOf({ dest_addr_ton, dest_addr_npi, destination_addr }: Exclude<Destination, { dl_name: string }>) {
  return { ton: dest_addr_ton, npi: dest_addr_npi, addr: destination_addr };
}

function statusOf(thrown: unknown): StatusName {
  return thrown instanceof Refusal ? thrown.status : submitStatuses[asGatewayError(thrown).reason];
}
