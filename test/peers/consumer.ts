// A Consumer in memory, for tests of what stands above the queue: it records, and can be told to fail.
import type { GatewayEvent } from '../../src/contract/index.ts';
import type { Consumer, HeldLane } from '../../src/queue/queue.ts';

export class MemoryConsumer implements Consumer {
  readonly lanes = new Map<string, GatewayEvent[]>();
  /** Thrown by every write while set. */
  failure: Error | undefined;

  async hold(lane: string, event: GatewayEvent): Promise<void> {
    if (this.failure) throw this.failure;
    const events = this.lanes.get(lane) ?? [];
    if (!events.some(({ id }) => id === event.id)) events.push(event);
    this.lanes.set(lane, events);
  }

  async held(): Promise<HeldLane[]> {
    return [...this.lanes].map(([lane, events]) => ({ lane, count: events.length }));
  }

  async heads(lane: string, limit: number): Promise<GatewayEvent[]> {
    if (this.failure) throw this.failure;
    return (this.lanes.get(lane) ?? []).slice(0, limit);
  }

  async release(lane: string, eventIds: readonly string[]): Promise<void> {
    if (this.failure) throw this.failure;
    const left = (this.lanes.get(lane) ?? []).filter(({ id }) => !eventIds.includes(id));
    if (left.length > 0) this.lanes.set(lane, left);
    else this.lanes.delete(lane);
  }

  async stop(): Promise<void> {}
}
