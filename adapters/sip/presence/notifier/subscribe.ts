// What a SUBSCRIBE asks for (RFC 6665 s.3.1, s.4.1.2.1), read before anybody decides about it.
import { parseUint32 } from '../../codec/cseq.ts';
import type { Headers, SipRequest } from '../../codec/message.ts';
import { parseParameterised } from '../../codec/parameters.ts';
import { type Rates, readRates } from './rates.ts';

export interface Subscribe {
  /** Lower case; empty when it named none. */
  event: string;
  /** As it was written, where that is otherwise. */
  spelled: string | undefined;
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
  const name = event.toLowerCase();
  return {
    event: name,
    spelled: event === name ? undefined : event,
    eventId: parameters.get('id'),
    expires: expires === undefined ? undefined : parseUint32(expires, 'Expires'),
    accepts: headers.has('Accept') ? readAccept(headers) : undefined,
    rates: readRates(parameters),
    knows: headers.get('Suppress-If-Match'),
  };
}

/** RFC 3261 s.20.1: an empty one takes nothing, `q=0` is for what is not taken. */
function readAccept(headers: Headers): ReadonlyMap<string, boolean> {
  const ranges = headers.all('Accept').filter((range) => range !== '');
  return new Map(
    ranges.map((range) => {
      const { value, parameters } = parseParameterised(range);
      return [value.toLowerCase(), !/^0(\.0*)?$/.test(parameters.get('q') ?? '')];
    }),
  );
}

/** The first of `types` that it takes: what it likes better may say less (xpidf has no words). */
export function acceptable({ accepts }: Subscribe, types: readonly string[]): string | undefined {
  if (accepts === undefined) return types[0];
  return types.find((type) => {
    const [main] = type.split('/');
    return accepts.get(type) ?? accepts.get(`${main}/*`) ?? accepts.get('*/*') ?? false;
  });
}
