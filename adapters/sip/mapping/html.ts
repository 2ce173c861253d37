// The words of an HTML text, for when nobody sent them plain.

// HTML 4.01 s.24.2: from U+00A0 on, one for each character of Latin-1.
const latin1 = [
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute',
  'micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig',
  'Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash',
  'Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute',
  'ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc',
  'uuml yacute thorn yuml',
].flatMap((line) => line.split(' '));
const others = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", AMP: '&', LT: '<', GT: '>', QUOT: '"' },
  ...{ OElig: 'Œ', oelig: 'œ', Scaron: 'Š', scaron: 'š', Yuml: 'Ÿ', fnof: 'ƒ', circ: 'ˆ', tilde: '˜' },
  ...{ ndash: '–', mdash: '—', lsquo: '‘', rsquo: '’', sbquo: '‚', ldquo: '“', rdquo: '”', bdquo: '„' },
  ...{ dagger: '†', Dagger: '‡', bull: '•', hellip: '…', permil: '‰', lsaquo: '‹', rsaquo: '›', euro: '€', trade: '™' },
};
/** By name: what mail programs and phones write. The 2,000 others of HTML stay as they are written. */
const entities = new Map([
  ...latin1.map((name, at) => [name, String.fromCharCode(0xa0 + at)] as const),
  ...Object.entries(others),
  ['nbsp', ' '],
]);
// HTML, numeric character reference end state: numbers of C1 controls are meant as bytes of Windows.
const windows1252 = new TextDecoder('windows-1252');

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
    .replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z][a-z0-9]{1,7}));/gi, (whole, decimal, hex, name) => {
      if (name !== undefined) return entities.get(String(name)) ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      if (code > 127 && code < 160) return windows1252.decode(Uint8Array.of(code));
      const isText = (code > 31 || code === 9 || code === 10) && code < 0x110000 && (code < 0xd800 || code > 0xdfff);
      return isText ? String.fromCodePoint(code) : whole;
    })
    .trim();
}
