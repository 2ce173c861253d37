// The far end of a recorded connection, fitted to what we say now.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CommandName, decode, encode, isFault, type Sendable } from '../../../adapters/smpp/codec/index.ts';
import { follow } from '../../../adapters/smpp/replay.ts';

const pdu = (command: CommandName, sequence_number: number, body?: Sendable['body']) =>
  encode({ command, sequence_number, ...(body ? { body } : {}) } as Sendable);
const read = (bytes: Uint8Array | undefined) => {
  const decoded = bytes && decode(Buffer.from(bytes));
  return decoded && !isFault(decoded) ? `${decoded.command} ${decoded.sequence_number}` : undefined;
};

test('reference smpp 7.7: responses of a replay have the sequence numbers of the requests that are sent now', () => {
  const follower = follow([pdu('submit_sm', 41), pdu('submit_sm', 42), pdu('query_sm', 43)]);
  // Cut where a socket might cut them.
  const said = Buffer.concat([pdu('submit_sm', 2), pdu('query_sm', 3), pdu('submit_sm', 4)]);
  assert.deepEqual(follower.heard(said.subarray(0, 7)), []);
  assert.equal(follower.hasHeard(1), false);
  assert.deepEqual(follower.heard(said.subarray(7)), []);
  assert.equal(follower.hasHeard(3), true);
  const fitted = [pdu('submit_sm_resp', 41), pdu('submit_sm_resp', 42), pdu('query_sm_resp', 43)];
  assert.deepEqual(
    fitted.map((bytes) => read(follower.fit(bytes))),
    ['submit_sm_resp 2', 'submit_sm_resp 4', 'query_sm_resp 3'],
  );
  assert.equal(read(follower.fit(pdu('deliver_sm', 7))), 'deliver_sm 7', "a request keeps the far end's own number");
});

test('reference smpp 7.7: enquire_link of a replay is answered as it comes, and a bind that was never recorded too', () => {
  const follower = follow([pdu('enquire_link', 9), pdu('submit_sm', 10)]);
  const answers = follower.heard(Buffer.concat([pdu('bind_transceiver', 1), pdu('enquire_link', 2)]));
  assert.deepEqual(answers.map(read), ['bind_transceiver_resp 1', 'enquire_link_resp 2']);
  assert.equal(follower.fit(pdu('enquire_link_resp', 9)), undefined);
  assert.equal(follower.hasHeard(1), true, 'nobody waits for a recorded enquire_link');
  assert.equal(follower.hasHeard(2), false);
});

test('reference smpp 7.7: a bind that was recorded is answered as it was recorded', () => {
  const follower = follow([pdu('bind_transmitter', 1)]);
  assert.deepEqual(follower.heard(pdu('bind_transmitter', 5)), []);
  assert.equal(read(follower.fit(pdu('bind_transmitter_resp', 1))), 'bind_transmitter_resp 5');
});
