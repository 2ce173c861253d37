// The contract, in one import.
export * from './adapter.ts';
export * from './address.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './phone.ts';
export * from './presentation.ts';
