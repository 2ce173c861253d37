// The SMPP 3.4 codec: pure, table-driven, the same both ways and for both ends of a session.
export * from './decode.ts';
export * from './encode.ts';
export * from './framing.ts';
export * from './pdus.ts';
export * from './status.ts';
export * from './times.ts';
export * from './tlvs.ts';
