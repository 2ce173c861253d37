// The one error this codec throws: what arrived, or what we were asked to write, is no SIP.
import type { SipRequest } from './message.ts';

export interface SipParseErrorDetail {
  /** The response status a request with this fault deserves; 400 when not said. */
  status?: number;
  /** As much of the request as could be read: the headers that a response copies. Absent for a response or for noise. */
  partial?: SipRequest | undefined;
  /** The stream has lost its framing: nothing after this can be trusted. */
  isFatal?: boolean;
}

export class SipParseError extends Error {
  readonly status: number;
  readonly partial: SipRequest | undefined;
  readonly isFatal: boolean;

  constructor(message: string, detail: SipParseErrorDetail = {}) {
    super(message);
    this.name = 'SipParseError';
    this.status = detail.status ?? 400;
    this.partial = detail.partial;
    this.isFatal = detail.isFatal ?? false;
  }

  /** The same fault, with more known about where it happened. */
  with(detail: SipParseErrorDetail): SipParseError {
    return new SipParseError(this.message, {
      status: this.status,
      partial: this.partial,
      isFatal: this.isFatal,
      ...detail,
    });
  }
}

/** For messages and logs: never more than 60 characters of what a peer sent. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
