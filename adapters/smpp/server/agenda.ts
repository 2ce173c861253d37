// Messages that wait for their schedule_delivery_time, by account, so that cancel_sm can name them by their addresses.
import type { State } from '../../../src/contract/index.ts';
import { type Entry, nameOf } from './ledger.ts';

interface Waiting {
  readonly account: string;
  readonly source: string;
  readonly destination: string;
  readonly serviceType: string;
  readonly dueAt: number;
}

/** Without a service_type: whatever theirs is. */
export type Wanted = Pick<Waiting, 'account' | 'source' | 'destination'> & Partial<Pick<Waiting, 'serviceType'>>;

const sweepMs = 60_000;

export class Agenda {
  readonly #state: State;
  readonly #now: () => number;
  readonly #waiting = new Map<string, Waiting>();
  #sweepAt = 0;

  constructor(state: State, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  /** What an earlier process left. */
  async open(): Promise<void> {
    for await (const [key, value] of this.#state.scan('due/')) {
      this.#waiting.set(key.slice('due/'.length), JSON.parse(value) as Waiting);
    }
  }

  async add(entry: Entry, dueAt: number): Promise<void> {
    const name = nameOf(entry);
    const { account, source, destination, serviceType } = entry;
    const waiting: Waiting = { account, source: source.addr, destination: destination.addr, serviceType, dueAt };
    await this.#state.set(`due/${name}`, JSON.stringify(waiting), Math.max(1, dueAt - this.#now()));
    this.#waiting.set(name, waiting);
  }

  async remove(name: string): Promise<void> {
    if (this.#waiting.delete(name)) await this.#state.delete(`due/${name}`);
  }

  /** All of an account between two addresses. */
  matching(wanted: Wanted): string[] {
    const isMeant = ({ account, source, destination, serviceType }: Waiting) =>
      account === wanted.account &&
      source === wanted.source &&
      destination === wanted.destination &&
      (wanted.serviceType === undefined || serviceType === wanted.serviceType);
    return [...this.#waiting].filter(([, waiting]) => isMeant(waiting)).map(([name]) => name);
  }

  /** Called a few times a second. */
  tick(): void {
    const now = this.#now();
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + sweepMs;
    for (const [name, { dueAt }] of this.#waiting) if (dueAt <= now) this.#waiting.delete(name);
  }
}
