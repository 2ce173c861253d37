// data_coding that a carrier refuses (SMPP 5.0, ESME_RINVDCS): the message goes out again without it, and when that is taken the
// refusal is believed for a day, for all messages. Parts of a text that was begun stay as they were cut.
import type { Log, Message } from '../../src/contract/index.ts';
import { statuses } from './codec/index.ts';
import type { SmppOptions } from './config.ts';
import { planOf } from './mapping.ts';
import type { Learnt } from './receipts/learnt.ts';
import { type Plan, readDataCoding } from './text/index.ts';

/** Octets without a class, and as class 1. */
const octetCodings = [0x04, 0xf5];
const ucs2Coding = 0x08;
// An SMS centre that takes UCS-2 again must not be sent question marks for ever.
const beliefMs = 24 * 3_600_000;

export interface CodingsParts {
  readonly options: Pick<SmppOptions, 'adapt' | 'alphabetRefusals'>;
  readonly learnt: Learnt;
  readonly log: Log;
  readonly now: () => number;
}

export class Codings {
  readonly #parts: CodingsParts;
  readonly #refusals: ReadonlySet<number>;

  constructor(parts: CodingsParts) {
    const { adapt, alphabetRefusals } = parts.options;
    this.#parts = parts;
    const said = [statuses.ESME_RINVDCS, ...alphabetRefusals.map(Number)];
    this.#refusals = new Set(adapt.includes('alphabet') ? said : []);
  }

  of(event: Message): Wording {
    const { learnt, now } = this.#parts;
    return new Wording(event, this, this.#refusals.size === 0 ? [] : learnt.refusedCodings(now() - beliefMs));
  }

  isRefusal(status: number): boolean {
    return this.#refusals.has(status);
  }

  async adopt(host: string, coding: string): Promise<void> {
    const { learnt, log, now } = this.#parts;
    log.info({ host, coding }, 'adopted: this SMS centre does not take that data_coding');
    // Taken is taken: to fail now would send the message again.
    await learnt.noteRefusedCoding(host, coding, now()).catch((error: Error) => {
      log.warn({ host, coding, why: error.message }, 'adopted, and forgotten with the next start');
    });
  }
}

/** How one message is coded. */
export class Wording {
  readonly #event: Message;
  readonly #codings: Codings;
  #avoided: readonly string[];
  #refusedAt: string | undefined;
  readonly #trials: Array<{ host: string; coding: string }> = [];

  constructor(event: Message, codings: Codings, avoided: readonly string[]) {
    this.#event = event;
    this.#codings = codings;
    this.#avoided = avoided;
  }

  /** What it does without. */
  get avoided(): readonly string[] {
    return this.#avoided;
  }

  /** Parts were taken already, cut so. */
  resume(avoided: readonly string[]): void {
    this.#avoided = avoided;
  }

  /** Throws as planOf. What leaves no way at all is not avoided: the SMS centre may say so itself. */
  plan(options: SmppOptions): Plan {
    return this.#without(options) ?? planOf(this.#event, options);
  }

  /** Called with each refusal. */
  readonly refused = (status: number, host: string): void => {
    if (this.#codings.isRefusal(status)) this.#refusedAt ??= host;
  };

  /** Whether there is another way after what was refused. */
  hasNext(plan: Plan, options: SmppOptions): boolean {
    const host = this.#refusedAt;
    const coding = codingOf(this.#event, plan);
    this.#refusedAt = undefined;
    if (host === undefined || coding === undefined || this.#avoided.includes(coding)) return false;
    this.#avoided = [...this.#avoided, coding];
    this.#trials.push({ host, coding });
    return this.#without(options) !== undefined;
  }

  async taken(): Promise<void> {
    for (const { host, coding } of this.#trials) await this.#codings.adopt(host, coding);
  }

  #without(options: SmppOptions): Plan | undefined {
    if (this.#avoided.length === 0) return undefined;
    const { sms, ...event } = this.#event;
    const { messageClass, binary, ...others } = sms ?? {};
    const isClassed = messageClass !== undefined && !this.#avoided.includes('message class');
    const coding = binary && [binary.dataCoding, ...octetCodings].find((one) => !this.#avoided.includes(octets(one)));
    if (binary && coding === undefined) return undefined;
    const hints = {
      ...others,
      ...(isClassed ? { messageClass } : {}),
      ...(binary && coding !== undefined ? { binary: { ...binary, dataCoding: coding } } : {}),
    };
    const allowed = {
      ...options,
      ucs2: options.ucs2 && !this.#avoided.includes('UCS-2'),
      nationalLanguages: this.#avoided.includes('national tables') ? [] : options.nationalLanguages,
    };
    try {
      return planOf({ ...event, sms: hints }, allowed);
    } catch {
      return undefined;
    }
  }
}

/** What the SMS centre may have meant; undefined where there is nothing else to send. */
function codingOf({ sms }: Message, plan: Plan): string | undefined {
  if (sms?.binary) return readDataCoding(plan.dataCoding, 'gsm').alphabet ? undefined : octets(plan.dataCoding);
  if (plan.elements.length > 0) return 'national tables';
  if (plan.dataCoding === ucs2Coding) return 'UCS-2';
  return plan.dataCoding === 0 ? undefined : 'message class';
}

function octets(coding: number): string {
  return `octets 0x${coding.toString(16).padStart(2, '0')}`;
}
