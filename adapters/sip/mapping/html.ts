// The words of an HTML text, for when nobody sent them plain.

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

const unseen = /<(?:(script|style|head|title)\b[^<>]*>|!--)/gi;

/** Without comments, and without what a page says to its browser. Each end is looked for once: linear, whatever came. */
function withoutUnseen(html: string): string {
  const lower = html.toLowerCase();
  const endless = new Set<string>();
  let seen = '';
  let at = 0;
  for (const { 0: opening, 1: name, index } of html.matchAll(unseen)) {
    const closing = name === undefined ? '-->' : `</${name.toLowerCase()}`;
    if (index < at || endless.has(closing)) continue;
    const end = lower.indexOf(closing, index + opening.length);
    if (end < 0) endless.add(closing);
    else {
      seen += html.slice(at, index);
      at = name === undefined ? end + closing.length : end;
    }
  }
  return seen + html.slice(at);
}

export function textOfHtml(html: string): string {
  return withoutUnseen(html)
    .replace(/[\r\n\t ]+/g, ' ')
    .replace(/<(?:br|\/p|\/div|\/li|\/tr|\/h[1-6])\b[^<>]*> ?/gi, '\n')
    .replace(/<[^<>]*>/g, '')
    .replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
      if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      const isText = code > 31 && code < 0x110000 && (code < 0xd800 || code > 0xdfff);
      return isText ? String.fromCodePoint(code) : whole;
    })
    .trim();
}
