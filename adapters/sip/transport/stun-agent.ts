// Both sides of STUN keep-alives on one UDP socket (RFC 5626 s.4.4.2, s.8): asks a peer where it sees us, and says so to who asks.
import { randomBytes } from 'node:crypto';
import { RecentMap } from '../../../src/guards/recent-map.ts';
import { TokenBuckets } from '../../../src/guards/token-buckets.ts';
import { decodeStun, encodeBindingRefusal, encodeBindingRequest, encodeBindingSuccess } from '../codec/stun.ts';
import type { Endpoint } from './flow.ts';

/** A phone asks every 24 s; an answer is half as long again as its request, and goes to whoever is named as its sender. */
const answers = { perSecond: 10, burst: 100 };
const maxAsked = 256;
const maxUnknown = 8;

export class StunAgent {
  readonly #send: (bytes: Uint8Array, to: Endpoint) => void;
  readonly #sources: TokenBuckets;
  readonly #asked = new RecentMap<string, (seen: Endpoint) => void>(maxAsked);

  constructor(send: (bytes: Uint8Array, to: Endpoint) => void, now: () => number) {
    this.#send = send;
    this.#sources = new TokenBuckets(answers, now);
  }

  /** `heard` is called at most once, and not at all when nobody answers. */
  ask(remote: Endpoint, heard: (seen: Endpoint) => void): void {
    const id = randomBytes(12);
    this.#asked.set(keyOf(id, remote), heard);
    this.#send(encodeBindingRequest(id), remote);
  }

  receive(bytes: Buffer, remote: Endpoint): void {
    const message = decodeStun(bytes);
    if (!message) return;
    const { kind, id, seen, unknown } = message;
    if (kind === 'request') {
      if (this.#sources.take(remote.address) > 0) return;
      const refusal = () => encodeBindingRefusal(id, unknown.slice(0, maxUnknown));
      this.#send(unknown.length > 0 ? refusal() : encodeBindingSuccess(id, remote), remote);
      return;
    }
    const key = keyOf(id, remote);
    const heard = this.#asked.get(key);
    this.#asked.delete(key);
    if (kind === 'success' && seen) heard?.(seen);
  }
}

/** Only whom we asked can answer. */
function keyOf(id: Buffer, { address, port }: Endpoint): string {
  return `${id.toString('hex')}/${address}/${port}`;
}
