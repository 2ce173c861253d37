// One try to hand one event to an adapter, with a deadline. All deadlines share one sweep: no timer per message.
import { type Adapter, asGatewayError, type Delivery, GatewayError, type GatewayEvent } from '../contract/index.ts';

interface Pending {
  startedAt: number;
  controller: AbortController;
  giveUp(): void;
}

// An adapter that does not answer its signal is given this long before its answer no longer counts.
const graceMs = 2000;

export class Attempts {
  // In the order of their start; with one deadline for all, the oldest is always the first due.
  readonly #pending = new Set<Pending>();
  readonly #adapter: Adapter;
  readonly #now: () => number;
  #deadlineMs: number;

  constructor(adapter: Adapter, now: () => number, deadlineMs: number) {
    this.#adapter = adapter;
    this.#now = now;
    this.#deadlineMs = deadlineMs;
  }

  set deadlineMs(value: number) {
    this.#deadlineMs = value;
  }

  /** Resolves as the adapter does. Rejects with a GatewayError, `unavailable` when the deadline passed. */
  make(event: GatewayEvent): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        startedAt: this.#now(),
        controller: new AbortController(),
        giveUp: () => reject(new GatewayError('unavailable', 'no answer in time')),
      };
      this.#pending.add(pending);
      let delivered: Promise<Delivery>;
      try {
        delivered = this.#adapter.deliver(event, pending.controller.signal);
      } catch (error) {
        delivered = Promise.reject(error);
      }
      delivered.then(
        (delivery) => {
          this.#pending.delete(pending);
          resolve(delivery);
        },
        (error: unknown) => {
          this.#pending.delete(pending);
          reject(asGatewayError(error));
        },
      );
    });
  }

  /** Called about four times a second. */
  sweep(): void {
    const now = this.#now();
    for (const pending of this.#pending) {
      const age = now - pending.startedAt;
      if (age < this.#deadlineMs) return;
      if (!pending.controller.signal.aborted)
        pending.controller.abort(new GatewayError('unavailable', 'no answer in time'));
      if (age < this.#deadlineMs + graceMs) continue;
      this.#pending.delete(pending);
      pending.giveUp();
    }
  }

  /** Aborts everything under way: the instance stops. */
  abort(): void {
    for (const pending of this.#pending) pending.controller.abort(new GatewayError('unavailable', 'stopping'));
  }
}
