// A session's clock that the test moves.
import type { Clock } from '../../../adapters/xmpp/clock.ts';

/** Time stands still until the test moves it. */
export class FakeClock implements Clock {
  time = 1_000_000;
  readonly timers = new Set<{ due: number; run: () => void }>();

  now = () => this.time;

  after = (ms: number, run: () => void) => {
    const timer = { due: this.time + ms, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  };

  move(ms: number): void {
    this.time += ms;
    for (const timer of [...this.timers].filter(({ due }) => due <= this.time)) {
      this.timers.delete(timer);
      timer.run();
    }
  }
}
