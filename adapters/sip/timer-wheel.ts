// A hashed timing wheel: any number of protocol timers behind one setTimeout, each O(1) to set and to cancel.

/** Runs `wake` once after `delayMs`; the answer cancels it. */
export type Alarm = (delayMs: number, wake: () => void) => () => void;

export const realAlarm: Alarm = (delayMs, wake) => {
  const timeout = setTimeout(wake, delayMs);
  return () => clearTimeout(timeout);
};

const tickMs = 10;
/** 41 s to the turn: every timer of RFC 3261 is looked at once, when it is due. */
const slotCount = 4096;
const idle = -1;
const due = -2;

/** One timer, set as often as its owner likes. What there are many of extends this; the rest uses Timer. */
export abstract class Timed {
  tick = 0;
  /** Where it hangs: a slot, or one of the two marks. */
  slot = idle;
  next: Timed | undefined;
  previous: Timed | undefined;

  abstract fire(): void;
}

export class Timer extends Timed {
  readonly fire: () => void;

  constructor(fire: () => void) {
    super();
    this.fire = fire;
  }
}

export class TimerWheel {
  readonly #now: () => number;
  readonly #alarm: Alarm;
  readonly #slots: Array<Timed | undefined> = new Array(slotCount).fill(undefined);
  #tick: number;
  #size = 0;
  #visits = 0;
  #wakeTick = Number.POSITIVE_INFINITY;
  #cancelAlarm: () => void = () => {};
  #isStopped = false;

  /** `now` is in milliseconds and should never go backwards. */
  constructor(now: () => number, alarm: Alarm = realAlarm) {
    this.#now = now;
    this.#alarm = alarm;
    this.#tick = Math.floor(now() / tickMs);
  }

  /** Timers that wait. */
  get size(): number {
    return this.#size;
  }

  /** Timers looked at so far: what the wheel's work is measured by. */
  get visits(): number {
    return this.#visits;
  }

  now(): number {
    return this.#now();
  }

  /** Sets it anew if it was set. Never early, at most two ticks late. */
  set(timer: Timed, delayMs: number): void {
    this.cancel(timer);
    if (this.#isStopped) return;
    timer.tick = Math.max(Math.ceil((this.#now() + delayMs) / tickMs), this.#tick + 1);
    timer.slot = timer.tick % slotCount;
    const head = this.#slots[timer.slot];
    timer.next = head;
    if (head) head.previous = timer;
    this.#slots[timer.slot] = timer;
    this.#size++;
    if (timer.tick < this.#wakeTick) this.#setAlarm(timer.tick);
  }

  cancel(timer: Timed): void {
    if (timer.slot >= 0) this.#unlink(timer);
    timer.slot = idle;
  }

  /** Fires what is due. Called by the alarm, and by tests that move their clock. */
  advance(): void {
    const target = Math.floor(this.#now() / tickMs);
    const batch: Timed[] = [];
    const turns = Math.min(target - this.#tick, slotCount);
    for (let step = 1; step <= turns; step++) this.#collect((this.#tick + step) % slotCount, target, batch);
    this.#tick = Math.max(this.#tick, target);
    batch.sort((a, b) => a.tick - b.tick);
    for (const timer of batch) {
      if (timer.slot !== due) continue;
      timer.slot = idle;
      timer.fire();
    }
    this.#setAlarm(this.#nextTick());
  }

  /** Forgets every timer, for good. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelAlarm();
    for (let slot = 0; slot < slotCount; slot++) {
      for (let timer = this.#slots[slot]; timer; timer = this.#slots[slot]) this.cancel(timer);
    }
  }

  #collect(slot: number, target: number, into: Timed[]): void {
    for (let timer = this.#slots[slot]; timer; ) {
      const { next } = timer;
      this.#visits++;
      if (timer.tick <= target) {
        this.#unlink(timer);
        timer.slot = due;
        into.push(timer);
      }
      timer = next;
    }
  }

  #unlink(timer: Timed): void {
    const { next, previous } = timer;
    if (previous) previous.next = next;
    else this.#slots[timer.slot] = next;
    if (next) next.previous = previous;
    timer.next = timer.previous = undefined;
    this.#size--;
  }

  #setAlarm(tick: number): void {
    this.#cancelAlarm();
    this.#wakeTick = tick;
    this.#cancelAlarm = () => {};
    if (tick === Number.POSITIVE_INFINITY || this.#isStopped) return;
    this.#cancelAlarm = this.#alarm(Math.max(tick * tickMs - this.#now(), 1), () => this.advance());
  }

  /** The next slot with anything in it; a timer of a later turn costs one early look. */
  #nextTick(): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    for (let step = 1; step <= slotCount; step++) {
      if (this.#slots[(this.#tick + step) % slotCount]) return this.#tick + step;
    }
    return Number.POSITIVE_INFINITY;
  }
}
