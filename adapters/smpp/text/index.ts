// What a short message says, in octets: alphabets, data_coding, parts. Pure, the same for both ends of a session.
export * from './alphabets.ts';
export * from './data-coding.ts';
export * from './pieces.ts';
export * from './segments.ts';
