// Presence documents, in one import.
export { decodePidf } from './decode.ts';
export * from './document.ts';
export { encodePidf } from './encode.ts';
export { checkExtension } from './extension.ts';
export { nameOfTupleId, tupleIdOf } from './tuple-id.ts';
export { encodeXpidf } from './xpidf.ts';
