// What happens to a request before anybody acts on it (RFC 3261 s.8.2): method, scheme, Require, dialog, who is asking.
import { GatewayError } from '../../src/contract/index.ts';
import { type Rate, TokenBuckets } from '../../src/guards/token-buckets.ts';
import { createResponse, SipParseError, type SipRequest } from './codec/message.ts';
import type { DigestServer } from './digest/index.ts';
import { statusOf } from './errors.ts';
import { newTag, tagFor } from './tokens.ts';
import { isLooped } from './transaction/keys.ts';
import type { ServerTransaction } from './transaction/server.ts';
import type { Flow } from './transport/flow.ts';

export interface Answer {
  status: number;
  reason?: string;
  headers?: ReadonlyArray<readonly [name: string, value: string]>;
  /** The event that the request became, for its trace. */
  event?: string;
  /** Our side of the dialog that the request made; a new one when it made none. */
  toTag?: string;
  /** Called when the answer is on its way: what must follow it (NOTIFY after the 2xx, RFC 6665 s.4.2.1.2). */
  afterwards?(): void;
  /** Nothing is kept of it: the same request once more is a new one (RFC 3261 s.8.2.7). */
  isForgotten?: boolean;
}

export interface Inbound {
  request: SipRequest;
  flow: Flow;
  /** From an address on the `trusted` list. */
  isTrusted: boolean;
  /** Who proved to be who, where digest was asked for. */
  user?: string;
}

export interface Method {
  /** Answers once. SipParseError and GatewayError are answered as they say, everything else is 500. */
  handle(inbound: Inbound): Promise<Answer>;
  /** It travels on behind us, so its Max-Forwards counts. */
  isPassedOn: boolean;
  /** Strangers must prove who they are, where digest is configured. */
  wantsProof: boolean;
}

export interface EndpointOptions {
  methods: ReadonlyMap<string, Method>;
  accept: readonly string[];
  supported: readonly string[];
  /** Whether sips: is taken for people of other networks. */
  acceptSips: boolean;
  /** Event packages (RFC 6665 s.4.4.4); none: no Allow-Events. */
  events: readonly string[];
  /** Proxies and providers: not challenged, not counted. */
  isTrusted(address: string): boolean;
  digest?: DigestServer | undefined;
  /** Challenges are a proxy's (407, RFC 3261 s.22.3), but for REGISTER. */
  isProxy?: boolean | undefined;
  /** Requests under way, in all and from one address, beyond which 503 is the answer. */
  maxPending: number;
  maxPendingPerSource: number;
  /** Of one address that is not trusted: requests, and answers to our challenges that are wrong. */
  rates: { source: Rate; wrongPasswords: Rate };
  now(): number;
  /** `bytes` are what went out; undefined when it was too late for an answer. */
  answered(request: SipRequest, answer: Answer, bytes: Uint8Array | undefined): void;
  /** A request that says what makes no sense; `source` is the address it came from. */
  refused(request: SipRequest, error: SipParseError, source: string): void;
  failed(request: SipRequest, error: unknown): void;
}

// RFC 3261 and its extensions: what we know by name but do not do is 405, the rest 501.
export const knownMethods: ReadonlySet<string> = new Set(
  'INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE'.split(' '),
);
const schemes = /^(sips?|tel|im|pres):/i;

export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #allow: string;
  readonly #pendingBySource = new Map<string, number>();
  readonly #sources: TokenBuckets;
  readonly #wrongPasswords: TokenBuckets;
  #pending = 0;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#sources = new TokenBuckets(options.rates.source, options.now);
    this.#wrongPasswords = new TokenBuckets(options.rates.wrongPasswords, options.now);
    this.#allow = [...options.methods.keys(), 'OPTIONS', 'CANCEL'].join(', ');
  }

  async receive(request: SipRequest, transaction: ServerTransaction): Promise<void> {
    const { flow } = transaction;
    let answer: Answer;
    try {
      const refusal = this.#refusal(request, flow.remote.address);
      answer = refusal ? forgotten(refusal, request) : await this.#handle(request, flow);
    } catch (error) {
      answer = this.#answerTo(request, error, flow.remote.address);
    }
    const { status, reason, headers = [], toTag = newTag() } = answer;
    const response = createResponse(request, status, { toTag, ...(reason === undefined ? {} : { reason }) });
    for (const [name, value] of headers) response.headers.add(name, value);
    // s.21.4.6, whoever says so
    if (status === 405 && !response.headers.has('Allow')) response.headers.add('Allow', this.#allow);
    const sent = transaction.respond(response);
    if (answer.isForgotten) transaction.end();
    this.#options.answered(request, answer, sent);
    answer.afterwards?.();
  }

  // The one door at which errors become responses.
  #answerTo(request: SipRequest, error: unknown, source: string): Answer {
    if (error instanceof SipParseError) {
      this.#options.refused(request, error, source);
      const headers = error.status === 415 ? this.capabilities.filter(([name]) => name.startsWith('Accept')) : [];
      return { status: error.status, reason: oneLine(error.message), headers };
    }
    if (!(error instanceof GatewayError)) {
      this.#options.failed(request, error);
      return { status: 500 };
    }
    const { reason, message, retryAfterMs } = error;
    const status = statusOf(reason);
    const seconds = Math.ceil((retryAfterMs ?? (status === 503 ? 5000 : 0)) / 1000);
    return { status, reason: oneLine(message), headers: seconds > 0 ? [['Retry-After', String(seconds)]] : [] };
  }

  /** OPTIONS (s.11.2), and what a 405, 415 or 420 has to say of us. */
  get capabilities(): Array<readonly [string, string]> {
    const { accept, supported, events } = this.#options;
    const headers: Array<readonly [string, string]> = [
      ['Allow', this.#allow],
      ['Accept', accept.join(', ')],
      ['Accept-Encoding', 'identity, deflate, gzip'],
    ];
    if (supported.length > 0) headers.push(['Supported', supported.join(', ')]);
    if (events.length > 0) headers.push(['Allow-Events', events.join(', ')]);
    return headers;
  }

  #refusal(request: SipRequest, source: string): Answer | undefined {
    const { methods, supported } = this.#options;
    const { method, uri, headers } = request;
    if (method === 'CANCEL') return { status: 481 };
    const known = methods.get(method);
    if (!known && method !== 'OPTIONS') {
      return { status: knownMethods.has(method) ? 405 : 501, headers: [['Allow', this.#allow]] };
    }
    if (!schemes.test(uri)) return { status: 416 };
    if (known?.isPassedOn && headers.get('Max-Forwards') === '0') return { status: 483 };
    if (known?.isPassedOn && isLooped(request)) return { status: 482 };
    // RFC 7247 s.8: what was promised to be secure all the way cannot be kept so. RFC 5630 s.3.2 has the answer.
    if (known?.isPassedOn && !this.#options.acceptSips && isForSips(request)) {
      return { status: 480, headers: [['Warning', '380 dragoman "SIPS Not Allowed"']] };
    }
    const missing = headers.all('Require').filter((tag) => tag !== '' && !supported.includes(tag.toLowerCase()));
    if (missing.length > 0) return { status: 420, headers: [['Unsupported', missing.join(', ')]] };
    // s.12.2.2: in a dialog that we have never had.
    if (method === 'MESSAGE' && headers.to().parameters.get('tag') !== undefined) return { status: 481 };
    return this.#isFull(source) ? { status: 503, headers: [['Retry-After', '5']] } : undefined;
  }

  async #handle(request: SipRequest, flow: Flow): Promise<Answer> {
    if (request.method === 'OPTIONS') return { status: 200, headers: this.capabilities };
    const method = this.#options.methods.get(request.method) as Method;
    const inbound: Inbound = { request, flow, isTrusted: this.#options.isTrusted(flow.remote.address) };
    if (method.wantsProof && !inbound.isTrusted) {
      const proof = this.#prove(request, flow.remote.address);
      if (proof && 'status' in proof) return forgotten(proof, request);
      if (proof) inbound.user = proof.user;
    }
    const source = flow.remote.address;
    this.#enter(source);
    try {
      return await method.handle(inbound);
    } finally {
      this.#leave(source);
    }
  }

  #prove({ method, uri, body, headers }: SipRequest, source: string): { user: string } | Answer | undefined {
    const { digest, isProxy = false, now } = this.#options;
    if (!digest) return undefined;
    const answers = [...headers.all('Authorization'), ...headers.all('Proxy-Authorization')];
    // Who guesses is no longer told whether it was right.
    if (answers.length > 0 && this.#wrongPasswords.isEmpty(source)) return { status: 403, reason: 'Too Many Guesses' };
    const verdict = digest.verify(answers, { method, uri, body }, now());
    if (verdict.user !== undefined) return { user: verdict.user };
    if (answers.length > 0 && !verdict.isStale) this.#wrongPasswords.take(source);
    const challenges = digest.challenge(now(), verdict.isStale);
    const [status, name] = isProxy && method !== 'REGISTER' ? [407, 'Proxy-Authenticate'] : [401, 'WWW-Authenticate'];
    return { status, headers: challenges.map((value) => [name, value] as const) };
  }

  #isFull(source: string): boolean {
    const { maxPending, maxPendingPerSource, isTrusted } = this.#options;
    if (this.#pending >= maxPending) return true;
    if (isTrusted(source)) return false;
    return (this.#pendingBySource.get(source) ?? 0) >= maxPendingPerSource || this.#sources.take(source) > 0;
  }

  #enter(source: string): void {
    this.#pending++;
    this.#pendingBySource.set(source, (this.#pendingBySource.get(source) ?? 0) + 1);
  }

  #leave(source: string): void {
    this.#pending--;
    const count = (this.#pendingBySource.get(source) ?? 1) - 1;
    if (count === 0) this.#pendingBySource.delete(source);
    else this.#pendingBySource.set(source, count);
  }
}

function isForSips({ uri, headers }: SipRequest): boolean {
  return [uri, headers.to().uri].some((named) => /^sips:/i.test(named));
}

// s.8.2.7: strangers cost no state, and libpurple answers a challenge with the branch and CSeq it was challenged on.
function forgotten(answer: Answer, { headers }: SipRequest): Answer {
  const seed = ['From', 'Call-ID', 'CSeq'].map((name) => headers.get(name)).join('\n');
  return { ...answer, toTag: tagFor(seed), isForgotten: true };
}

export function oneLine(text: string): string {
  return text
    .replace(/[\0-\x1f\x7f]+/g, ' ')
    .slice(0, 120)
    .toWellFormed();
}
