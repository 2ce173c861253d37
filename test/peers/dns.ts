// A name server on loopback: answers SRV, NAPTR and A from a table, NXDOMAIN for the rest.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface DnsRecords {
  A?: readonly string[];
  SRV?: ReadonlyArray<{ priority: number; weight: number; port: number; target: string }>;
  NAPTR?: ReadonlyArray<{ order: number; preference: number; flags: string; service: string; replacement: string }>;
}

export interface DnsServer {
  /** For the `servers` of a resolver. */
  readonly address: string;
  /** Questions so far: `SRV _sip._udp.example.org`. */
  readonly asked: string[];
  stop(): Promise<void>;
}

const types = { A: 1, AAAA: 28, SRV: 33, NAPTR: 35 } as const;

export async function startDnsServer(zone: Readonly<Record<string, DnsRecords>>): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const asked: string[] = [];
  socket.on('message', (query, { port, address }) => {
    const { name, type, end } = readQuestion(query);
    asked.push(`${type} ${name}`);
    const answers = encodeAnswers(zone[name]?.[type as keyof DnsRecords] ?? [], type);
    const header = Buffer.from(query.subarray(0, 12));
    // QR, AA and, for a name nobody has, RCODE 3.
    header.writeUInt16BE(zone[name] ? 0x8580 : 0x8583, 2);
    header.writeUInt16BE(answers.length, 6);
    header.writeUInt32BE(0, 8);
    socket.send(Buffer.concat([header, query.subarray(12, end), ...answers]), port, address);
  });
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function readQuestion(query: Buffer): { name: string; type: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const code = query.readUInt16BE(at + 1);
  const type = Object.entries(types).find(([, value]) => value === code)?.[0] ?? String(code);
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 };
}

function encodeAnswers(records: ReadonlyArray<unknown>, type: string): Buffer[] {
  return records.map((record) => {
    const data = encodeData(record, type);
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(types[type as keyof typeof types], 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(60, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
}

function encodeData(record: unknown, type: string): Buffer {
  if (type === 'A') return Buffer.from((record as string).split('.').map(Number));
  if (type === 'SRV') {
    const { priority, weight, port, target } = record as NonNullable<DnsRecords['SRV']>[number];
    return Buffer.concat([numbers(priority, weight, port), nameOf(target)]);
  }
  const { order, preference, flags, service, replacement } = record as NonNullable<DnsRecords['NAPTR']>[number];
  return Buffer.concat([numbers(order, preference), text(flags), text(service), text(''), nameOf(replacement)]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => void bytes.writeUInt16BE(value, index * 2));
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
}

function nameOf(name: string): Buffer {
  return Buffer.concat([...name.split('.').map(text), Buffer.of(0)]);
}
