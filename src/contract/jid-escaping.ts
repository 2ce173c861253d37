// XEP-0106: the ten characters that an XMPP localpart cannot hold, and the backslash sequences that stand for them.

const escapes: ReadonlyMap<string, string> = new Map([
  [' ', '\\20'],
  ['"', '\\22'],
  ['&', '\\26'],
  ["'", '\\27'],
  ['/', '\\2f'],
  [':', '\\3a'],
  ['<', '\\3c'],
  ['>', '\\3e'],
  ['@', '\\40'],
  ['\\', '\\5c'],
]);
const characters: ReadonlyMap<string, string> = new Map(
  [...escapes].map(([character, sequence]) => [sequence, character]),
);

// A backslash is itself escaped only where it would otherwise begin an escape (XEP-0106 s.4.2).
const toEscape = /[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/gi;
const escaped = /\\(?:20|22|26|27|2f|3a|3c|3e|40|5c)/gi;

/** Any text as a localpart. */
export function escapeLocalpart(text: string): string {
  return text.replace(toEscape, (character) => escapes.get(character) ?? character);
}

/** The text that a localpart stands for. */
export function unescapeLocalpart(localpart: string): string {
  return localpart.replace(escaped, (sequence) => characters.get(sequence.toLowerCase()) ?? sequence);
}
