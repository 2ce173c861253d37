// The SMPP codec: golden pairs both ways, every PDU round trip, framing at every cut, and what hostile octets do to it.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type CommandName,
  commands,
  decode,
  encode,
  Framer,
  FramingLost,
  isFault,
  layouts,
  maxPduBytes,
  type Pdu,
  type Sendable,
  statuses,
  statusName,
  textRanges,
  tlvInt,
  tlvText,
} from '../../../adapters/smpp/codec/index.ts';

const folder = join(import.meta.dirname, '../../wire/smpp/3.4');
const golden = globSync('*.hex', { cwd: folder }).map((file) => {
  const name = basename(file, '.hex');
  const hex = readFileSync(join(folder, file), 'utf8').replace(/\s/g, '');
  const json = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
  return { name, octets: Buffer.from(hex, 'hex'), json };
});

/** Octets as hex, so that a PDU compares with its JSON. */
function plain(pdu: Pdu) {
  const body = Object.entries(pdu.body).map(([name, value]) => [
    name,
    Buffer.isBuffer(value) ? value.toString('hex') : value,
  ]);
  const tlvs = pdu.tlvs.map(({ tag, value }) => ({ tag, value: value.toString('hex') }));
  const { command, command_status, sequence_number } = pdu;
  return { command, command_status, sequence_number, body: Object.fromEntries(body), tlvs };
}

function good(octets: Buffer): Pdu {
  const pdu = decode(octets);
  assert.ok(!isFault(pdu), isFault(pdu) ? pdu.fault : '');
  return pdu;
}

describe('golden pairs', () => {
  test('there are some of every family', () => assert.ok(golden.length >= 20));
  for (const { name, octets, json } of golden) {
    const { source, ...expected } = json;
    test(`SMPP 3.4 s.4: ${name} is read as written (${source})`, () => assert.deepEqual(plain(good(octets)), expected));
    test(`SMPP 3.4 s.4: ${name} is written as read`, () => {
      assert.equal(encode(good(octets) as Sendable).toString('hex'), octets.toString('hex'));
    });
  }
});

const cstring = (max: number) =>
  fc.string({
    unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: Math.min(max - 1, 40),
  });
const octets = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const byte = fc.nat(255);
const ordinary = { noNullPrototype: true };
const sme = fc.record({ dest_addr_ton: byte, dest_addr_npi: byte, destination_addr: cstring(21) }, ordinary);
const fieldOf = {
  int8: () => byte,
  int32: () => fc.nat(0xffffffff),
  cstring,
  octets,
  destinations: () => fc.array(fc.oneof(sme, fc.record({ dl_name: cstring(21) }, ordinary)), { maxLength: 5 }),
  unsuccessful: () =>
    fc.array(
      fc.tuple(sme, fc.nat(0xffffffff)).map(([one, error_status_code]) => ({ ...one, error_status_code })),
      { maxLength: 5 },
    ),
};
const tlvs = fc.array(fc.record({ tag: fc.nat(0xffff), value: octets(40) }, ordinary), { maxLength: 4 });
const anyPdu = fc.constantFrom(...(Object.keys(commands) as CommandName[])).chain((command) => {
  const body = fc.record(
    Object.fromEntries(layouts[command].fields.map(({ name, kind, max }) => [name, fieldOf[kind](max)])),
    ordinary,
  );
  const sequence_number = fc.nat(0x7fffffff);
  return fc.record(
    { command: fc.constant(command), command_status: fc.nat(0xffffffff), sequence_number, body, tlvs },
    ordinary,
  );
});

test('SMPP 3.4 s.4: every PDU of the table round-trips, with TLVs that nobody knows, byte for byte', () => {
  fc.assert(
    fc.property(anyPdu, (pdu) => {
      const wire = encode(pdu as Sendable);
      assert.equal(wire.readUInt32BE(0), wire.length);
      const read = good(wire);
      assert.deepEqual(read, pdu);
    }),
    { numRuns: 2000 },
  );
});

test('all 27 PDUs of SMPP 3.4 and the six broadcast PDUs of 5.0 are in the table, each response with bit 31 set', () => {
  assert.equal(Object.keys(commands).length, 33);
  for (const [name, { id }] of Object.entries(commands)) {
    assert.equal(id >= 0x80000000, name.endsWith('_resp') || name === 'generic_nack', name);
  }
});

test('SMPP 3.4 s.4.4.2: a failed response has no body, and one that has is read', () => {
  const bare = encode({ command: 'submit_sm_resp', command_status: 0x58, sequence_number: 1 });
  assert.equal(bare.length, 16);
  assert.deepEqual(good(bare).body, { message_id: '' });
  const full = encode({
    command: 'submit_sm_resp',
    command_status: 0x58,
    sequence_number: 1,
    body: { message_id: 'x' },
  });
  assert.deepEqual(good(full).body, { message_id: 'x' });
});

test('a response with a spoilt body still answers: what can be read counts', () => {
  const wire = encode({ command: 'submit_sm_resp', sequence_number: 9, body: { message_id: 'abc' } });
  const spoilt = Buffer.concat([wire.subarray(0, 19), Buffer.from('no end')]);
  assert.deepEqual(good(spoilt), {
    command: 'submit_sm_resp',
    command_status: 0,
    sequence_number: 9,
    body: { message_id: '' },
    tlvs: [],
  });
});

test('reference smpp 5: crash on bad input: a message_id longer than the specification allows is taken', () => {
  const message_id = 'f'.repeat(200);
  const wire = encode({ command: 'submit_sm_resp', sequence_number: 1, body: { message_id } });
  assert.deepEqual(good(wire).body, { message_id });
});

test('the octets of a person are found for hiding, and nothing else', () => {
  for (const { octets: wire, json } of golden) {
    const hidden = textRanges(wire).map(([start, end]) => wire.subarray(start, end).toString('hex'));
    const expected = [
      json.body.short_message,
      ...json.tlvs.filter(({ tag }: { tag: number }) => tag === 0x424).map(({ value }: { value: string }) => value),
    ];
    assert.deepEqual(
      hidden,
      expected.filter((text) => text),
    );
  }
});

test('what the wire cannot say is refused when it is written, not cut', () => {
  assert.throws(
    () => encode({ command: 'submit_sm', sequence_number: 1, body: { short_message: Buffer.alloc(255) } }),
    RangeError,
  );
  assert.throws(
    () => encode({ command: 'submit_sm', sequence_number: 1, body: { destination_addr: '1'.repeat(21) } }),
    RangeError,
  );
  assert.throws(() => encode({ command: 'submit_sm', sequence_number: 1, body: { source_addr: 'a\0b' } }), RangeError);
});

test('statuses have their names, and what a carrier made up is shown in hex', () => {
  assert.equal(statusName(0x58), 'ESME_RTHROTTLED');
  assert.equal(statusName(0x412), '0x00000412');
});

describe('framing', () => {
  const stream = Buffer.concat(golden.map(({ octets: wire }) => wire));
  const names = golden.map(({ json }) => json.command);
  const read = (chunks: readonly Buffer[]) => {
    const framer = new Framer();
    return chunks.flatMap((chunk) => [...framer.push(chunk)].map((frame) => good(Buffer.from(frame)).command));
  };

  test('all PDUs in one chunk are all read', () => assert.deepEqual(read([stream]), names));
  test('SMPP 3.4 s.3.2: the stream cut at each position reads the same', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(read([stream.subarray(0, cut), stream.subarray(cut)]), names);
    }
  });
  test('SMPP 3.4 s.3.2: one octet at a time reads the same', () => {
    assert.deepEqual(read([...stream].map((octet) => Buffer.from([octet]))), names);
  });
  test('a PDU of the greatest length in single octets is copied once, not again for each octet', () => {
    const wire = Buffer.alloc(maxPduBytes);
    wire.writeUInt32BE(maxPduBytes, 0);
    const framer = new Framer();
    let frames = 0;
    for (let at = 0; at < wire.length; at++)
      for (const frame of framer.push(wire.subarray(at, at + 1))) frames += frame.length;
    assert.equal(frames, maxPduBytes);
  });
  for (const length of [0, 1, 4, 8, 15, maxPduBytes + 1, 0x7fffffff, 0xffffffff]) {
    test(`reference smpp 3: command_length ${length} is refused on its fourth octet, before anything is buffered`, () => {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(length);
      assert.throws(() => [...new Framer().push(header)], FramingLost);
      const framer = new Framer();
      for (let at = 0; at < 3; at++) assert.deepEqual([...framer.push(header.subarray(at, at + 1))], []);
      assert.throws(() => [...framer.push(header.subarray(3))], FramingLost);
    });
  }
  test('reference smpp 3: a message_payload of 65,535 octets passes', () => {
    const payload = { tag: 0x424, value: Buffer.alloc(65_535, 1) };
    const wire = encode({ command: 'submit_sm', sequence_number: 1, tlvs: [payload] });
    const [frame] = [...new Framer().push(wire)];
    assert.equal(good(frame as Buffer).tlvs[0]?.value.length, 65_535);
  });
});

describe('hostile PDUs', () => {
  const header = (id: number, body: Buffer) => {
    const wire = Buffer.concat([Buffer.alloc(16), body]);
    wire.writeUInt32BE(wire.length, 0);
    wire.writeUInt32BE(id, 4);
    wire.writeUInt32BE(5, 12);
    return wire;
  };
  const faultOf = (wire: Buffer) => {
    const fault = decode(wire);
    assert.ok(isFault(fault));
    return fault;
  };
  const submit = encode({ command: 'submit_sm', sequence_number: 5, body: { short_message: Buffer.from('hi') } });
  const fixed = (tail: Buffer) => header(4, Buffer.concat([submit.subarray(16), tail]));
  test('SMPP 3.4 s.5.1.3: an unknown command_id is ESME_RINVCMDID', () => {
    assert.deepEqual(faultOf(header(0x99, Buffer.alloc(0))), {
      fault: 'unknown command_id 0x00000099',
      command_status: statuses.ESME_RINVCMDID,
      sequence_number: 5,
      command: undefined,
    });
  });
  test('reference smpp 3: a submit_sm without a body is refused, not accepted with undefined fields', () => {
    assert.equal(faultOf(header(4, Buffer.alloc(0))).command_status, statuses.ESME_RINVCMDLEN);
  });
  test('reference smpp 3: sm_length 200 with 2 octets is refused, not cut', () => {
    const wire = Buffer.from(submit);
    wire[wire.length - 3] = 200;
    assert.equal(faultOf(wire).command_status, statuses.ESME_RINVMSGLEN);
  });
  test('reference smpp 3: a TLV that says 65,535 octets is refused, not cut', () => {
    assert.equal(faultOf(fixed(Buffer.from('0424ffff00', 'hex'))).command_status, statuses.ESME_RINVOPTPARSTREAM);
  });
  test('a TLV cut short is refused', () => {
    assert.equal(faultOf(fixed(Buffer.from('0424', 'hex'))).command_status, statuses.ESME_RINVOPTPARSTREAM);
  });
  test('reference smpp 3: a TLV of length 0 for a number is kept and says nothing', () => {
    const pdu = good(fixed(Buffer.from('04270000', 'hex')));
    assert.equal(tlvInt(pdu.tlvs, 'message_state'), undefined);
    assert.equal(pdu.tlvs.length, 1);
  });
  test('a C-octet string TLV reads with and without its NUL', () => {
    for (const value of ['616200', '6162']) {
      assert.equal(tlvText([{ tag: 0x1e, value: Buffer.from(value, 'hex') }], 'receipted_message_id'), 'ab');
    }
  });
  test('reference smpp 3: address validation: an address without an end, or over its length, is refused with the status of its field', () => {
    const long = header(4, Buffer.concat([Buffer.from([0, 1, 1]), Buffer.alloc(25, 0x31), Buffer.alloc(30)]));
    assert.equal(faultOf(long).command_status, statuses.ESME_RINVSRCADR);
    assert.equal(faultOf(header(4, Buffer.from('000101313233', 'hex'))).command_status, statuses.ESME_RINVCMDLEN);
  });
  test('a dest_flag that is neither 1 nor 2 is refused', () => {
    assert.equal(
      faultOf(header(0x21, Buffer.from('0001013100' + '0103', 'hex'))).command_status,
      statuses.ESME_RINVDESTFLAG,
    );
  });
  const count = Number(process.env.DRAGOMAN_FUZZ ?? 1_000_000);
  test(`reference smpp 7.6: ${count} mutants of good PDUs: read or refused, never an exception`, () => {
    let seed = 20_261_123;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 0x1_0000_0000) * below);
    };
    let refused = 0;
    for (let round = 0; round < count; round++) {
      const sample = golden[random(golden.length)];
      assert.ok(sample);
      let wire = Buffer.from(sample.octets);
      for (let hits = 1 + random(4); hits > 0; hits--) wire[4 + random(wire.length - 4)] = random(256);
      if (random(4) === 0) wire = wire.subarray(0, 16 + random(wire.length - 15));
      const result = decode(wire);
      if (isFault(result)) refused++;
      else if (result.command === 'submit_sm') assert.ok(result.body.short_message.length <= wire.length);
    }
    assert.ok(refused > 0 && refused < count);
  });
});
