// A third network, as a package of somebody else's would bring it: it knows presence and subscriptions, and nothing of XMPP or SIP.

import { Loopback, type LoopbackOptions, adapter as loopback } from '../../adapters/loopback/index.ts';
import { type AdapterModule, type DraftOf, type EventType, parseAddress } from '../../src/contract/index.ts';

export class WirelessVillage extends Loopback {
  /** The one that runs. */
  static last: WirelessVillage | undefined;
  override readonly accepts: ReadonlySet<EventType> = new Set(['message', 'receipt', 'presence', 'subscription']);
  #publish:
    | ((draft: DraftOf<'presence'> | DraftOf<'subscription'> | DraftOf<'receipt'>) => Promise<unknown>)
    | undefined;

  override async start(...[hub]: Parameters<Loopback['start']>): Promise<void> {
    WirelessVillage.last = this;
    this.#publish = (draft) => hub.publish(draft);
    await super.start(hub);
  }

  async tell(from: string, to: string, said: Partial<DraftOf<'presence'>>): Promise<void> {
    const people = { from: parseAddress(from), to: parseAddress(to) };
    await this.#publish?.({ type: 'presence', availability: 'available', ...people, ...said });
  }

  async ask(from: string, to: string, action: DraftOf<'subscription'>['action']): Promise<void> {
    await this.#publish?.({ type: 'subscription', action, from: parseAddress(from), to: parseAddress(to) });
  }

  async report(from: string, to: string, of: string, state: DraftOf<'receipt'>['state']): Promise<void> {
    await this.#publish?.({ type: 'receipt', from: parseAddress(from), to: parseAddress(to), of, state });
  }
}

export const adapter: AdapterModule<LoopbackOptions> = {
  ...loopback,
  protocol: 'wireless-village',
  network: 'wv',
  gatewayDomains: ({ domain }) => [{ domain, shows: ['sip', 'xmpp', 'tel'] }],
  create: (_name, settings) => new WirelessVillage(settings),
};
