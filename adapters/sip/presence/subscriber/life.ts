// The tables of phases.ts at work: sends, waits, and tells the watcher what has come of it.
import { asGatewayError, GatewayError, type Hub } from '../../../../src/contract/index.ts';
import type { SipResponse } from '../../codec/message.ts';
import { errorOf, retryAfterOf } from '../../errors.ts';
import type { TimerWheel } from '../../timer-wheel.ts';
import { pauseMs, probeWaitMs, recentMs, refreshDelayMs, settledMs, startSpreadMs } from './pace.ts';
import { type Act, awaitsNotify, type Ending, type Happening, outcomeOf, steps } from './phases.ts';
import { isGone, prolong, type Sender, type Wish } from './sender.ts';
import type { WatchStore } from './store.ts';
import type { Teller } from './teller.ts';
import type { Watching } from './watch.ts';

export interface LifeParts {
  hub: Hub;
  wheel: TimerWheel;
  store: WatchStore;
  sender: Sender;
  teller: Teller;
  random: () => number;
}

export interface LifeOptions {
  /** How long a subscription is asked for. */
  seconds: number;
  /** T1 of RFC 3261. */
  t1Ms: number;
}

/** On whose behalf something is sent: an event that is delivered, or nobody's. */
export interface Behalf {
  signal: AbortSignal;
  event?: string;
  hops?: number;
}

export class Life {
  readonly #options: LifeOptions;
  readonly #parts: LifeParts;
  readonly #stopping = new AbortController();
  readonly #acts: Readonly<Record<Act, (watching: Watching, leastMs: number) => void>>;

  constructor(options: LifeOptions, parts: LifeParts) {
    this.#options = options;
    this.#parts = parts;
    const { wheel } = parts;
    const later = (work: (watching: Watching, leastMs: number) => Promise<void>) => {
      return (watching: Watching, leastMs: number) => this.#detached(work(watching, leastMs));
    };
    this.#acts = {
      subscribe: later((watching) => this.subscribe(watching)),
      refresh: later((watching) => this.#refresh(watching)),
      probe: later((watching) => this.#probe(watching)),
      judge: (watching) => this.#judge(watching),
      schedule: (watching) => wheel.set(watching, refreshDelayMs(this.#leftMs(watching), parts.random)),
      lapse: (watching) => wheel.set(watching, this.#leftMs(watching)),
      expire: later((watching) => this.#expire(watching)),
      rest: later((watching, leastMs) => this.#rest(watching, leastMs)),
      retry: (watching, leastMs) => this.#retry(watching, leastMs),
      wake: (watching) => this.#wake(watching),
      forget: later((watching) => this.forget(watching)),
    };
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** What has come about, and `leastMs` to wait where that was asked for. In a phase that it means nothing to, nothing happens. */
  happen(watching: Watching, happening: Happening, leastMs = 0): void {
    const step = steps[watching.phase][happening];
    if (!step || (happening === 'wanted' && watching.watch.isInvariant)) return;
    watching.phase = step[0];
    this.#acts[step[1]](watching, leastMs);
  }

  /** Goes on where an earlier process stopped. */
  resume(watching: Watching): void {
    const { wheel, random } = this.#parts;
    const { dialog, standing, isInvariant } = watching.watch;
    if (dialog && this.#leftMs(watching) > 0) {
      watching.phase = 'live';
      wheel.set(watching, refreshDelayMs(this.#leftMs(watching), random));
    } else if (!isInvariant && (dialog || standing === 'asked')) {
      watching.phase = dialog ? 'lapsing' : 'resting';
      wheel.set(watching, random() * startSpreadMs);
    }
  }

  /** A new dialog. Throws GatewayError unless it was taken, or refused for good and the watcher told. */
  async subscribe(watching: Watching, behalf: Behalf = { signal: this.#stopping.signal }): Promise<void> {
    watching.phase = 'subscribing';
    // Timer N begins with each copy that leaves; until then the wait is for a turn.
    const { sender, wheel } = this.#parts;
    wheel.cancel(watching);
    this.#parts.store.drop(watching);
    const seconds = watching.watch.standing === 'polled' ? 0 : this.#options.seconds;
    const response = await this.#ask(watching, behalf, (wish) => sender.open(watching, { ...wish, seconds }));
    if (response) await this.#answered(watching, response);
  }

  /** Ends the dialog (RFC 8048 s.5.2.3). Throws GatewayError when that has to be tried again. */
  async leave(watching: Watching, behalf: Behalf): Promise<void> {
    const { wheel, sender, store, teller } = this.#parts;
    watching.phase = 'leaving';
    wheel.cancel(watching);
    try {
      const response = await this.#ask(watching, behalf, (wish) => sender.inside(watching, { ...wish, seconds: 0 }));
      if (response && outcomeOf(response.status) === 'failed') throw errorOf(response);
    } catch (error) {
      // Unless its last NOTIFY has come, or there is nobody to tell.
      if (watching.phase === 'leaving' && !isGone(error)) {
        watching.phase = 'lapsing';
        wheel.set(watching, this.#leftMs(watching));
        throw error;
      }
    }
    await teller.answer(watching.watch, 'deny');
    await store.retire(watching);
  }

  /** A NOTIFY said that it is over (RFC 6665 s.4.1.3). */
  async ended(watching: Watching, ending: Ending, retryAfterMs = 0): Promise<void> {
    const { watch } = watching;
    if (watching.phase === 'leaving' || watch.standing === 'polled') return this.forget(watching);
    if (ending === 'denied') return this.deny(watching);
    if (ending === 'invariant') {
      watch.isInvariant = true;
      return this.#idle(watching);
    }
    await this.#gone(watching);
    if (ending === 'never') return this.forget(watching);
    const isSettled = this.#parts.hub.now() - watching.beganAt >= settledMs;
    if (isSettled) watching.failures = 0;
    if (!watching.isOnline && watch.standing === 'granted') return this.#idle(watching);
    // One that ends as soon as it has begun would go round and round.
    if (ending === 'later' || !isSettled) return this.#rest(watching, retryAfterMs);
    this.#detached(this.subscribe(watching));
  }

  /** RFC 8048 s.5.2.1: the contact has said no, for good. */
  async deny(watching: Watching): Promise<void> {
    try {
      if (watching.watch.standing !== 'polled') await this.#parts.teller.answer(watching.watch, 'deny');
    } catch (error) {
      // Whoever could not be told now is told after the next refusal.
      await this.#rest(watching, 0);
      throw error;
    }
    await this.forget(watching);
  }

  async forget(watching: Watching): Promise<void> {
    watching.phase = 'over';
    this.#parts.wheel.cancel(watching);
    await this.#parts.store.remove(watching);
    this.#parts.hub.metrics.gauge('watches', this.#parts.store.size);
  }

  // The answer, unless something newer was sent meanwhile.
  async #ask(
    watching: Watching,
    { signal, event, hops = 0 }: Behalf,
    send: (wish: Omit<Wish, 'seconds'>) => Promise<SipResponse>,
  ): Promise<SipResponse | undefined> {
    const { hub, wheel } = this.#parts;
    watching.tries++;
    const { tries } = watching;
    const isCurrent = () => watching.tries === tries && watching.phase !== 'over';
    const sent = () => {
      // RFC 6665 s.4.1.2.4. A NOTIFY may have come already.
      if (isCurrent() && awaitsNotify.has(watching.phase)) wheel.set(watching, 64 * this.#options.t1Ms);
    };
    try {
      const response = await send({ signal, event, hops, sent });
      hub.metrics.count('answers_total', { method: 'SUBSCRIBE', status: String(response.status) });
      return isCurrent() ? response : undefined;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      delete watching.watch.etag;
      const happening = isGone(error) ? 'dead' : 'failed';
      if (isCurrent() && !this.#stopping.signal.aborted) this.happen(watching, happening, error.retryAfterMs);
      throw error;
    }
  }

  async #answered(watching: Watching, response: SipResponse): Promise<void> {
    const outcome = outcomeOf(response.status);
    if (outcome === 'taken') return this.#taken(watching, response);
    if (outcome === 'refused') return this.deny(watching);
    // RFC 5839 s.5.8: something on the way may not like conditions.
    delete watching.watch.etag;
    this.happen(watching, outcome === 'dead' ? 'dead' : 'failed', retryAfterOf(response));
    throw errorOf(response);
  }

  // RFC 8048 s.5.2.1: a 2xx says nothing of approval. The dialog, too, is the NOTIFY's to make (RFC 6665 s.4.4.1).
  async #taken(watching: Watching, response: SipResponse): Promise<void> {
    const { watch, phase } = watching;
    if (!watch.dialog || phase === 'leaving') return;
    if (phase === 'refreshing') {
      prolong(watch, response, this.#options.seconds, this.#parts.hub.now());
      watching.failures = 0;
      // RFC 5839 s.5.2: nothing has changed, and no NOTIFY comes.
      if (response.status === 204) this.happen(watching, 'notified');
    }
    await this.#parts.store.save(watching);
  }

  async #refresh(watching: Watching): Promise<void> {
    const { sender, wheel } = this.#parts;
    const { seconds } = this.#options;
    const behalf = { signal: this.#stopping.signal };
    wheel.cancel(watching);
    const response = await this.#ask(watching, behalf, (wish) => sender.inside(watching, { ...wish, seconds }));
    if (response) await this.#answered(watching, response);
  }

  async #probe(watching: Watching): Promise<void> {
    this.#parts.wheel.set(watching, probeWaitMs(this.#leftMs(watching)));
    await this.#parts.teller.probe(watching.watch);
  }

  // Whoever was heard a moment ago is there, even where the network keeps its people's presence to itself.
  #judge(watching: Watching): void {
    const { hub } = this.#parts;
    const isThere = watching.isOnline && hub.now() - watching.heardAt < recentMs;
    this.happen(watching, isThere ? 'wanted' : 'absent');
  }

  #retry(watching: Watching, leastMs: number): void {
    const pause = Math.max(pauseMs(watching.failures++, this.#parts.random), leastMs);
    const leftMs = this.#leftMs(watching);
    // No time for another attempt: it ends, and what follows is a new dialog.
    if (pause >= leftMs) watching.phase = 'lapsing';
    this.#parts.wheel.set(watching, Math.min(pause, leftMs));
  }

  async #expire(watching: Watching): Promise<void> {
    const { wheel, random, teller } = this.#parts;
    try {
      await this.#gone(watching);
    } catch (error) {
      watching.phase = 'lapsing';
      wheel.set(watching, pauseMs(watching.failures++, random));
      throw error;
    }
    await this.#idle(watching);
    // Whoever has come back unheard, or was there before we began, is found by this.
    if (watching.isOnline || watching.heardAt === Number.NEGATIVE_INFINITY) await teller.probe(watching.watch);
  }

  async #rest(watching: Watching, leastMs: number): Promise<void> {
    const { wheel, random, store } = this.#parts;
    if (watching.watch.standing === 'polled') return this.forget(watching);
    watching.phase = 'resting';
    wheel.set(watching, Math.max(pauseMs(watching.failures++, random), leastMs));
    this.#parts.store.drop(watching);
    try {
      await this.#gone(watching);
    } finally {
      await store.save(watching);
    }
  }

  #wake(watching: Watching): void {
    watching.phase = 'idle';
    if (watching.isOnline || watching.watch.standing === 'asked') this.happen(watching, 'wanted');
  }

  async #idle(watching: Watching): Promise<void> {
    watching.phase = 'idle';
    this.#parts.wheel.cancel(watching);
    this.#parts.store.drop(watching);
    await this.#parts.store.save(watching);
  }

  async #gone(watching: Watching): Promise<void> {
    const { watch } = watching;
    if (!watch.devices.some(({ availability }) => availability !== 'unavailable')) return;
    await this.#parts.teller.gone(watch);
    watch.devices = [];
  }

  #leftMs({ watch }: Watching): number {
    return Math.max(watch.expiresAt - this.#parts.hub.now(), 0);
  }

  // Nobody waits for what a timer began; what fails has set the next timer already.
  #detached(work: Promise<void>): void {
    work.catch((error: unknown) => {
      const { reason, message } = asGatewayError(error);
      if (this.#stopping.signal.aborted) return;
      const level = error instanceof GatewayError ? 'debug' : 'error';
      this.#parts.hub.log[level]({ reason, why: message }, 'a subscription did not get on');
    });
  }
}
