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
  /** Types and ranges, lower case, and whether it takes them; undefined when it takes the default. */
  accepts: ReadonlyMap<string, boolean> | undefined;
  rates: Rates | undefined;
  /** Suppress-If-Match: the mark of the state that it has already, or `*` (RFC 5839 s.5.2). */
  knows: string | undefined;
}

/** Throws SipParseError. */
export function readSubscribe({ headers }: SipRequest): Subscribe {
  const written = headers.get('Event');
  const { value: event, parameters } = written ? parseParameterised(written) : { value: '', parameters: new Map() };
  const expires = headers.get('Expires');
  return {
    event: event.toLowerCase(),
    eventId: parameters.get('id'),
    expires: expires === undefined ? undefined : parseUint32(expires, 'Expires'),
    accepts: headers.has('Accept') ? new Map(headers.all('Accept').map(readAccept)) : undefined,
    rates: readRates(parameters),
    knows: headers.get('Suppress-If-Match'),
  };
}

/** RFC 3261 s.20.1: `q=0` is for what is not taken. */
function readAccept(text: string): readonly [type: string, isTaken: boolean] {
  const { value, parameters } = parseParameterised(text);
  return [value.toLowerCase(), !/^0(\.0*)?$/.test(parameters.get('q') ?? '')];
}

/** The first of `types` that it takes: what it likes better may say less (xpidf has no words). */
export function acceptable({ accepts }: Subscribe, types: readonly string[]): string | undefined {
  if (accepts === undefined) return types[0];
  return types.find((type) => {
    const [main] = type.split('/');
    return accepts.get(type) ?? accepts.get(`${main}/*`) ?? accepts.get('*/*') ?? false;
  });
}
