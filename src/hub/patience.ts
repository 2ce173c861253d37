// A store that restarts is away for a moment: worth a short wait, but no longer than a peer waits for its answer.
import { GatewayError } from '../contract/index.ts';

const patienceMs = 3000;

/** Asks again while the store is `unavailable`, with growing pauses, for three seconds. */
export function withPatience<T>(question: () => Promise<T>): Promise<T> {
  const until = performance.now() + patienceMs;
  // Each message asks several times, and nearly always once: the first answer goes straight through.
  return question().catch((error: unknown) => again(question, error, until));
}

async function again<T>(question: () => Promise<T>, failure: unknown, until: number): Promise<T> {
  let error = failure;
  for (let pauseMs = 50; ; pauseMs *= 2) {
    const isPassing = error instanceof GatewayError && error.reason === 'unavailable';
    if (!isPassing || performance.now() + pauseMs > until) throw error;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    try {
      return await question();
    } catch (next) {
      error = next;
    }
  }
}
