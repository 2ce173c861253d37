// What a person reads in a message stanza: bodies and subjects by language, without the parts that other elements of the
// stanza already say (XEP-0428 fallbacks, the URL of an attachment).
import type { Message } from '../../../src/contract/index.ts';
import { childOf, childrenOf, textOf, type XmlElement } from '../../../src/formats/xml.ts';
import { ns } from '../codec/namespaces.ts';

export type Texts = Message['text'];
type Attachment = NonNullable<Message['attachments']>[number];

/** RFC 6121 s.5.2.3, s.4.7.2.2: one text a language; the stanza's own `xml:lang` is the default. */
export function textsOf(stanza: XmlElement, name: 'body' | 'subject' | 'status'): Texts {
  const texts = new Map<string, string>();
  for (const element of childrenOf(stanza, name, stanza.ns)) {
    const lang = languageOf(element.attributes['xml:lang'] ?? stanza.attributes['xml:lang'] ?? '');
    if (!texts.has(lang)) texts.set(lang, textOf(element));
  }
  return Object.fromEntries(texts);
}

// BCP 47 tags are letters, digits and hyphens of at most 35 characters.
const languageOf = (text: string) => (/^[A-Za-z0-9-]{1,35}$/.test(text) ? text : '');

// Each range is looked at for each character; a person's client writes one or two.
const maxRanges = 16;

/** XEP-0428: cuts what only repeats, in words, the elements whose namespaces are `understood`. */
export function withoutFallbacks(stanza: XmlElement, texts: Texts, understood: ReadonlySet<string>): Texts {
  const fallbacks = childrenOf(stanza, 'fallback', ns.fallback).filter(({ attributes }) =>
    understood.has(attributes.for ?? ''),
  );
  if (fallbacks.length === 0) return texts;
  const parts = fallbacks.flatMap((fallback) => childrenOf(fallback, 'body')).slice(0, maxRanges);
  const subjectOnly = fallbacks.every((fallback) => childOf(fallback, 'subject') && !childOf(fallback, 'body'));
  if (subjectOnly) return texts;
  const ranges = parts.map(({ attributes }) => [Number(attributes.start ?? 0), Number(attributes.end ?? Infinity)]);
  const isCut = (index: number) =>
    ranges.length === 0 || ranges.some(([start = 0, end = 0]) => index >= start && index < end);
  const cut = (text: string) => [...text].filter((_, index) => !isCut(index)).join('');
  return mapTexts(texts, cut);
}

/** XEP-0066 and XEP-0447: files by their URL. */
export function attachmentsOf(stanza: XmlElement): Attachment[] {
  const found = new Map<string, Attachment>();
  for (const sharing of childrenOf(stanza, 'file-sharing', ns.fileSharing)) {
    const file = childOf(sharing, 'file', ns.fileMetadata);
    const source = childOf(sharing, 'sources');
    const url = (source && childOf(source, 'url-data', ns.urlData))?.attributes.target;
    if (url) found.set(url, { url, ...(file ? describe(file) : {}) });
  }
  for (const oob of childrenOf(stanza, 'x', ns.oob)) {
    const url = textOf(childOf(oob, 'url')).trim();
    if (url !== '' && !found.has(url)) found.set(url, { url });
  }
  return [...found.values()];
}

/** Attachments are named on their own, so their URLs go from the end of the text (where XEP-0363 clients put them). */
export function withoutUrls(texts: Texts, attachments: readonly Attachment[]): Texts {
  const cut = (text: string) => {
    let rest = text.trimEnd();
    for (const { url } of attachments.toReversed()) {
      if (rest.endsWith(url)) rest = rest.slice(0, -url.length).trimEnd();
    }
    return rest === text.trimEnd() ? text : rest;
  };
  return attachments.length === 0 ? texts : mapTexts(texts, cut);
}

function mapTexts(texts: Texts, change: (text: string) => string): Texts {
  const changed = Object.entries(texts).map(([lang, text]) => [lang, change(text)] as const);
  return Object.fromEntries(changed.filter(([, text]) => text !== ''));
}

function describe(file: XmlElement): Omit<Attachment, 'url'> {
  const [name, mediaType, size] = ['name', 'media-type', 'size'].map((part) => textOf(childOf(file, part)).trim());
  const bytes = /^\d{1,15}$/.test(size ?? '') ? Number(size) : undefined;
  return { ...(name ? { name } : {}), ...(mediaType ? { mediaType } : {}), ...(bytes === undefined ? {} : { bytes }) };
}
