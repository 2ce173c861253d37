// TON and NPI that a carrier refuses (s.5.1.3, ESME_RINVSRCTON and its like): the other ways to write the same number are tried
// in turn, and what was taken is kept for that SMS centre. Nothing is tried without such a refusal, or where it is configured.
import { type Log, nationalForm } from '../../src/contract/index.ts';
import { addressed, type SmeAddress, ton } from './addresses.ts';
import { type Body, statuses } from './codec/index.ts';
import type { SmppOptions } from './config.ts';
import type { Learnt } from './receipts/learnt.ts';

export type NumberFields = ReturnType<typeof addressed>;
type Side = 'source' | 'destination';

const refusals: ReadonlyMap<number, readonly [side: Side, field: 'ton' | 'npi']> = new Map([
  [statuses.ESME_RINVSRCTON, ['source', 'ton']],
  [statuses.ESME_RINVSRCNPI, ['source', 'npi']],
  [statuses.ESME_RINVDSTTON, ['destination', 'ton']],
  [statuses.ESME_RINVDSTNPI, ['destination', 'npi']],
]);

/** By the TON that the form of a number suggests; the order in which they are tried. */
const otherTypes: Readonly<
  Record<number, { form: string; types: ReadonlyArray<readonly [ton: number, npi: number]> }>
> = {
  [ton.international]: {
    form: 'number',
    types: [
      [0, 1],
      [0, 0],
    ],
  },
  [ton.networkSpecific]: {
    form: 'short code',
    types: [
      [0, 1],
      [0, 0],
      [6, 0],
    ],
  },
  [ton.alphanumeric]: {
    form: 'name',
    types: [
      [5, 1],
      [0, 0],
    ],
  },
};
// Where every way was refused, or the number itself was at fault, the next messages are spared the attempts.
const peaceMs = 10 * 60_000;

export interface NumberingParts {
  readonly options: Pick<SmppOptions, 'source' | 'destination' | 'defaultCountry' | 'adapt'>;
  readonly learnt: Learnt;
  readonly log: Log;
  readonly now: () => number;
}

export class Numbering {
  readonly #parts: NumberingParts;
  /** Until when a kind of number is left alone at a host. */
  readonly #peace = new Map<string, number>();

  constructor(parts: NumberingParts) {
    this.#parts = parts;
  }

  /** For one submit. */
  of(fields: Partial<Body<'submit_sm'>>): Writing {
    return new Writing(fields, this);
  }

  get learnt(): Learnt {
    return this.#parts.learnt;
  }

  /** The first way is how we write it by ourselves. */
  ways(own: SmeAddress): readonly SmeAddress[] {
    const others = (otherTypes[own.ton]?.types ?? []).map(([type, npi]) => ({ ton: type, npi, addr: own.addr }));
    const { defaultCountry } = this.#parts.options;
    const isNumber = own.ton === ton.international && defaultCountry !== undefined;
    // TS 23.040 s.9.1.2.5: a national number has neither country code nor prefix.
    const national = isNumber ? nationalForm(`+${own.addr}`, defaultCountry) : undefined;
    return national === undefined ? [own, ...others] : [own, ...others, { ton: ton.national, npi: 1, addr: national }];
  }

  /** Not where it is pinned. */
  mayAdapt(side: Side): boolean {
    const { options } = this.#parts;
    return options.adapt.includes('numbering') && options[side] === undefined;
  }

  isHopeless(host: string, kind: string): boolean {
    return (this.#peace.get(`${host} ${kind}`) ?? 0) > this.#parts.now();
  }

  exhausted(host: string, kind: string): void {
    this.#peace.set(`${host} ${kind}`, this.#parts.now() + peaceMs);
    this.#parts.log.warn({ host, kind }, 'no TON and NPI that we know is taken');
  }

  async adopt(host: string, kind: string, types: string): Promise<void> {
    if (this.learnt.numbering(host, kind) === types) return;
    this.#parts.log.info({ host, kind, types }, 'adopted: TON and NPI that this SMS centre takes');
    await this.learnt.noteNumbering(host, kind, types);
  }
}

/** How the two numbers of one submit are written, wherever it is sent. */
export class Writing {
  readonly #own: Readonly<Record<Side, SmeAddress>>;
  /** As it went out last: what is learnt meanwhile changes what would go out now. */
  #sent: Readonly<Record<Side, SmeAddress>>;
  readonly #numbering: Numbering;
  /** What was refused on each side, and what is tried instead at which host. */
  readonly #tried: Record<Side, string[]> = { source: [], destination: [] };
  readonly #trial: Partial<Record<Side, { host: string; way: SmeAddress }>> = {};

  constructor(fields: Partial<Body<'submit_sm'>>, numbering: Numbering) {
    const { source_addr_ton = 0, source_addr_npi = 0, source_addr = '' } = fields;
    const { dest_addr_ton = 0, dest_addr_npi = 0, destination_addr = '' } = fields;
    const source = { ton: source_addr_ton, npi: source_addr_npi, addr: source_addr };
    this.#own = { source, destination: { ton: dest_addr_ton, npi: dest_addr_npi, addr: destination_addr } };
    this.#sent = this.#own;
    this.#numbering = numbering;
  }

  /** Called for what goes out. Undefined: as they are. */
  at(host: string): NumberFields | undefined {
    const isPlain = !this.#numbering.learnt.hasNumbering(host) && !this.#trial.source && !this.#trial.destination;
    this.#sent = this.#own;
    if (isPlain) return undefined;
    this.#sent = { source: this.#current('source', host), destination: this.#current('destination', host) };
    return this.written;
  }

  get written(): NumberFields {
    return addressed(this.#sent.source, this.#sent.destination);
  }

  /** True: it is worth another attempt, written otherwise. */
  refused(status: number, host: string): boolean {
    const [side, field] = refusals.get(status) ?? [];
    if (side === undefined || field === undefined) return false;
    const kind = this.#kind(side);
    if (kind === undefined || !this.#numbering.mayAdapt(side) || this.#numbering.isHopeless(host, kind)) return false;
    const sent = this.#sent[side];
    const tried = this.#tried[side];
    tried.push(typesOf(sent));
    const left = this.#numbering.ways(this.#own[side]).filter((way) => !tried.includes(typesOf(way)));
    // What was named first; an SMSC may still mean the two together.
    const known = this.#numbering.learnt.numbering(host, kind);
    const way = left.find((one) => typesOf(one) === known) ?? left.find((one) => one[field] !== sent[field]) ?? left[0];
    if (way) this.#trial[side] = { host, way };
    else this.#numbering.exhausted(host, kind);
    return way !== undefined;
  }

  /** It was taken there: what was tried is kept. */
  async taken(host: string): Promise<void> {
    for (const side of ['source', 'destination'] as const) {
      const kind = this.#kind(side);
      const trial = this.#trial[side];
      if (kind !== undefined && trial?.host === host) await this.#numbering.adopt(host, kind, typesOf(trial.way));
    }
  }

  /** `from number`, `to short code`. */
  #kind(side: Side): string | undefined {
    const form = otherTypes[this.#own[side].ton]?.form;
    return form === undefined ? undefined : `${side === 'source' ? 'from' : 'to'} ${form}`;
  }

  #current(side: Side, host: string): SmeAddress {
    const trial = this.#trial[side];
    if (trial?.host === host) return trial.way;
    const own = this.#own[side];
    const kind = this.#kind(side);
    const types = kind === undefined ? undefined : this.#numbering.learnt.numbering(host, kind);
    if (types === undefined || !this.#numbering.mayAdapt(side)) return own;
    return this.#numbering.ways(own).find((way) => typesOf(way) === types) ?? own;
  }
}

function typesOf({ ton: type, npi }: SmeAddress): string {
  return `${type}/${npi}`;
}
