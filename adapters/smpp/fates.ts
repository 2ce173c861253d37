// What became of one part, and what that means for the message as a whole.
import { asGatewayError, GatewayError } from '../../src/contract/index.ts';
import { NotSent } from './binds/pacer.ts';
import { SessionError } from './exchange.ts';

export type Fate = 'taken' | 'unknown' | GatewayError;

export const lostWords = 'the link to the SMS centre broke before it answered: the message may have arrived';

export function fateOf(error: unknown): Fate {
  if (error instanceof SessionError && error.isSent) return 'unknown';
  if (error instanceof NotSent) {
    return new GatewayError(error.isThrottled ? 'throttled' : 'unavailable', error.message);
  }
  if (error instanceof SessionError) return new GatewayError('unavailable', error.message);
  if (error instanceof RangeError) return new GatewayError('malformed', `SMPP cannot say it: ${error.message}`);
  return asGatewayError(error);
}

/** What decides about the whole: a final refusal, else what asks for patience, else whatever failed. */
export function worstOf(fates: readonly Fate[]): GatewayError {
  const failures = fates.filter((fate) => fate instanceof GatewayError);
  return (
    failures.find(({ isFinal }) => isFinal) ??
    failures.find(({ reason }) => reason === 'throttled') ??
    failures[0] ??
    new GatewayError('unavailable', 'the link to the SMS centre broke before it answered')
  );
}
