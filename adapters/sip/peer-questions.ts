// Asks a peer what it takes (OPTIONS, RFC 3261 s.11), once in a while, behind a message that it took: nobody waits for it.
import type { Log } from '../../src/contract/index.ts';
import type { SipRequest } from './codec/message.ts';
import type { Direction } from './directions.ts';
import type { Peers } from './peers.ts';
import { plainRequest } from './plain-request.ts';
import type { Requester } from './requester.ts';
import { saidInOptions } from './said.ts';

export interface PeerQuestionsParts {
  peers: Peers;
  requester: Pick<Requester, 'send'>;
  log: Log;
  /** How long an answer, or none, will do. */
  rememberMs: number;
}

/** More peers than this are not asked at the same time: the next message will do it. */
const maxUnderWay = 8;
const patienceMs = 5000;

export class PeerQuestions {
  readonly #parts: PeerQuestionsParts;
  readonly #underWay = new Set<string>();

  constructor(parts: PeerQuestionsParts) {
    this.#parts = parts;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** `taken` is the request that the peer has just answered with 2xx, and `direction` how it went there. */
  consider(direction: Direction, taken: SipRequest): void {
    const { peer } = direction;
    if (this.#underWay.size >= maxUnderWay || this.#underWay.has(peer)) return;
    this.#underWay.add(peer);
    this.#ask(direction, taken)
      .catch((error: Error) => this.#parts.log.debug({ peer, why: error.message }, 'a peer says nothing of itself'))
      .finally(() => this.#underWay.delete(peer));
  }

  async #ask({ peer, route, through, credentials }: Direction, { uri, headers }: SipRequest): Promise<void> {
    const { peers, requester, rememberMs } = this.#parts;
    if (!(await peers.isTimeToAsk(peer, rememberMs))) return;
    const request = plainRequest({ method: 'OPTIONS', uri, from: headers.from().uri, to: headers.to().uri });
    request.headers.add('Accept', 'application/sdp');
    for (const hop of through) request.headers.add('Route', hop);
    const response = await requester.send({
      request,
      route,
      signal: AbortSignal.timeout(patienceMs),
      credentials,
    });
    await peers.learn(peer, saidInOptions(response), 'OPTIONS');
  }
}
