// How much an SMSC is given at once and a second: additive increase, multiplicative decrease of window and rate, by what
// its responses say (THROTTLED, MSGQFUL, congestion_state) and how long they take. Pure: the time is passed in.
import { type ResponsePdu, tlvInt } from '../codec/index.ts';

/** Read each time: they may change while it runs. */
export interface FlowLimits {
  readonly window: number;
  readonly ratePerSecond?: number | undefined;
  readonly throttle: { readonly firstMs: number; readonly maxMs: number };
  isThrottling(status: number): boolean;
}

/** Why something is slower than it might be, for operators. */
export type Pressure = 'none' | 'throttled' | 'congested' | 'slow';

// The pump runs by tick: so much of a second's allowance may be saved up.
const burstSeconds = 0.1;
const secondMs = 1000;
// Fewer in a second say nothing about what the SMSC can take, or how long it takes.
const fewestToLearn = 5;
const rateCut = 0.8;
const slowCut = 0.8;
const congestedMs = 60_000;
// Responses take longer under load anyway, ours first of all: only what is far beyond that is a queue that grows. The
// fastest of a second counts: a stall of ours delays a batch of responses, a queue at the SMSC all of them.
const slowFactor = 2;
const slowMarginMs = 1000;
// SMPP 5.0 s.4.8.4.18: from 80 optimum load, from 90 nearing congestion, 100 congested.
const congestion = { hold: 80, ease: 90, cut: 100 };

export class Flow {
  readonly #limits: FlowLimits;
  #window = 1;
  #slowStartUntil: number;
  #pauseMs = 0;
  #pausedUntil = 0;
  /** Rises with each cut: what was sent before it tells nothing new. */
  #epoch = 0;
  #tokens = 1;
  #tokensAt: number;
  #rate: number | undefined;
  /** What the SMSC refused; beyond twice that the rate is not ours to limit. */
  #rateAtCut = 0;
  #second = { since: 0, taken: 0, last: 0 };
  #round = { since: 0, count: 0, fastestMs: Number.POSITIVE_INFINITY };
  #baseMs: number | undefined;
  #latencyMs = 0;
  #cutAt = Number.NEGATIVE_INFINITY;
  #grownAt = 0;
  #pressure: Pressure = 'none';

  constructor(limits: FlowLimits, now: number) {
    this.#limits = limits;
    this.#tokensAt = now;
    this.#slowStartUntil = limits.window;
  }

  /** Milliseconds, smoothed. */
  get latencyMs(): number {
    return Math.round(this.#latencyMs);
  }

  get window(): number {
    // The limit may have been lowered since.
    return Math.floor(Math.min(this.#window, this.#limits.window));
  }

  /** Parts a second at most; undefined: no limit. */
  get rate(): number | undefined {
    const { ratePerSecond } = this.#limits;
    return this.#rate === undefined ? ratePerSecond : Math.min(this.#rate, ratePerSecond ?? this.#rate);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The last minute had a cut: parts of one message wait for each other, so that not even a refused one is overtaken. */
  isCongested(now: number): boolean {
    return now - this.#cutAt < congestedMs;
  }

  pressure(now: number): Pressure {
    return this.isCongested(now) ? this.#pressure : 'none';
  }

  /** A new link: nobody knows what it can take. What was learnt of the rate stays. */
  restart(): void {
    this.#window = 1;
    this.#slowStartUntil = this.#limits.window;
    this.#pausedUntil = 0;
    this.#pauseMs = 0;
    this.#epoch++;
  }

  mayNow(now: number): boolean {
    if (now < this.#pausedUntil) return false;
    this.#refill(now);
    return true;
  }

  mayOneMore(inFlight: number): boolean {
    return inFlight < this.window && this.#tokens >= 1;
  }

  sent(): void {
    this.#tokens--;
  }

  /** `epoch` is that of the sending. */
  answered(response: ResponsePdu, tookMs: number, epoch: number, now: number): void {
    const isNews = epoch === this.#epoch;
    const load = tlvInt(response.tlvs, 'congestion_state') ?? 0;
    const isSlow = this.#timed(tookMs, now);
    if (this.#limits.isThrottling(response.command_status)) {
      if (isNews) this.#throttled(now);
      return;
    }
    if (response.command_status !== 0) return;
    this.#count(now);
    if (isNews) this.#pauseMs = 0;
    if (load >= congestion.cut) this.#ease(1 / 2, 'congested', isNews, now);
    else if (load >= congestion.ease) this.#ease(1 - 1 / this.#window, 'congested', isNews, now);
    else if (isSlow) this.#ease(slowCut, 'slow', isNews, now);
    else if (load < congestion.hold) this.#grow(now);
  }

  /** One pause for all that were refused together. */
  #throttled(now: number): void {
    const { firstMs, maxMs } = this.#limits.throttle;
    this.#pauseMs = Math.min(maxMs, this.#pauseMs === 0 ? firstMs : this.#pauseMs * 2);
    this.#pausedUntil = now + this.#pauseMs;
    this.#cut(1 / 2, 'throttled', now);
    const { last } = this.#second;
    if (last < fewestToLearn) return;
    this.#rateAtCut = last;
    this.#rate = Math.max(1, last * rateCut);
  }

  #ease(factor: number, why: Pressure, isNews: boolean, now: number): void {
    if (isNews) this.#cut(factor, why, now);
  }

  #cut(factor: number, why: Pressure, now: number): void {
    this.#epoch++;
    this.#window = Math.max(1, this.#window * factor);
    this.#slowStartUntil = this.#window;
    this.#cutAt = now;
    this.#pressure = why;
  }

  #grow(now: number): void {
    const step = this.#window < this.#slowStartUntil ? 1 : 1 / this.#window;
    this.#window = Math.min(this.#limits.window, this.#window + step);
    if (this.#rate === undefined || !this.#isNewSecond(now)) return;
    this.#rate += Math.max(1, this.#rate / 20);
    const most = this.#limits.ratePerSecond ?? this.#rateAtCut * 2;
    if (this.#rate >= most) this.#rate = undefined;
  }

  #isNewSecond(now: number): boolean {
    if (now - this.#grownAt < secondMs) return false;
    this.#grownAt = now;
    return true;
  }

  #count(now: number): void {
    const passedMs = now - this.#second.since;
    if (passedMs >= secondMs) {
      const { taken } = this.#second;
      this.#second = { since: now, taken: 0, last: passedMs < 2 * secondMs ? taken : 0 };
    }
    this.#second.taken++;
  }

  /** Whether a second is over in which every response took much longer than they did. */
  #timed(tookMs: number, now: number): boolean {
    const isFirst = this.#baseMs === undefined;
    this.#latencyMs = isFirst ? tookMs : this.#latencyMs + (tookMs - this.#latencyMs) / 8;
    // The best time fades slowly, so that a route that became longer is not taken for congestion for ever.
    this.#baseMs = isFirst ? tookMs : Math.min(tookMs, (this.#baseMs ?? 0) * 1.001 + 0.01);
    const { since, count, fastestMs } = this.#round;
    const fastest = Math.min(fastestMs, tookMs);
    if (now - since < secondMs) {
      this.#round = { since, count: count + 1, fastestMs: fastest };
      return false;
    }
    this.#round = { since: now, count: 0, fastestMs: Number.POSITIVE_INFINITY };
    return count >= fewestToLearn && fastest > this.#baseMs * slowFactor + slowMarginMs;
  }

  #refill(now: number): void {
    const { rate } = this;
    if (rate === undefined) {
      this.#tokens = Number.POSITIVE_INFINITY;
      return;
    }
    const most = Math.max(1, rate * burstSeconds);
    const earned = (Math.max(0, now - this.#tokensAt) / secondMs) * rate;
    this.#tokens = Math.min(most, this.#tokens + earned);
    this.#tokensAt = now;
  }
}
