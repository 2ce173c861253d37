// Events as the hub hands them to the SMPP adapter.
import { type Address, type Message, parseAddress, type Receipt } from '../../../src/contract/index.ts';

export const ours: Address = parseAddress('tel:+447700900001');
export const theirs: Address = parseAddress('tel:+447700900123');

let number = 0;

export function message(text: string, more: Partial<Message> = {}): Message {
  const id = `m${String(++number).padStart(9, '0')}`;
  const people = { from: ours, to: theirs, source: { from: ours, to: theirs } };
  const envelope = { v: 1 as const, id, origin: 'chat', trace: id, at: new Date(0).toISOString(), ...people };
  return { ...envelope, type: 'message', conversation: id, hops: 1, text: { '': text }, wants: ['delivered'], ...more };
}

export function receipt(state: Receipt['state'], text?: string): Receipt {
  const { text: _, wants: __, type: ___, ...envelope } = message('');
  const told = text === undefined ? {} : { text };
  return { ...envelope, type: 'receipt', of: 'x', state, reason: 'not-found', ...told };
}
