// "Is typing" on its way out (RFC 3994): said once in a refresh interval, ended by itself, and never again to who refuses it.
import { bareAddress, type EventOf, type GatewayEvent, type Hub } from '../../src/contract/index.ts';
import { RecentMap } from '../../src/guards/recent-map.ts';
import type { Dispatch } from './dispatch.ts';
import { fromTyping } from './mapping/outbound.ts';
import type { Peers } from './peers.ts';
import { isTypeRefused, saidInRefusal } from './said.ts';
import type { TypingWatch } from './typing-watch.ts';

export interface TypingOutOptions {
  typing: boolean;
  typingIdleMs: number;
}

export interface TypingOutParts {
  hub: Hub;
  dispatch: Dispatch;
  peers: Peers;
  watch: TypingWatch;
  /** Ends what goes out by itself. */
  stopping: AbortSignal;
}

type Typing = EventOf<'typing'>;

// s.3.2: no more than one `active` in a refresh interval of at least 60 s.
const refreshMs = 60_000;
const maxComposing = 10_000;

export class TypingOut {
  readonly #options: TypingOutOptions;
  readonly #parts: TypingOutParts;
  /** Since when a pair has been told `active`. */
  readonly #composing = new RecentMap<string, number>(maxComposing);

  constructor(options: TypingOutOptions, parts: TypingOutParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** s.3.2: content says that nobody composes any more. */
  ended(event: GatewayEvent): void {
    if (this.#composing.size === 0 && this.#parts.watch.size === 0) return;
    const pair = pairOf(event);
    this.#composing.delete(pair);
    this.#parts.watch.forget(pair);
  }

  /** Throws GatewayError. */
  async deliver(event: Typing, signal: AbortSignal): Promise<void> {
    if (!this.#options.typing) return;
    this.#watch(event);
    if (this.#isNews(event)) await this.#send(event, signal);
  }

  #send(event: Typing, signal: AbortSignal): Promise<void> {
    const { dispatch, peers } = this.#parts;
    return dispatch.send(event, signal, async (attempt, peer) => {
      if ((await peers.takes(peer, 'typing')) === false) return undefined;
      const response = await attempt((context) => fromTyping(event, context));
      if (!isTypeRefused(response)) return response;
      // s.4: never again after 415.
      await peers.learn(peer, saidInRefusal(response, 'MESSAGE', ['typing']), String(response.status));
      return undefined;
    });
  }

  // s.3.2 has the sender's side notice that nobody types; the far client does so itself, unless it is gone.
  #watch(event: Typing): void {
    const { watch, hub, stopping } = this.#parts;
    const { typingIdleMs } = this.#options;
    const pair = pairOf(event);
    watch.forget(pair);
    if (event.state !== 'composing' || typingIdleMs === 0) return;
    watch.watch(pair, typingIdleMs, () => {
      if (!this.#composing.delete(pair) || stopping.aborted) return;
      this.#send({ ...event, state: 'paused' }, stopping).catch((error: Error) =>
        hub.log.debug({ why: error.message }, 'typing'),
      );
    });
  }

  #isNews(event: Typing): boolean {
    const pair = pairOf(event);
    const now = this.#parts.hub.now();
    const since = this.#composing.get(pair);
    if (event.state !== 'composing') {
      this.#composing.delete(pair);
      return since !== undefined;
    }
    if (since !== undefined && now < since + refreshMs) return false;
    this.#composing.set(pair, now);
    return true;
  }
}

function pairOf({ from, to }: GatewayEvent): string {
  return `${bareAddress(from)}|${bareAddress(to)}`;
}
