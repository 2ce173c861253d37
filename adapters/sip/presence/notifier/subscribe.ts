// What a SUBSCRIBE asks for (RFC 6665 s.3.1, s.4.1.2.1), read before anybody decides about it.
import { parseUint32 } from '../../codec/cseq.ts';
import type { SipRequest } from '../../codec/message.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { type Rates, readRates } from './rates.ts';

export interface Subscribe {
  /** Empty when it named none. */
  event: string;
  eventId: string | undefined;
  /** Seconds; undefined when it leaves that to the package. */
  expires: number | undefined;
  /** Types and ranges, lower case, without parameters; undefined when it takes the default. */
  accepts: readonly string[] | undefined;
  rates: Rates | undefined;
  /** Suppress-If-Match: the mark of the state that it has already, or `*` (RFC 5839 s.5.2). */
  knows: string | undefined;
}

/** Throws SipParseError. */
export function readSubscribe({ headers }: SipRequest): Subscribe {
  const written = headers.get('Event');
  const { value: event, parameters } = written ? parseParameterised(written) : { value: '', parameters: new Map() };
  const expires = headers.get('Expires');
  const accepts = headers.all('Accept').map((type) => parseParameterised(type).value.toLowerCase());
  return {
    event: event.toLowerCase(),
    eventId: parameters.get('id'),
    expires: expires === undefined ? undefined : parseUint32(expires, 'Expires'),
    accepts: headers.has('Accept') ? accepts : undefined,
    rates: readRates(parameters),
    knows: headers.get('Suppress-If-Match'),
  };
}

/** The first of `types` that it takes. */
export function acceptable({ accepts }: Subscribe, types: readonly string[]): string | undefined {
  if (accepts === undefined) return types[0];
  return types.find((type) => {
    const [main] = type.split('/');
    return accepts.includes(type) || accepts.includes(`${main}/*`) || accepts.includes('*/*');
  });
}
