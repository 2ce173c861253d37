// The notifier of RFC 6665 s.4.2: SUBSCRIBE in, NOTIFY out, for any event package.
import type { SipRequest } from '../../codec/message.ts';
import { keyOfRequest } from '../../dialog.ts';
import type { Answer, Inbound } from '../../endpoint.ts';
import type { EventPackage } from './package.ts';
import { readSubscribe } from './subscribe.ts';

export class Notifier {
  readonly #packages: readonly EventPackage[];

  constructor(packages: readonly EventPackage[]) {
    this.#packages = packages;
  }

  /** For Allow-Events. */
  get events(): string[] {
    return [...new Set(this.#packages.map(({ name }) => name))];
  }

  /** SUBSCRIBE. Throws SipParseError and GatewayError. */
  async handle({ request }: Inbound): Promise<Answer> {
    const { event } = readSubscribe(request);
    if (!this.#packages.some(({ name }) => name === event)) return this.#badEvent();
    return this.#begin(request);
  }

  #begin(request: SipRequest): Answer {
    return keyOfRequest(request) === undefined ? this.#badEvent() : { status: 481 };
  }

  #badEvent(): Answer {
    return { status: 489, headers: [['Allow-Events', this.events.join(', ')]] };
  }
}
