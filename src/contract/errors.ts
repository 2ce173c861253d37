// The closed list of reasons for which an event can fail, and the one error type that carries them.
// Each adapter's errors.ts translates between these and its own network's status codes.

/** Trying again cannot help: the sender is told at once. */
export const finalReasons = ['malformed', 'unsupported', 'not-found', 'not-allowed', 'too-large', 'expired'] as const;
/** Worth another try until the event's `expiresAt`. */
export const passingReasons = ['throttled', 'unreachable', 'unavailable', 'internal'] as const;
export const failureReasons = [...finalReasons, ...passingReasons] as const;

export type FailureReason = (typeof failureReasons)[number];

/**
 * What networks with finer words call a failure: the stanza errors of RFC 6120 s.8.3.3, each of which has a SIP status (RFC
 * 7247 s.7.1). The hub decides by the reason alone; a sender whose network knows the word is told it.
 */
export const failureConditions = [
  'bad-request',
  'conflict',
  'feature-not-implemented',
  'forbidden',
  'gone',
  'internal-server-error',
  'item-not-found',
  'jid-malformed',
  'not-acceptable',
  'not-allowed',
  'not-authorized',
  'policy-violation',
  'recipient-unavailable',
  'redirect',
  'registration-required',
  'remote-server-not-found',
  'remote-server-timeout',
  'resource-constraint',
  'service-unavailable',
  'subscription-required',
  'undefined-condition',
  'unexpected-request',
] as const;
export type FailureCondition = (typeof failureConditions)[number];

export interface Fault {
  condition: FailureCondition;
  /** Of `gone` and `redirect`: where the recipient says to be now, a URI as the far network writes it. */
  movedTo?: string | undefined;
}

const final: ReadonlySet<FailureReason> = new Set(finalReasons);

export interface GatewayErrorDetail {
  /** How long the far side asked us to wait, in milliseconds. */
  retryAfterMs?: number;
  /** The network's own code, for logs and traces: `404`, `ESME_RTHROTTLED`, `item-not-found`. */
  native?: string;
  fault?: Fault;
  cause?: unknown;
}

/** A failure with a policy attached. Its message is shown to people, so it never holds a body or a secret. */
export class GatewayError extends Error {
  readonly reason: FailureReason;
  readonly retryAfterMs: number | undefined;
  readonly native: string | undefined;
  readonly fault: Fault | undefined;

  constructor(reason: FailureReason, message: string, detail: GatewayErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'GatewayError';
    this.reason = reason;
    this.retryAfterMs = detail.retryAfterMs;
    this.native = detail.native;
    this.fault = detail.fault;
  }

  get isFinal(): boolean {
    return final.has(this.reason);
  }
}

/** Whatever was thrown, as a GatewayError; what we did not foresee is `internal`. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new GatewayError('internal', message, { cause: thrown });
}
