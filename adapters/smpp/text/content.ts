// What the parts of one message say once they are together, complete or with gaps: a text, or octets for a program.
import { type Alphabet, gsm, ia5 } from './alphabets.ts';
import { type DataCoding, type DefaultAlphabet, type MessageClass, readDataCoding } from './data-coding.ts';
import { formatElements, type Header, noHeader, parseElements, readHeader, type WaitingKind } from './header.ts';
import { nationalAlphabet } from './national.ts';

/** Part of a message from the network, or a gap where a part never came. `udh`: the elements of its header. */
export type Piece = { readonly payload: Buffer; readonly dataCoding: number; readonly udh?: Buffer } | undefined;

export interface Content {
  /** Empty when it is all octets. */
  readonly text: string;
  /** All of it, when no piece is text and none is missing. */
  readonly binary?: {
    readonly data: Buffer;
    readonly dataCoding: number;
    readonly udh?: Buffer;
    readonly port?: number;
    /** What the octets say where their coding is an alphabet: a vCard in septets. */
    readonly said?: string;
  };
  readonly messageClass?: MessageClass;
  /** The elements of the header that came with a text and that nobody here understands. */
  readonly udh?: Buffer;
}

interface Read {
  readonly payload: Buffer;
  readonly coding: DataCoding;
  readonly header: Header;
  /** What its coding says it is written in. */
  readonly written: Alphabet | undefined;
  /** Undefined: octets, or for a program. */
  readonly alphabet: Alphabet | undefined;
}

export function contentOf(pieces: readonly Piece[], alphabet0: DefaultAlphabet): Content {
  const reads = pieces.map((piece) => piece && read(piece, alphabet0));
  const first = pieces.findIndex((piece) => piece !== undefined);
  const lead = reads[first];
  if (!lead) return { text: '[...]' };
  const { coding, header } = lead;
  const classed = coding.messageClass === undefined ? {} : { messageClass: coding.messageClass };
  if (reads.every((one) => one !== undefined && !one.alphabet)) {
    const data = Buffer.concat(reads.map((one) => one?.payload ?? Buffer.alloc(0)));
    const udh = pieces[first]?.udh;
    const { dataCoding = 0 } = pieces[first] ?? {};
    const port = header.port === undefined ? {} : { port: header.port };
    const isOfOne = lead.written && reads.every((one) => one?.written === lead.written);
    const said = isOfOne ? { said: lead.written.decode(data).toWellFormed() } : {};
    return { text: '', binary: { data, dataCoding, ...port, ...said, ...(udh ? { udh } : {}) }, ...classed };
  }
  const rest = formatElements(header.rest);
  const said = textOfReads(reads);
  const text = said === '' ? waitingWords(coding, header) : said;
  return { text, ...classed, ...(rest.length > 0 ? { udh: rest } : {}) };
}

/** The text of all parts; octets of one alphabet are joined before they are decoded, so that no character is torn. */
export function textOfPieces(pieces: readonly Piece[], alphabet0: DefaultAlphabet): string {
  return textOfReads(pieces.map((piece) => piece && read(piece, alphabet0)));
}

function read({ payload, dataCoding, udh }: NonNullable<Piece>, alphabet0: DefaultAlphabet): Read {
  const coding = readDataCoding(dataCoding, alphabet0);
  const header = udh ? readHeader(parseElements(udh)) : noHeader;
  const { shift, port } = header;
  const isShifted = shift.locking !== undefined || shift.single !== undefined;
  const { alphabet } = coding;
  // The tables replace the default alphabet, which some call IA5.
  const written = isShifted && (alphabet === gsm || alphabet === ia5) ? nationalAlphabet(shift) : alphabet;
  // Data for a program on the phone is no text whatever its coding says.
  return { payload, coding, header, written, alphabet: port === undefined ? written : undefined };
}

function textOfReads(reads: readonly (Read | undefined)[]): string {
  let text = '';
  for (let at = 0; at < reads.length; ) {
    const first = reads[at];
    let end = at + 1;
    while (first && reads[end] && reads[end]?.alphabet === first.alphabet) end++;
    if (first) {
      const octets = Buffer.concat(reads.slice(at, end).map((one) => one?.payload ?? Buffer.alloc(0)));
      text += first.alphabet?.decode(octets).toWellFormed() ?? `[binary message, ${octets.length} octets]`;
    } else text += '[...]';
    at = end;
  }
  return text;
}

const waitingNames: Readonly<Record<WaitingKind, string>> = {
  voicemail: 'voice message',
  fax: 'fax',
  email: 'email',
  other: 'message',
};

/** An indication without a text (TS 23.038 s.4, TS 23.040 s.9.2.3.24.2), for people. */
function waitingWords({ waiting }: DataCoding, header: Header): string {
  const counts = [...header.waiting].map(
    ([what, count]) => `${count || 'no'} ${waitingNames[what]}${count === 1 ? '' : 's'}`,
  );
  if (counts.length > 0) return `[${counts.join(', ')} waiting]`;
  if (!waiting) return '';
  return waiting.isActive ? `[${waitingNames[waiting.what]} waiting]` : `[no ${waitingNames[waiting.what]} waiting]`;
}
