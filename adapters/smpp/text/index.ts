// What a short message says, in octets: alphabets, data_coding, headers, parts. Pure, the same for both ends of a session.
export * from './alphabets.ts';
export * from './choice.ts';
export * from './content.ts';
export * from './data-coding.ts';
export * from './header.ts';
export * from './national.ts';
export * from './parts.ts';
export * from './septets.ts';
export * from './split.ts';
export * from './transliterate.ts';
