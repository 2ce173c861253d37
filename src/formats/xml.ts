// XML as messaging protocols use it (RFC 6120 s.11): elements and text, no DTD, no entities, no processing instructions,
// every dimension bounded. Parsed by saxes; namespaces are resolved while building, which halves the cost.
import { SaxesParser, type SaxesTagPlain } from 'saxes';

export interface XmlElement {
  /** Without prefix. */
  readonly name: string;
  /** The namespace's URI; empty for none. */
  readonly ns: string;
  /** Names as written (`xml:lang`); `xmlns` itself is not among them. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

export interface XmlLimits {
  /** UTF-16 units of source text of one document or stanza. */
  readonly maxLength: number;
  readonly maxDepth: number;
  readonly maxAttributes: number;
}

export const defaultLimits: XmlLimits = { maxLength: 256 * 1024, maxDepth: 64, maxAttributes: 64 };

/** What was given is no XML, or not the kind that may be sent: the message says which. */
export class XmlError extends Error {
  readonly condition: 'not-well-formed' | 'restricted-xml' | 'policy-violation';

  constructor(condition: XmlError['condition'], message: string) {
    super(message);
    this.name = 'XmlError';
    this.condition = condition;
  }
}

/** Makes an element; an undefined attribute or child is left out. */
export function xml(
  name: string,
  ns: string,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: ReadonlyArray<XmlElement | string | undefined>
): XmlElement {
  const given: Record<string, string> = {};
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) given[key] = value;
  return { name, ns, attributes: given, children: children.filter((child) => child !== undefined) };
}

/** The first child element of that name (and namespace, when given). */
export function childOf(element: XmlElement, name: string, ns?: string): XmlElement | undefined {
  for (const child of element.children) {
    if (typeof child !== 'string' && child.name === name && (ns === undefined || child.ns === ns)) return child;
  }
  return undefined;
}

export function childrenOf(element: XmlElement, name?: string, ns?: string): XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement =>
      typeof child !== 'string' && (name === undefined || child.name === name) && (ns === undefined || child.ns === ns),
  );
}

/** The element's own text, without that of its children. */
export function textOf(element: XmlElement | undefined): string {
  if (!element) return '';
  let text = '';
  for (const child of element.children) if (typeof child === 'string') text += child;
  return text;
}

/** A whole document. Throws XmlError only. */
export function parseXml(
  text: string,
  limits: XmlLimits = defaultLimits,
  restricted: 'refused' | 'passed over' = 'refused',
): XmlElement {
  if (text.length > limits.maxLength) throw new XmlError('policy-violation', `over ${limits.maxLength} characters`);
  let root: XmlElement | undefined;
  const builder = new TreeBuilder(limits, (element) => {
    root = element;
  });
  new Tokenizer(builder, restricted).write(text).close();
  if (!root) throw new XmlError('not-well-formed', 'no element');
  return root;
}

/**
 * A document of a format that is older than RFC 6120 and knows no s.11: comments, processing instructions and a document
 * type are passed over; what the latter declares does not exist. Throws XmlError only.
 */
export function parseDocument(bytes: string | Uint8Array, limits: XmlLimits = defaultLimits): XmlElement {
  if (bytes.length > limits.maxLength * 4)
    throw new XmlError('policy-violation', `over ${limits.maxLength} characters`);
  const text = typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);
  return parseXml(text.trim(), limits, 'passed over');
}

/** Serialises with every character legal: what XML cannot say becomes U+FFFD (a numeric reference would be illegal too). */
export function serializeXml(element: XmlElement, parentNs = ''): string {
  const { name, ns, attributes, children } = element;
  let out = `<${name}`;
  if (ns !== parentNs) out += ` xmlns="${escapeText(ns)}"`;
  for (const key in attributes) out += ` ${key}="${escapeValue(attributes[key] as string)}"`;
  if (children.length === 0) return `${out}/>`;
  out += '>';
  for (const child of children) out += typeof child === 'string' ? escapeText(child) : serializeXml(child, ns);
  return `${out}</${name}>`;
}

// XML 1.0 s.2.2 Char; lone surrogates are mended by toWellFormed.
const illegal = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;
const special = /[&<>"'\r]/g;
const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#13;',
};

/** Text as it may stand between tags or inside quotes; what XML cannot say becomes U+FFFD. */
export const escapeText = (text: string): string =>
  text
    .toWellFormed()
    .replace(illegal, '\ufffd')
    .replace(special, (character) => entities[character] as string);

// XML 1.0 s.3.3.3: a line end or tab in an attribute would be read as a space.
/** The same for an attribute. */
export const escapeValue = (text: string): string =>
  escapeText(text).replace(/[\t\n]/g, (character) => `&#${character.charCodeAt(0)};`);

/** Events of the tokenizer, in order. Throwing XmlError ends the document. */
export interface XmlHandler {
  open(tag: SaxesTagPlain): void;
  close(): void;
  text(text: string): void;
}

// Faults come through `fail`, not the `error` event: V8 keeps a parser with eight handlers as a dictionary, seven times slower.
/** Tokens to a handler. Throws XmlError at what is not well formed. */
export class Tokenizer extends SaxesParser<{ xmlns: false; position: false }> {
  /** Refuses what RFC 6120 s.11.1 forbids, unless told to pass over it. */
  constructor(handler: XmlHandler, restricted: 'refused' | 'passed over' = 'refused') {
    super({ xmlns: false, position: false });
    const refuse = (what: string) => () => {
      if (restricted === 'passed over') return;
      throw new XmlError('restricted-xml', `${what} are not allowed (RFC 6120 s.11.1)`);
    };
    this.on('comment', refuse('comments'));
    this.on('processinginstruction', refuse('processing instructions'));
    this.on('doctype', refuse('document type declarations'));
    this.on('opentag', (tag) => handler.open(tag));
    this.on('closetag', () => handler.close());
    this.on('text', (text) => handler.text(text));
    this.on('cdata', (text) => handler.text(text));
  }

  override fail(message: string): this {
    throw new XmlError('not-well-formed', message);
  }
}

interface Frame {
  element: { name: string; ns: string; attributes: Record<string, string>; children: (XmlElement | string)[] };
  scope: Scope;
}

/** Prefixes in force; the empty one is the default namespace. */
type Scope = Readonly<Record<string, string>>;

/** What is in force before the first element. */
export const rootScope: Scope = { '': '', xml: 'http://www.w3.org/XML/1998/namespace' };

/** Builds elements from tokens, with namespaces resolved, and hands over each that ends at its root. */
export class TreeBuilder implements XmlHandler {
  readonly #limits: XmlLimits;
  readonly #onElement: (element: XmlElement) => void;
  readonly #stack: Frame[] = [];
  readonly #base: Scope;

  constructor(limits: XmlLimits, onElement: (element: XmlElement) => void, base: Scope = rootScope) {
    this.#limits = limits;
    this.#onElement = onElement;
    this.#base = base;
  }

  get depth(): number {
    return this.#stack.length;
  }

  /** What the root under construction is, as far as read. */
  get root(): Pick<XmlElement, 'name' | 'attributes'> | undefined {
    return this.#stack[0]?.element;
  }

  reset(): void {
    this.#stack.length = 0;
  }

  open(tag: SaxesTagPlain): void {
    if (this.#stack.length >= this.#limits.maxDepth) {
      throw new XmlError('policy-violation', `nested deeper than ${this.#limits.maxDepth}`);
    }
    const parent = this.#stack.at(-1);
    const { scope, attributes } = readScope(tag.attributes, parent?.scope ?? this.#base, this.#limits.maxAttributes);
    const element = { ...resolveName(tag.name, scope), attributes, children: [] };
    parent?.element.children.push(element);
    this.#stack.push({ element, scope });
  }

  text(text: string): void {
    const children = this.#stack.at(-1)?.element.children;
    if (!children) return;
    // Pieces of one text that came in several chunks belong together.
    const last = children.length - 1;
    if (typeof children[last] === 'string') children[last] += text;
    else children.push(text);
  }

  close(): void {
    const frame = this.#stack.pop();
    if (frame && this.#stack.length === 0) this.#onElement(frame.element);
  }
}

/** The scope and attributes of a start tag. Throws XmlError. */
export function readScope(
  given: Readonly<Record<string, string>>,
  outer: Scope,
  maxAttributes: number,
): { scope: Scope; attributes: Record<string, string> } {
  let scope = outer;
  let count = 0;
  const attributes: Record<string, string> = {};
  for (const key in given) {
    if (++count > maxAttributes) throw new XmlError('policy-violation', `more than ${maxAttributes} attributes`);
    const value = given[key] as string;
    if (key === 'xmlns') scope = { ...scope, '': value };
    else attributes[key] = value;
    if (key.startsWith('xmlns:')) scope = { ...scope, [key.slice(6)]: value };
  }
  return { scope, attributes };
}

/** A tag's name and namespace. Throws XmlError when its prefix is bound to nothing. */
export function resolveName(tagName: string, scope: Scope): { name: string; ns: string } {
  const colon = tagName.indexOf(':');
  const prefix = colon < 0 ? '' : tagName.slice(0, colon);
  if (!Object.hasOwn(scope, prefix)) throw new XmlError('not-well-formed', `prefix ${prefix} is not bound`);
  return { name: tagName.slice(colon + 1), ns: scope[prefix] as string };
}
