// The text of a message whose parts came one by one, complete or with gaps.
import { type DefaultAlphabet, readDataCoding } from './data-coding.ts';

/** Part of a text from the network, or a gap where a part never came. */
export type Piece = { readonly payload: Buffer; readonly dataCoding: number } | undefined;

/** The text of all parts: octets of one coding are joined before they are decoded, so that no character is torn. */
export function textOfPieces(pieces: readonly Piece[], alphabet0: DefaultAlphabet): string {
  let text = '';
  for (let at = 0; at < pieces.length; ) {
    const first = pieces[at];
    let end = at + 1;
    while (end < pieces.length && pieces[end]?.dataCoding === first?.dataCoding) end++;
    text += first ? decodeRun(pieces.slice(at, end) as NonNullable<Piece>[], first.dataCoding, alphabet0) : '[...]';
    at = end;
  }
  return text;
}

function decodeRun(run: readonly NonNullable<Piece>[], dataCoding: number, alphabet0: DefaultAlphabet): string {
  const octets = Buffer.concat(run.map(({ payload }) => payload));
  const { alphabet } = readDataCoding(dataCoding, alphabet0);
  return alphabet ? alphabet.decode(octets).toWellFormed() : `[binary message, ${octets.length} octets]`;
}
