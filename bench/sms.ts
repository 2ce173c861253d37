// `npm run bench:sms`: SMS beside Kannel on the same SMS centre: HTTP and XMPP in, steady; a queue drained once the SMS centre
// is back; receipts in random order with as many outstanding; the codec alone. `--piece drain --of redis` measures one
// piece and puts it among those measured before: each takes a minute or two, and the table is whole when all are in.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { missingPeer } from '../test/servers/debian.ts';
import { freePorts } from '../test/servers/process.ts';
import { Peer } from './child.ts';
import { type Pour, type Subject, type SubjectName, startSubject, subjectNames } from './sms-subjects.ts';
import { plot, type Row, tableOf } from './table.ts';

const { values: options } = parseArgs({
  options: {
    /** Messages of a steady run. */
    count: { type: 'string', default: '20000' },
    /** Messages that wait when the SMS centre comes back, and receipts that are outstanding. */
    queued: { type: 'string', default: '100000' },
    /** `steady`, `drain`, `receipts` or `codec`; all when left out. */
    piece: { type: 'string' },
    /** `redis`, `embedded` or `Kannel`; all when left out. */
    of: { type: 'string' },
  },
});
const count = Number(options.count);
const queued = Number(options.queued);
const out = join(import.meta.dirname, 'out');
const resultsFile = join(out, 'sms.json');
const receiptsForMs = 30_000;
const settleMs = 2000;

interface Stand {
  readonly subject: Subject;
  /** `redis store`, `Kannel`. */
  readonly name: string;
  smsc: Peer;
  readonly smscPort: number;
}

/** In the order in which they are measured and shown. */
const pieces: Readonly<Record<string, (stand: Stand) => Promise<Row[]>>> = { steady, drain, receipts };
const isWanted = (wanted: string | undefined, name: string) => wanted === undefined || wanted === name;

const known = new Map<string, Row>();
if ((options.piece ?? options.of) !== undefined && existsSync(resultsFile)) {
  for (const row of JSON.parse(readFileSync(resultsFile, 'utf8')) as Row[]) known.set(row.what, row);
}
for (const [piece, measure] of Object.entries(pieces)) {
  for (const of of subjectNames) {
    if (!isWanted(options.piece, piece) || !isWanted(options.of, of)) continue;
    for (const row of await measured(of, measure)) known.set(row.what, { ...row, kind: piece });
    keep();
  }
}
process.stdout.write(`\n${tableOf([...known.values()])}\n`);
if (isWanted(options.piece, 'codec') && options.of === undefined) {
  for (const script of ['smpp-codec.ts', 'smpp-receipts.ts'])
    spawnSync(process.execPath, [join(import.meta.dirname, script)], { stdio: 'inherit' });
}

function keep(): void {
  const rows = [...known.values()];
  mkdirSync(out, { recursive: true });
  writeFileSync(resultsFile, JSON.stringify(rows));
  writeFileSync(join(out, 'sms.md'), tableOf(rows));
  writeFileSync(join(out, 'sms.svg'), plot(rows));
}

async function measured(of: SubjectName, measure: (stand: Stand) => Promise<Row[]>): Promise<Row[]> {
  const missing = of === 'redis' ? missingPeer('redis-server') : of === 'Kannel' ? missingPeer('kannel') : undefined;
  if (missing) {
    process.stdout.write(`${of} is left out: ${missing}\n`);
    return [];
  }
  const [smscPort = 0] = await freePorts(1);
  const smsc = await Peer.start('smsc.ts', smscPort);
  const subject = await startSubject(of, smscPort);
  const stand: Stand = { subject, name: of === 'Kannel' ? of : `${of} store`, smsc, smscPort };
  try {
    await pause(settleMs);
    return await measure(stand);
  } finally {
    await subject.stop();
    stand.smsc.stop();
  }
}

async function steady({ subject, name, smsc }: Stand): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [door, pour] of Object.entries(subject.doors)) {
    rows.push({ what: `${door} -> SMS, ${name}`, ...(await fullAndHalf(smsc, subject.cpu, pour)) });
  }
  return rows;
}

/** As fast as it is taken, then at half of that rate for the latency. */
async function fullAndHalf(smsc: Peer, cpu: () => number, pour: Pour) {
  await pour(2000, 0);
  await smsc.untilArrived(2000);
  await smsc.reset();
  const before = cpu();
  await pour(count, 0);
  const { first, last } = await smsc.untilArrived(count);
  const used = (cpu() - before) / count;
  const perSecond = (count / (last - first)) * 1000;
  await smsc.reset();
  const half = Math.min(count, Math.round(perSecond * 4));
  await pour(half, perSecond / 2);
  const { p50, p99 } = await smsc.untilArrived(half);
  await smsc.reset();
  return { perSecond, cpu: used, p50, p99 };
}

async function drain(stand: Stand): Promise<Row[]> {
  const { subject, name, smscPort } = stand;
  stand.smsc.stop();
  await pause(settleMs);
  await subject.asking(queued, 0);
  await pause(settleMs);
  const before = subject.cpu();
  stand.smsc = await Peer.start('smsc.ts', smscPort);
  const { first, last } = await stand.smsc.untilArrived(queued);
  const perSecond = (queued / (last - first)) * 1000;
  return [{ what: `drain of ${queued}, ${name}`, perSecond, cpu: (subject.cpu() - before) / queued }];
}

/** For at most half a minute: a store that looks through all of them would take an hour. */
async function receipts({ subject, name, smsc }: Stand): Promise<Row[]> {
  await subject.asking(queued, 0);
  await smsc.untilArrived(queued);
  await smsc.reset();
  await pause(settleMs);
  const before = subject.cpu();
  const startedAt = performance.now();
  void smsc.pour({ from: '', to: '', count: 0, perSecond: 0, isReceipts: true });
  let answered = 0;
  while (answered < queued && performance.now() - startedAt < receiptsForMs) {
    await pause(200);
    answered = (await smsc.report()).count;
  }
  const perSecond = (answered * 1000) / (performance.now() - startedAt);
  const cpu = answered === 0 ? 0 : (subject.cpu() - before) / answered;
  return [{ what: `receipts at random, ${queued} out, ${name}`, perSecond, cpu }];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
