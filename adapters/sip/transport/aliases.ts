// Connections that peers opened to us and that our own requests may take (RFC 5923): only over TLS, only where the peer has shown
// a certificate, and only towards the domains that it names. Anybody else could say `alias` and be sent what is not theirs.
import type { PeerCertificate } from 'node:tls';
import { type SipMessage, SipParseError } from '../codec/message.ts';
import { parseVia, type Via } from '../codec/via.ts';
import type { Endpoint, Flow } from './flow.ts';
import { checkDomain } from './tls.ts';

interface Alias {
  flow: Flow;
  certificate: PeerCertificate;
}

const tlsPort = 5061;
/** A peer has one port where it listens; more is a mistake. */
const maxOfOne = 4;

export class Aliases {
  readonly #byPlace = new Map<string, Alias>();
  readonly #places = new Map<Flow, Set<string>>();

  get size(): number {
    return this.#byPlace.size;
  }

  /** Of a request that came by that flow. s.9.2: the address it came from, and the port that its Via names. */
  note(message: SipMessage, flow: Flow, certificate: PeerCertificate): void {
    const via = message.kind === 'request' ? offer(message.headers.all('Via')[0] ?? '') : undefined;
    const places = this.#places.get(flow) ?? new Set();
    if (!via || places.size >= maxOfOne) return;
    const place = placeOf({ address: flow.remote.address, port: via.port ?? tlsPort });
    this.#places.set(flow, places.add(place));
    this.#byPlace.set(place, { flow, certificate });
  }

  /** Whoever is wanted there, by that domain. */
  find(place: Endpoint, domain: string): Flow | undefined {
    const alias = this.#byPlace.get(placeOf(place));
    if (!alias?.flow.isOpen || checkDomain(domain, alias.certificate)) return undefined;
    return alias.flow;
  }

  closed(flow: Flow): void {
    for (const place of this.#places.get(flow) ?? []) {
      if (this.#byPlace.get(place)?.flow === flow) this.#byPlace.delete(place);
    }
    this.#places.delete(flow);
  }
}

function offer(text: string): Via | undefined {
  if (!/;\s*alias/i.test(text)) return undefined;
  try {
    const via = parseVia(text);
    return via.parameters.has('alias') ? via : undefined;
  } catch (error) {
    // The transaction layer says what is wrong with it.
    if (error instanceof SipParseError) return undefined;
    throw error;
  }
}

function placeOf({ address, port }: Endpoint): string {
  return `${address}/${port}`;
}
