// Calls to applications: webhooks as signed JSON, and Kannel's URLs. One call an attempt; what failed the hub tries again.
import { createHmac } from 'node:crypto';
import { GatewayError } from '../../src/contract/index.ts';
import { errorOfAnswer } from './errors.ts';

export interface CallbackOptions {
  timeoutMs: number;
  now(): number;
}

const maxAnswerBytes = 16_384;

export class Callbacks {
  readonly #options: CallbackOptions;

  constructor(options: CallbackOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the application has taken it (2xx). `Dragoman-Signature: t=<seconds>,v1=<hex>` is HMAC-SHA256 of
   * `<seconds>.<body>` under the account's secret; `Dragoman-Event` is the same for every attempt. Throws GatewayError.
   */
  async post(url: string, secret: string, event: string, value: object, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(value);
    const seconds = Math.floor(this.#options.now() / 1000);
    await this.#fetch(url, signal, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'dragoman-event': event,
        'dragoman-signature': `t=${seconds},v1=${signatureOf(secret, seconds, body)}`,
      },
    });
  }

  /** What the application answered as text/plain, if anything. Throws GatewayError. */
  async get(url: string, signal: AbortSignal): Promise<string> {
    const response = await this.#fetch(url, signal, { method: 'GET' });
    if (!/^text\/plain\b/i.test(response.headers.get('content-type') ?? '')) return '';
    return textOf(response);
  }

  async #fetch(url: string, signal: AbortSignal, init: RequestInit): Promise<Response> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeoutMs)]);
    const response = await fetch(url, { ...init, signal: deadline, redirect: 'manual' }).catch((error: Error) => {
      const why = error.cause instanceof Error ? error.cause.message : error.message;
      throw new GatewayError('unreachable', `the application does not answer: ${why}`, { cause: error });
    });
    const refusal = errorOfAnswer(response.status, response.headers.get('retry-after'));
    if (!refusal) return response;
    await response.body?.cancel();
    throw refusal;
  }
}

export function signatureOf(secret: string, seconds: number, body: string): string {
  return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
}

// An answer becomes one message at most: the rest of a long one is left unread.
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxAnswerBytes) break;
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxAnswerBytes)).trim();
}
