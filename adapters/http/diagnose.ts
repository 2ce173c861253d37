// `dragoman doctor`: whether each application answers where its callbacks go.
import type { Finding } from '../../src/contract/index.ts';
import type { HttpOptions } from './config.ts';

export async function* diagnose({ accounts }: HttpOptions, signal: AbortSignal): AsyncIterable<Finding> {
  for (const [name, { webhook, getUrl }] of Object.entries(accounts)) {
    const url = webhook?.url ?? getUrl;
    if (url === undefined) {
      yield {
        state: 'warning',
        what: `${name} gets no messages`,
        advice: 'set its webhook or getUrl, unless it only sends',
      };
      continue;
    }
    const { origin } = new URL(url.replace(/%[a-zA-Z]/g, 'x'));
    // Any answer will do: what it thinks of a request without a message says nothing.
    const why = await fetch(origin, { method: 'OPTIONS', signal, redirect: 'manual' }).then(
      () => undefined,
      (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message),
    );
    if (why === undefined) yield { state: 'ok', what: `${name} answers at ${origin}` };
    else
      yield {
        state: 'failed',
        what: `${name} does not answer at ${origin}: ${why}`,
        advice: 'start it, or mend its URL',
      };
  }
}
