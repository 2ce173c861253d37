// SUBSCRIBE to presence.winfo on its way out: a person asks a presence server who watches that person.
import { type Address, GatewayError } from '../../../../src/contract/index.ts';
import { parseCSeq } from '../../codec/cseq.ts';
import type { SipRequest, SipResponse } from '../../codec/message.ts';
import { formatNameAddr, tagOf } from '../../codec/name-addr.ts';
import { requestIn } from '../../dialog.ts';
import type { Direction } from '../../directions.ts';
import { assertSender } from '../../dispatch.ts';
import { plainRequest } from '../../plain-request.ts';
import type { Route } from '../../requester.ts';
import type { Flow } from '../../transport/flow.ts';
import { contactOf } from '../notifier/contact.ts';
import type { AgentParts } from '../publication/agent.ts';
import type { AskedPeople, AskedPerson } from './asked-person.ts';
import { watcherInfoType } from './watcher-info.ts';
import { winfoPackage } from './winfo-notice.ts';

/** RFC 3857 s.4.2. */
const usualSeconds = 3600;

export class WinfoSender {
  readonly #parts: Pick<AgentParts, 'requester' | 'directions'>;
  readonly #people: AskedPeople;

  constructor(parts: Pick<AgentParts, 'requester' | 'directions'>, people: AskedPeople) {
    this.#parts = parts;
    this.#people = people;
  }

  /** In its dialog, or for a new one; 0 seconds end it. Throws GatewayError when nobody answers. */
  async subscribe(person: AskedPerson, signal: AbortSignal, seconds = usualSeconds): Promise<SipResponse> {
    const { presentity, towards } = person.record;
    const [direction] = await this.#parts.directions.find(towards);
    if (!direction) throw new GatewayError('unreachable', 'there is no way to this presence server');
    const { request, route } = this.#request(person, direction);
    request.headers
      .add('Event', winfoPackage)
      .add('Accept', watcherInfoType)
      .add('Allow-Events', 'presence')
      .add('Expires', String(seconds));
    for (const hop of route === direction.route ? direction.through : []) request.headers.add('Route', hop);
    assertSender(request.headers, presentity, direction);
    return this.#parts.requester.send({
      ...{ request, route, signal },
      ...(direction.credentials === undefined ? {} : { credentials: direction.credentials }),
      prepare: (copy, flow) => copy.headers.set('Contact', contactIn(direction, presentity, flow)),
      onSent: (copy) => keepUp(person, copy),
    });
  }

  #request(person: AskedPerson, direction: Direction): { request: SipRequest; route: Route } {
    const { dialog, record } = person;
    if (dialog) {
      const { request, next } = requestIn(dialog, 'SUBSCRIBE');
      const isOwnWay = dialog.routes.length > 0 || direction.isDirect === true;
      return { request, route: isOwnWay ? { uri: next } : direction.route };
    }
    const uri = direction.showAs ?? record.presentity;
    const request = plainRequest({ method: 'SUBSCRIBE', uri, from: uri, to: uri });
    const { headers } = request;
    this.#people.rename(person, () => {
      person.attempt = { callId: headers.get('Call-ID') ?? '', localTag: tagOf(headers.get('From')) ?? '', cseq: 1 };
    });
    return { request, route: direction.route };
  }
}

function contactIn({ contact: uri }: Direction, presentity: Address, flow: Flow): string {
  return uri === undefined ? contactOf(presentity, flow) : formatNameAddr({ uri, parameters: new Map() });
}

// A challenge has raised the CSeq, or a NOTIFY that came first has made the dialog.
function keepUp(person: AskedPerson, { headers }: SipRequest): void {
  const { number } = parseCSeq(headers.get('CSeq') ?? '');
  const { attempt, dialog } = person;
  if (attempt) attempt.cseq = Math.max(attempt.cseq, number);
  else if (dialog && number > dialog.localCSeq) person.dialog = { ...dialog, localCSeq: number };
}
