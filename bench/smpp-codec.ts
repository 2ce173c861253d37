// What the SMPP codec costs a PDU: encode and decode of a submit_sm and its response, beside npm smpp on the same octets.
import { createRequire } from 'node:module';
import { decode, encode, Framer, isFault } from '../adapters/smpp/codec/index.ts';
import { gsm, planText, toParts } from '../adapters/smpp/text/index.ts';

interface NpmPdu {
  toBuffer(): Buffer;
}
interface NpmSmpp {
  PDU: { new (command: string, fields: Record<string, unknown>): NpmPdu; fromBuffer(octets: Buffer): NpmPdu };
}
const npm = createRequire(import.meta.url)('smpp') as NpmSmpp;

const text = 'Hello from the gateway, this is message text 42';
const fields = {
  source_addr_ton: 5,
  source_addr: 'GATEWAY',
  dest_addr_ton: 1,
  dest_addr_npi: 1,
  destination_addr: '447700900123',
  registered_delivery: 1,
  data_coding: 0,
};
const short_message = gsm.encode(text);
const body = { ...fields, short_message };
const submit = encode({ command: 'submit_sm', sequence_number: 1, body });
const response = encode({ command: 'submit_sm_resp', sequence_number: 1, body: { message_id: '3f2a90b1' } });
const chunk = Buffer.concat(Array.from({ length: 400 }, () => submit));
const options = { alphabet0: 'gsm', ucs2: true, concat: 'udh8', maxParts: 10 } as const;
const long = `${text} `.repeat(8);

let sequence = 0;
const cases: Array<[what: string, perCall: number, run: () => unknown]> = [
  ['encode submit_sm', 1, () => encode({ command: 'submit_sm', sequence_number: ++sequence, body })],
  ['decode submit_sm', 1, () => decode(submit)],
  [
    'encode submit_sm_resp',
    1,
    () => encode({ command: 'submit_sm_resp', sequence_number: ++sequence, body: { message_id: '3f2a' } }),
  ],
  ['decode submit_sm_resp', 1, () => decode(response)],
  [
    'frame and decode, 400 in a chunk',
    400,
    () => {
      let good = 0;
      for (const frame of new Framer().push(chunk)) if (!isFault(decode(frame))) good++;
      return good;
    },
  ],
  ['GSM text to one part', 1, () => toParts(planText(text, options), 'udh8', 1)],
  ['GSM text to three parts', 1, () => toParts(planText(long, options), 'udh8', 1)],
  ['npm smpp encode submit_sm', 1, () => new npm.PDU('submit_sm', { ...body, sequence_number: 1 }).toBuffer()],
  ['npm smpp decode submit_sm', 1, () => npm.PDU.fromBuffer(submit)],
];

const roundMs = 300;
console.log('what                                  us (best of 5)');
for (const [what, perCall, run] of cases) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    let calls = 0;
    const startedAt = performance.now();
    while (performance.now() - startedAt < roundMs) {
      for (let batch = 0; batch < 50; batch++) run();
      calls += 50;
    }
    best = Math.min(best, ((performance.now() - startedAt) * 1000) / (calls * perCall));
  }
  console.log(`${what.padEnd(38)}${best.toFixed(2)}`);
}
