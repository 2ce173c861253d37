// `npm run bench:sms`: SMS beside Kannel in one run, on the same SMS centre: HTTP and XMPP in, steady; a queue of `--queued`
// messages drained once the SMS centre is back; receipts in random order with as many outstanding.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GatewayProcess } from '../test/scenarios/gateway-process.ts';
import { missingPeer } from '../test/servers/debian.ts';
import { freePorts, temporaryFolder } from '../test/servers/process.ts';
import { startRedis } from '../test/servers/redis.ts';
import { cpuOf, Peer } from './child.ts';
import { pourHttp } from './http-load.ts';
import { kannelDoor, startBenchKannel } from './kannel.ts';
import { plot, type Row, tableOf } from './table.ts';

const { values: options } = parseArgs({
  options: {
    /** Messages of a steady run. */
    count: { type: 'string', default: '20000' },
    /** Messages that wait when the SMS centre comes back, and receipts that are outstanding. */
    queued: { type: 'string', default: '100000' },
    /** `redis` or `embedded`; both when left out. */
    store: { type: 'string' },
    /** Leaves Kannel out. */
    alone: { type: 'boolean', default: false },
  },
});
const count = Number(options.count);
const queued = Number(options.queued);
const login = 'username=tester&password=tester-password';
const xmppTo = { from: '', to: '+4477009#@sms.bench.example' };
const receiptsForMs = 30_000;

const rows: Row[] = [];
for (const store of ['redis', 'embedded'] as const) {
  if (options.store !== undefined && store !== options.store) continue;
  if (store === 'redis' && missingPeer('redis-server')) process.stdout.write('no Redis here: that half is left out\n');
  else await benchGateway(store);
}
if (!options.alone) {
  if (missingPeer('kannel')) process.stdout.write('no Kannel here: the comparison is left out\n');
  else await benchNeighbour();
}
const out = join(import.meta.dirname, 'out');
mkdirSync(out, { recursive: true });
process.stdout.write(`\n${tableOf(rows)}\n`);
writeFileSync(join(out, 'sms.md'), tableOf(rows));
writeFileSync(join(out, 'sms.svg'), plot(rows));

async function benchGateway(store: 'embedded' | 'redis'): Promise<void> {
  const folder = temporaryFolder('bench-sms');
  const [httpPort = 0, smscPort = 0] = await freePorts(2);
  const xmpp = await Peer.start('xmpp-server.ts');
  const redis = store === 'redis' ? await startRedis({ aof: true, extra: ['--appendfsync', 'everysec'] }) : undefined;
  const gateway = await GatewayProcess.prepare(folder.path, {
    data: join(folder.path, 'data'),
    ...(redis ? { redis: { url: redis.url } } : {}),
    log: { level: 'warn' },
    queue: { highWater: 10 * queued },
    people: [{ addresses: ['xmpp:alice@bench.example', 'tel:+447700900001'] }],
    routes: [
      { to: 'tel:*', via: 'carrier' },
      { to: 'xmpp:*', via: 'jabber' },
    ],
    instances: {
      jabber: {
        protocol: 'xmpp',
        host: '127.0.0.1',
        port: xmpp.port,
        domains: [{ domain: 'sms.bench.example', secret: 'bench', shows: ['tel'] }],
      },
      apps: {
        protocol: 'http',
        port: httpPort,
        accounts: { tester: { password: 'tester-password', senders: ['88222'], ratePerSecond: 1e6, burst: 1e6 } },
      },
      carrier: {
        ...{ protocol: 'smpp', host: '127.0.0.1', port: smscPort, systemId: 'bench', password: 'bench', window: 100 },
        reconnect: { firstMs: 500, maxMs: 500 },
      },
    },
  });
  let smsc = await Peer.start('smsc.ts', smscPort);
  try {
    await gateway.start();
    const cpu = () => cpuOf(gateway.pid ?? 0);
    const http = (many: number, perSecond: number) => pourHttp({ port: httpPort, login, count: many, perSecond });
    const overXmpp = (many: number, perSecond: number) => xmpp.pour({ ...xmppTo, count: many, perSecond });
    rows.push({ what: `HTTP -> SMS, ${store}`, ...(await steady(smsc, cpu, http)) });
    rows.push({ what: `XMPP -> SMS, ${store}`, ...(await steady(smsc, cpu, overXmpp)) });
    smsc.stop();
    await pause(1000);
    await overXmpp(queued, 0);
    await pause(2000);
    smsc = await Peer.start('smsc.ts', smscPort);
    rows.push({ what: `drain of ${queued}, ${store}`, ...(await drain(smsc, cpu)) });
    rows.push({ what: `receipts at random, ${queued} out, ${store}`, ...(await receipts(smsc, cpu)) });
  } finally {
    await gateway.stop();
    await redis?.stop();
    for (const peer of [xmpp, smsc]) peer.stop();
    folder.remove();
  }
}

async function benchNeighbour(): Promise<void> {
  const [smscPort = 0] = await freePorts(1);
  let smsc = await Peer.start('smsc.ts', smscPort);
  const application = createServer((_request, response) => void response.end());
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  const kannel = await startBenchKannel(smscPort);
  try {
    await pause(3000);
    const cpu = () => kannel.pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
    const dlr = `&dlr-mask=1&dlr-url=${encodeURIComponent(`http://127.0.0.1:${(application.address() as AddressInfo).port}/`)}`;
    const http = (many: number, perSecond: number, more = '') =>
      pourHttp({ ...kannelDoor(kannel), count: many, perSecond, more });
    rows.push({ what: 'HTTP -> SMS, Kannel, spool store', ...(await steady(smsc, cpu, http)) });
    smsc.stop();
    await pause(1000);
    await http(queued, 0, dlr);
    smsc = await Peer.start('smsc.ts', smscPort);
    rows.push({ what: `drain of ${queued}, Kannel`, ...(await drain(smsc, cpu)) });
    rows.push({ what: `receipts at random, ${queued} out, Kannel`, ...(await receipts(smsc, cpu)) });
  } finally {
    await kannel.stop();
    application.close();
    smsc.stop();
  }
}

/** As fast as it is taken, then at half of that rate for the latency. */
async function steady(smsc: Peer, cpu: () => number, pour: (count: number, perSecond: number) => Promise<void>) {
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

async function drain(smsc: Peer, cpu: () => number) {
  const before = cpu();
  const { first, last } = await smsc.untilArrived(queued);
  await smsc.reset();
  return { perSecond: (queued / (last - first)) * 1000, cpu: (cpu() - before) / queued };
}

/** For at most half a minute: a store that looks through all of them would take an hour. */
async function receipts(smsc: Peer, cpu: () => number) {
  const before = cpu();
  const startedAt = performance.now();
  void smsc.pour({ from: '', to: '', count: 0, perSecond: 0, isReceipts: true });
  let answered = 0;
  while (answered < queued && performance.now() - startedAt < receiptsForMs) {
    await pause(200);
    answered = (await smsc.report()).count;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: answered / seconds, cpu: answered === 0 ? 0 : (cpu() - before) / answered };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
