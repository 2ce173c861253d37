// Which parts of a stanza hold what a person wrote, for traces.

/** [start, end) in UTF-16 units of a serialised stanza. */
export function hiddenIn(wire: string): Array<readonly [start: number, end: number]> {
  return [...wire.matchAll(/<(body|subject|status|url|reaction|text)(?: [^<>]*)?>([^<]+)</g)].map((match) => {
    const end = match.index + match[0].length - 1;
    return [end - (match[2] ?? '').length, end] as const;
  });
}
