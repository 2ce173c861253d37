// SUBSCRIBE of our own on its way out: somebody asks, at one place, for what is theirs.
import type { Address } from '../../../../src/contract/index.ts';
import { parseCSeq } from '../../codec/cseq.ts';
import type { SipRequest, SipResponse } from '../../codec/message.ts';
import { formatNameAddr, tagOf } from '../../codec/name-addr.ts';
import { requestIn } from '../../dialog.ts';
import type { Direction } from '../../directions.ts';
import { assertSender } from '../../dispatch.ts';
import { plainRequest } from '../../plain-request.ts';
import type { Requester, Route } from '../../requester.ts';
import type { Flow } from '../../transport/flow.ts';
import { contactOf } from '../notifier/contact.ts';
import type { OwnDialogs, OwnSubscription } from './own-subscription.ts';

export interface OwnWish {
  /** Whose state it is, and who asks for it. */
  person: Address;
  direction: Direction;
  event: string;
  accept: readonly string[];
  /** 0 ends it. */
  seconds: number;
}

export class OwnSender<Own extends OwnSubscription> {
  readonly #requester: Pick<Requester, 'send'>;
  readonly #dialogs: OwnDialogs<Own>;

  constructor(requester: Pick<Requester, 'send'>, dialogs: OwnDialogs<Own>) {
    this.#requester = requester;
    this.#dialogs = dialogs;
  }

  /** In its dialog, or for a new one. Throws GatewayError when nobody answers. */
  async subscribe(own: Own, wish: OwnWish, signal: AbortSignal): Promise<SipResponse> {
    const { person, direction, event, accept, seconds } = wish;
    const { request, route } = this.#request(own, wish);
    request.headers
      .add('Event', event)
      .add('Accept', accept.join(', '))
      .add('Allow-Events', 'presence')
      .add('Expires', String(seconds));
    for (const hop of route === direction.route ? direction.through : []) request.headers.add('Route', hop);
    assertSender(request.headers, person, direction);
    return this.#requester.send({
      ...{ request, route, signal },
      credentials: direction.credentials,
      prepare: (copy, flow) => copy.headers.set('Contact', contactIn(direction, person, flow)),
      onSent: (copy) => keepUp(own, copy),
    });
  }

  #request(own: Own, { person, direction }: OwnWish): { request: SipRequest; route: Route } {
    if (own.dialog) {
      const { request, next } = requestIn(own.dialog, 'SUBSCRIBE');
      const isOwnWay = own.dialog.routes.length > 0 || direction.isDirect === true;
      return { request, route: isOwnWay ? { uri: next } : direction.route };
    }
    const name = direction.showAs ?? person;
    const request = plainRequest({ method: 'SUBSCRIBE', uri: direction.target ?? name, from: name, to: name });
    const { headers } = request;
    const localTag = tagOf(headers.get('From')) ?? '';
    this.#dialogs.begin(own, { callId: headers.get('Call-ID') ?? '', localTag, cseq: 1 });
    return { request, route: direction.route };
  }
}

function contactIn({ contact: uri }: Direction, person: Address, flow: Flow): string {
  return uri === undefined ? contactOf(person, flow) : formatNameAddr({ uri, parameters: new Map() });
}

// A challenge has raised the CSeq, or a NOTIFY that came first has made the dialog.
function keepUp(own: OwnSubscription, { headers }: SipRequest): void {
  const { number } = parseCSeq(headers.get('CSeq') ?? '');
  const { attempt, dialog } = own;
  if (attempt) attempt.cseq = Math.max(attempt.cseq, number);
  else if (dialog && number > dialog.localCSeq) own.dialog = { ...dialog, localCSeq: number };
}
