// An XMPP stream as it arrives (RFC 6120 s.4): a root that stays open, and stanzas that end inside it. A stanza over the
// limits is skipped and reported, and the stream goes on.
import { StringDecoder } from 'node:string_decoder';
import type { SaxesTagPlain } from 'saxes';
import {
  defaultLimits,
  readScope,
  resolveName,
  rootScope,
  Tokenizer,
  TreeBuilder,
  type XmlElement,
  XmlError,
  type XmlHandler,
  type XmlLimits,
} from './xml.ts';

export interface StreamHeader {
  name: string;
  ns: string;
  /** The namespace of stanzas (RFC 6120 s.4.8.2). */
  contentNs: string;
  attributes: Readonly<Record<string, string>>;
}

/** A stanza's start tag, as much as was read of it. */
export type StanzaHead = Pick<XmlElement, 'name' | 'attributes'>;

export interface StreamEvents {
  onOpen(header: StreamHeader): void;
  onStanza(stanza: XmlElement): void;
  /** A stanza that was over a limit: what is known of it, so that its sender can be told. */
  onSkipped(stanza: StanzaHead, why: XmlError): void;
  /** The stream's end tag. */
  onEnd(): void;
}

// A stanza that never ends would be skipped for ever: past this many times the limit the stream is given up.
const skipFactor = 16;

export class XmlStream implements XmlHandler {
  readonly #events: StreamEvents;
  readonly #limits: XmlLimits;
  readonly #decoder = new StringDecoder('utf8');
  readonly #tokenizer = new Tokenizer(this);
  #builder: TreeBuilder | undefined;
  #skipping: { stanza: StanzaHead; why: XmlError } | undefined;
  #depth = 0;
  #fed = 0;
  /** Where in the stream the present stanza begins, in UTF-16 units. */
  #from = 0;

  constructor(events: StreamEvents, limits: XmlLimits = defaultLimits) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Any cut is welcome, inside a character too. Throws XmlError when the stream can no longer be read. */
  write(chunk: Uint8Array): void {
    const text = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    const { maxLength } = this.#limits;
    // Long pieces are fed in parts, so that a limit bites before memory does.
    for (let at = 0; at < text.length; at += maxLength) {
      const piece = text.slice(at, at + maxLength);
      this.#fed += piece.length;
      this.#tokenizer.write(piece);
      if (this.#fed - this.#from > maxLength * skipFactor)
        throw new XmlError('policy-violation', `a stanza of over ${maxLength * skipFactor} characters`);
    }
  }

  open(tag: SaxesTagPlain): void {
    this.#depth++;
    if (this.#depth === 1) this.#openStream(tag);
    else if (!this.#skipping) this.#openElement(tag);
  }

  text(text: string): void {
    if (this.#depth === 1) this.#from = this.#tokenizer.position - 1;
    else if (!this.#skipping) this.#builder?.text(text);
  }

  close(): void {
    this.#depth--;
    if (this.#depth === 0) {
      this.#events.onEnd();
      return;
    }
    if (!this.#skipping) this.#skipWhenTooLong();
    if (!this.#skipping) this.#builder?.close();
    if (this.#depth > 1) return;
    this.#from = this.#tokenizer.position;
    const skipped = this.#skipping;
    this.#skipping = undefined;
    if (skipped) this.#events.onSkipped(skipped.stanza, skipped.why);
  }

  #openStream(tag: SaxesTagPlain): void {
    const { scope, attributes } = readScope(tag.attributes, rootScope, this.#limits.maxAttributes);
    this.#builder = new TreeBuilder(this.#limits, (stanza) => this.#events.onStanza(stanza), scope);
    this.#from = this.#tokenizer.position;
    this.#events.onOpen({ ...resolveName(tag.name, scope), contentNs: scope[''] ?? '', attributes });
  }

  #openElement(tag: SaxesTagPlain): void {
    try {
      this.#builder?.open(tag);
    } catch (error) {
      if (!(error instanceof XmlError) || error.condition !== 'policy-violation') throw error;
      this.#skip(error, tag);
      return;
    }
    this.#skipWhenTooLong();
  }

  #skipWhenTooLong(): void {
    const { maxLength } = this.#limits;
    if (this.#tokenizer.position - this.#from > maxLength)
      this.#skip(new XmlError('policy-violation', `over ${maxLength} characters`));
  }

  #skip(why: XmlError, tag?: SaxesTagPlain): void {
    const { name, attributes } = this.#builder?.root ?? { name: tag?.name ?? '', attributes: tag?.attributes ?? {} };
    this.#skipping = { stanza: { name, attributes }, why };
    this.#builder?.reset();
  }
}
