// One table: why something was refused <-> HTTP status, and the words that Kannel's clients know.
import { type FailureReason, GatewayError } from '../../src/contract/index.ts';

const statuses: Readonly<Record<FailureReason, number>> = {
  malformed: 400,
  unsupported: 422,
  'not-found': 404,
  'not-allowed': 403,
  'too-large': 413,
  expired: 400,
  throttled: 429,
  unreachable: 503,
  unavailable: 503,
  internal: 500,
};

export function statusOf(reason: FailureReason): number {
  return statuses[reason];
}

/** What an application's answer to a callback means. Undefined: it has taken it. */
export function errorOfAnswer(status: number, retryAfter: string | null): GatewayError | undefined {
  if (status >= 200 && status < 300) return undefined;
  const native = String(status);
  // RFC 9110 s.15.5.11: gone for good. Everything else may be a mistake that its operator will mend.
  if (status === 410)
    return new GatewayError('not-found', 'the application wants no more callbacks here (410)', { native });
  const seconds = Number(retryAfter ?? Number.NaN);
  const detail = Number.isFinite(seconds) && seconds > 0 ? { native, retryAfterMs: seconds * 1000 } : { native };
  return new GatewayError('unavailable', `the application answered ${status}`, detail);
}
