// What reading and writing presence documents costs, in processor time: `node bench/pidf.ts`. Figures to compare, not to pass.
import { readFileSync } from 'node:fs';
import { type DevicePresence, devicesOf, documentOf } from '../adapters/sip/mapping/presence.ts';
import { parseAddress } from '../src/contract/index.ts';
import { decodePidf, encodePidf } from '../src/formats/pidf/index.ts';
import { microseconds } from './cost.ts';

const presentity = parseAddress('sip:juliet@gw.example.net');
const context = { presentity, at: Date.parse('2026-05-01T12:00:00Z') };
const one: DevicePresence[] = [
  { resource: 'balcony', availability: 'away', priority: 13, notes: { en: 'retired to the chamber' } },
];
const four: DevicePresence[] = ['phone', 'desk', 'tablet', 'car'].map((resource, index) => ({
  ...one[0],
  resource,
  availability: 'busy',
  priority: index,
  activities: ['meeting'],
}));
const text = encodePidf(documentOf(one, context));
const bytes = Buffer.from(text);
const large = readFileSync(new URL('../test/wire/sip/rfc4480/everything.xml', import.meta.url));

const rows: [what: string, microseconds: number][] = [
  [`read a document of ${bytes.length} bytes`, microseconds(() => decodePidf(bytes))],
  ['read it, down to the devices of events', microseconds(() => devicesOf(decodePidf(bytes)))],
  ['write it, from the devices of events', microseconds(() => encodePidf(documentOf(one, context)))],
  ['both', microseconds(() => encodePidf(documentOf(devicesOf(decodePidf(bytes)), context)))],
  ['write four devices', microseconds(() => encodePidf(documentOf(four, context)))],
  [`read the large sample of RFC 4480 (${large.length} bytes)`, microseconds(() => devicesOf(decodePidf(large)))],
];

for (const [what, cost] of rows) process.stdout.write(`${cost.toFixed(2).padStart(10)} us  ${what}\n`);
