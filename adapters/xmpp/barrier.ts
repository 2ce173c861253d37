// The ping barrier: an acknowledgement for a protocol that has none. A server reads a component's stream in order, so the
// answer to a ping proves every stanza before it taken. Many stanzas share one ping: while one is under way the next gathers.
import { GatewayError } from '../../src/contract/index.ts';

interface Unproven {
  readonly id: string;
  taken(): void;
  failed(error: GatewayError): void;
}

export class Barrier {
  /** Written after the ping under way (or with none under way). */
  #gathering: Unproven[] = [];
  /** Written before the ping under way. */
  #proving: Unproven[] | undefined;
  readonly #byId = new Map<string, Unproven>();
  #count = 0;

  /** Stanzas without proof. */
  get size(): number {
    return this.#count;
  }

  /** Registers a stanza that is being written. Resolves with its proof; rejects when refused or when the link is lost. */
  add(id: string): Promise<void> {
    this.refused(id, new GatewayError('unavailable', 'written again'));
    return new Promise((taken, failed) => {
      const unproven: Unproven = { id, taken, failed };
      this.#gathering.push(unproven);
      this.#byId.set(id, unproven);
      this.#count++;
    });
  }

  /** True when a ping should be written now: it covers everything written so far. */
  begin(isProbe = false): boolean {
    if (this.#proving || (this.#gathering.length === 0 && !isProbe)) return false;
    this.#proving = this.#gathering;
    this.#gathering = [];
    return true;
  }

  get isUnderWay(): boolean {
    return this.#proving !== undefined;
  }

  /** The ping was answered. */
  proven(): void {
    const proven = this.#proving ?? [];
    this.#proving = undefined;
    for (const unproven of proven) this.#settle(unproven)?.taken();
  }

  /** The server sent a stanza back. False when it had been proven taken before. */
  refused(id: string, error: GatewayError): boolean {
    const unproven = this.#byId.get(id);
    if (!unproven) return false;
    this.#settle(unproven)?.failed(error);
    return true;
  }

  /** Nobody knows what became of the stanzas without proof, whose ids are returned. */
  lost(why: string): string[] {
    const unproven = [...(this.#proving ?? []), ...this.#gathering];
    this.#proving = undefined;
    this.#gathering = [];
    const lost = unproven.filter((one) => this.#settle(one));
    for (const one of lost) one.failed(new GatewayError('unavailable', why));
    return lost.map(({ id }) => id);
  }

  #settle(unproven: Unproven): Unproven | undefined {
    if (this.#byId.get(unproven.id) !== unproven) return undefined;
    this.#byId.delete(unproven.id);
    this.#count--;
    return unproven;
  }
}
