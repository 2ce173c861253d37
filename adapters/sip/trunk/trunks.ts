// The accounts that the options name now: what stays as it is stays registered.
import { isDeepStrictEqual } from 'node:util';
import type { ViewRow } from '../../../src/contract/index.ts';
import type { TrunkOptions } from '../config.ts';
import type { Answer, Inbound } from '../endpoint.ts';
import type { Flow } from '../transport/flow.ts';
import { Trunk, type TrunkParts } from './trunk.ts';

export class Trunks {
  readonly #parts: TrunkParts;
  #all: readonly Trunk[];

  constructor(options: readonly TrunkOptions[], parts: TrunkParts) {
    this.#parts = parts;
    this.#all = options.map((one) => new Trunk(one, parts));
  }

  /** In the order of the options. */
  get all(): readonly Trunk[] {
    return this.#all;
  }

  /** Those that are gone, or are other ones now, have said goodbye when it resolves; new ones are on their way. */
  async reconfigure(options: readonly TrunkOptions[]): Promise<void> {
    const before = this.#all;
    const kept = (wanted: TrunkOptions) => before.find((trunk) => isDeepStrictEqual(trunk.options, wanted));
    this.#all = options.map((wanted) => kept(wanted) ?? new Trunk(wanted, this.#parts));
    // An account under its old password unregisters before it registers with the new one: a goodbye must not come last.
    await Promise.all(before.filter((trunk) => !this.#all.includes(trunk)).map((trunk) => trunk.stop()));
    for (const trunk of this.#all) if (!before.includes(trunk)) trunk.start();
    this.#parts.changed();
  }

  async *rows(): AsyncIterable<ViewRow> {
    for (const trunk of this.#all) yield* trunk.rows();
  }

  isContact(uri: string): boolean {
    return this.#all.some((trunk) => trunk.isContact(uri));
  }

  isTrusted(address: string): boolean {
    return this.#all.some((trunk) => trunk.isTrusted(address));
  }

  closed(flow: Flow): void {
    for (const trunk of this.#all) trunk.closed(flow);
  }

  /** NOTIFY of a subscription of theirs; undefined when it is somebody else's. Throws SipParseError. */
  async handleNotify(inbound: Pick<Inbound, 'request'>): Promise<Answer | undefined> {
    for (const trunk of this.#all) {
      const answer = await trunk.handleNotify(inbound);
      if (answer) return answer;
    }
    return undefined;
  }
}
