// The event state compositor of RFC 3903 s.6, for people of our own domains: takes PUBLISH, keeps the state, answers.
import { type Address, bareAddress, type Hub, splitAddress } from '../../../../src/contract/index.ts';
import { pidfType } from '../../../../src/formats/pidf/index.ts';
import { Turns } from '../../../../src/guards/turns.ts';
import { SipParseError, type SipRequest } from '../../codec/message.ts';
import type { Answer, Inbound } from '../../endpoint.ts';
import { addressOf, peopleOf } from '../../mapping/addresses.ts';
import { newTag } from '../../tokens.ts';
import { setApart, shareTuple } from './composition.ts';
import { type Publish, readPublish } from './publish.ts';
import type { Publication, Shelf } from './shelf.ts';

export interface CompositorOptions {
  nativeDomains: ReadonlySet<string>;
  /** Seconds. */
  minExpires: number;
  maxExpires: number;
  /** Publications in all, and of one person. */
  max: number;
  maxPerPerson: number;
}

export interface CompositorParts {
  hub: Hub;
  shelf: Shelf;
  changed(presentity: Address): void;
}

/** RFC 3903 s.6: whoever asks for an hour or more is never told that it is too short. */
const neverTooBrief = 3600;
const usualSeconds = 3600;
const busy: Answer = { status: 503, headers: [['Retry-After', '30']] };

export class Compositor {
  readonly #options: CompositorOptions;
  readonly #parts: CompositorParts;
  readonly #turns = new Turns();

  constructor(options: CompositorOptions, parts: CompositorParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** PUBLISH. Throws SipParseError and GatewayError. */
  async handle({ request, isTrusted, user }: Inbound): Promise<Answer> {
    const { nativeDomains } = this.#options;
    const presentity = bareAddress(addressOf(request.uri));
    const { local, domain } = splitAddress(presentity);
    if (!nativeDomains.has(domain) || local === '') return { status: 404 };
    const publish = read(request);
    if ('status' in publish) return publish;
    if (publish.event !== 'presence') return { status: 489, headers: [['Allow-Events', 'presence']] };
    // Everybody publishes for themselves: there is no policy by which one might for others (s.14.1).
    const { from } = peopleOf(request, { recipient: 'request-uri', domains: nativeDomains, isTrusted });
    const isUser = user === undefined || user === local || user === `${local}@${domain}`;
    if (!isUser || bareAddress(from).toLowerCase() !== presentity.toLowerCase()) {
      return { status: 403, reason: 'Not Your Address' };
    }
    // s.6.1: in the order in which they came.
    return this.#turns.take(presentity.toLowerCase(), () => this.#apply(presentity, publish));
  }

  async #apply(presentity: Address, publish: Publish): Promise<Answer> {
    const { shelf, hub } = this.#parts;
    const { minExpires, maxExpires, max, maxPerPerson } = this.#options;
    const all = shelf.of(presentity);
    // A copy that came after a restart: the answer is the one that was lost.
    const repeated = all.find(({ fingerprint }) => fingerprint === publish.fingerprint);
    if (repeated) return taken(repeated.etag, Math.ceil((repeated.expiresAt - hub.now()) / 1000));
    const before = publish.etag === undefined ? undefined : all.find(({ etag }) => etag === publish.etag);
    if (publish.etag !== undefined && !before) return { status: 412 };
    const wished = publish.expires ?? usualSeconds;
    if (wished > 0 && wished < Math.min(minExpires, neverTooBrief)) {
      return { status: 423, headers: [['Min-Expires', String(minExpires)]] };
    }
    const seconds = Math.min(wished, maxExpires);
    const document = publish.document ?? before?.document;
    if (!document) return { status: 400, reason: 'Nothing Published' };
    const others = all.filter((other) => other !== before && !isReplaced(other, publish));
    const isNew = !before && seconds > 0;
    if (isNew && (others.length >= maxPerPerson || shelf.size >= max)) return busy;
    // Never an old one again (s.6.5): 64 random bits, and 64 more.
    const etag = newTag() + newTag();
    const made: Publication = {
      ...{ etag, fingerprint: publish.fingerprint, source: publish.source },
      expiresAt: hub.now() + seconds * 1000,
      document: setApart(
        document,
        others.map((other) => other.document),
      ),
    };
    try {
      await shelf.store(presentity, seconds === 0 ? others : [...others, made]);
    } catch (error) {
      hub.log.warn({ presentity, error }, 'a publication could not be kept');
      return busy;
    }
    const afterwards = () => this.#parts.changed(presentity);
    return { ...taken(etag, seconds), ...(publish.document || seconds === 0 ? { afterwards } : {}) };
  }
}

/** A phone that has started again and knows no tag any more: its old state would stay as a ghost until it expires. */
function isReplaced({ source, document }: Publication, publish: Publish): boolean {
  if (publish.etag !== undefined || publish.document === undefined) return false;
  return source === publish.source && shareTuple(document, publish.document);
}

function taken(etag: string, seconds: number): Answer {
  return {
    status: 200,
    headers: [
      ['SIP-ETag', etag],
      ['Expires', String(seconds)],
    ],
  };
}

/** Throws SipParseError. */
function read(request: SipRequest): Publish | Answer {
  try {
    return readPublish(request);
  } catch (error) {
    if (!(error instanceof SipParseError && error.status === 415)) throw error;
    // s.6, step 6
    const headers = [
      ['Accept', pidfType],
      ['Accept-Encoding', 'identity, deflate, gzip'],
    ] as const;
    return { status: 415, reason: error.message, headers };
  }
}
