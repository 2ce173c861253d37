// What a peer has refused once, so that it is not asked again and again; forgotten after an hour, when it may have changed.

export type Ability = 'cpim' | 'typing';

const keepMs = 3_600_000;
const maxPeers = 10_000;

export class PeerMemory {
  readonly #now: () => number;
  readonly #refusedUntil = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  can(peer: string, ability: Ability): boolean {
    const key = `${ability}/${peer}`;
    const until = this.#refusedUntil.get(key);
    if (until === undefined) return true;
    if (until > this.#now()) return false;
    this.#refusedUntil.delete(key);
    return true;
  }

  refused(peer: string, ability: Ability): void {
    const key = `${ability}/${peer}`;
    // Taken out first: what was refused last is forgotten last.
    this.#refusedUntil.delete(key);
    this.#refusedUntil.set(key, this.#now() + keepMs);
    if (this.#refusedUntil.size <= maxPeers) return;
    const [oldest] = this.#refusedUntil.keys();
    if (oldest !== undefined) this.#refusedUntil.delete(oldest);
  }
}
