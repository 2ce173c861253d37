// An XMPP stream as it arrives (RFC 6120 s.4): a root that stays open, and stanzas that end inside it. A stanza over the
// limits is skipped and reported, and the stream goes on.
import { StringDecoder } from 'node:string_decoder';
import type { SaxesTagPlain } from 'saxes';
import {
  defaultLimits,
  makeParser,
  readScope,
  splitName,
  TreeBuilder,
  type XmlElement,
  XmlError,
  type XmlHandler,
  type XmlLimits,
} from './xml.ts';

export interface StreamEvents {
  /** The stream header; `ns` is the content namespace. */
  onOpen(header: { name: string; ns: string; attributes: Readonly<Record<string, string>> }): void;
  onStanza(stanza: XmlElement): void;
  /** A stanza that was over a limit: what is known of it, so that its sender can be told. */
  onSkipped(stanza: { name: string; attributes: Readonly<Record<string, string>> }, why: XmlError): void;
  /** The stream's end tag. */
  onEnd(): void;
}

// A stanza that never ends would be skipped for ever: past this many times the limit the stream is given up.
const skipFactor = 64;

export class XmlStream implements XmlHandler {
  readonly #events: StreamEvents;
  readonly #limits: XmlLimits;
  readonly #decoder = new StringDecoder('utf8');
  readonly #parser = makeParser(this);
  #builder: TreeBuilder | undefined;
  #skipping: { name: string; attributes: Readonly<Record<string, string>>; why: XmlError } | undefined;
  #depth = 0;
  #length = 0;

  constructor(events: StreamEvents, limits: XmlLimits = defaultLimits) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Any cut is welcome, inside a character too. Throws XmlError when the stream can no longer be read. */
  write(chunk: Uint8Array): void {
    const text = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    // Long pieces are fed in parts, so that a limit bites before memory does.
    for (let from = 0; from < text.length; from += this.#limits.maxLength) {
      const piece = text.slice(from, from + this.#limits.maxLength);
      this.#length += piece.length;
      this.#parser.write(piece);
      if (this.#depth > 1 && this.#length > this.#limits.maxLength) this.#overLength();
    }
  }

  open(tag: SaxesTagPlain): void {
    this.#depth++;
    if (this.#depth === 1) {
      const { scope, attributes } = readScope(tag.attributes, { '': '', xml: '' }, this.#limits.maxAttributes);
      const { prefix, local } = splitName(tag.name);
      this.#builder = new TreeBuilder(this.#limits, (stanza) => this.#events.onStanza(stanza), scope);
      this.#events.onOpen({ name: local, ns: scope[prefix] ?? '', attributes });
      return;
    }
    if (this.#depth === 2) this.#length = 0;
    if (this.#skipping) return;
    try {
      this.#builder?.open(tag);
    } catch (error) {
      if (!(error instanceof XmlError) || error.condition !== 'policy-violation') throw error;
      this.#skip(error, tag);
    }
  }

  text(text: string): void {
    if (!this.#skipping) this.#builder?.text(text);
  }

  close(): void {
    this.#depth--;
    if (this.#depth === 0) {
      this.#events.onEnd();
    } else if (!this.#skipping) {
      this.#builder?.close();
    } else if (this.#depth === 1) {
      const { why, ...stanza } = this.#skipping;
      this.#skipping = undefined;
      this.#events.onSkipped(stanza, why);
    }
    if (this.#depth === 1) this.#length = 0;
  }

  #overLength(): void {
    const { maxLength } = this.#limits;
    if (this.#length > maxLength * skipFactor)
      throw new XmlError('policy-violation', `a stanza of over ${maxLength * skipFactor} characters`);
    if (!this.#skipping) this.#skip(new XmlError('policy-violation', `over ${maxLength} characters`));
  }

  #skip(why: XmlError, tag?: SaxesTagPlain): void {
    const root = this.#builder?.root;
    this.#skipping = { name: root?.name ?? tag?.name ?? '', attributes: root?.attributes ?? {}, why };
    this.#builder?.reset();
  }
}
