// A device's name <-> the id of its tuple: an xs:ID, and another one for every other name (RFC 3863 s.4.1.2, RFC 8048 s.6).

const prefix = 'ID-';

/** `balcony` is `ID-balcony`; what an xs:ID cannot hold, and `_` itself, is `_hh` for each byte of UTF-8. */
export function tupleIdOf(name: string): string {
  return prefix + name.replace(/[^A-Za-z0-9.-]+/g, (piece) => Buffer.from(piece).toString('hex').replace(/../g, '_$&'));
}

/** The name that an id of our making stands for; undefined for an id of somebody else's. */
export function nameOfTupleId(id: string): string | undefined {
  if (!/^ID-(?:[A-Za-z0-9.-]|_[0-9a-f]{2})*$/.test(id)) return undefined;
  const escaped = id.slice(prefix.length);
  if (!escaped.includes('_')) return escaped;
  const name = escaped.replace(/(?:_[0-9a-f]{2})+/g, (piece) =>
    Buffer.from(piece.replaceAll('_', ''), 'hex').toString(),
  );
  return tupleIdOf(name) === id ? name : undefined;
}
