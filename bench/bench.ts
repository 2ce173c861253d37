// `npm run bench`: load through the real gateway in four directions, on Redis and embedded; in the same run Kannel and the
// bare codecs on the same peers. Prints a table, writes it and a plot to bench/out. Figures are ratios of one run.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GatewayProcess } from '../test/scenarios/gateway-process.ts';
import { missingPeer } from '../test/servers/debian.ts';
import { freePorts, temporaryFolder } from '../test/servers/process.ts';
import { startRedis } from '../test/servers/redis.ts';
import { cpuOf, Peer, rssOf } from './child.ts';
import { benchKannel } from './kannel.ts';
import type { Load } from './peers/peer.ts';
import { whereTimeGoes } from './profile.ts';
import { plot, type Row, tableOf } from './table.ts';

const { values: options } = parseArgs({
  options: {
    /** Messages a run. */
    count: { type: 'string', default: '20000' },
    /** `XMPP -> SMS` and so on; all when left out. */
    only: { type: 'string' },
    /** `redis` or `embedded`; both when left out. */
    store: { type: 'string' },
    /** Leaves out Kannel and the bare codecs. */
    alone: { type: 'boolean', default: false },
    /** Writes a CPU profile of the gateway into this folder and says where the time goes. */
    profile: { type: 'string' },
  },
});
const count = Number(options.count);
const out = join(import.meta.dirname, 'out');

interface Peers {
  xmpp: Peer;
  smsc: Peer;
  sip: Peer;
}

type Direction = { name: string; source: keyof Peers; sink: keyof Peers; load: Pick<Load, 'from' | 'to'> };

const directions: readonly Direction[] = [
  { name: 'XMPP -> SMS', source: 'xmpp', sink: 'smsc', load: { from: '', to: '+4477009#@sms.bench.example' } },
  {
    name: 'XMPP -> SIP',
    source: 'xmpp',
    sink: 'sip',
    load: { from: '', to: 'bob#\\40phones.example@sip.bench.example' },
  },
  {
    name: 'SIP -> XMPP',
    source: 'sip',
    sink: 'xmpp',
    load: { from: 'sip:bob#@phones.example', to: 'sip:alice%40bench.example@gw.example' },
  },
  { name: 'SMS -> XMPP', source: 'smsc', sink: 'xmpp', load: { from: '+4477009#', to: '+447700900001' } },
];

const rows: Row[] = [];
const stores = (['embedded', 'redis'] as const).filter(
  (store) => options.store === undefined || store === options.store,
);
for (const store of stores) {
  if (store === 'redis' && missingPeer('redis-server')) process.stdout.write('no Redis here: that half is left out\n');
  else await benchGateway(store);
}
if (!options.alone) {
  await benchBare();
  if (missingPeer('kannel')) process.stdout.write('no Kannel here: the comparison is left out\n');
  else await benchNeighbour();
}
mkdirSync(out, { recursive: true });
const table = tableOf(rows);
process.stdout.write(`\n${table}\n`);
writeFileSync(join(out, 'results.md'), table);
writeFileSync(join(out, 'results.svg'), plot(rows));
if (options.profile) process.stdout.write(whereTimeGoes(options.profile));

async function benchGateway(store: 'embedded' | 'redis'): Promise<void> {
  const folder = temporaryFolder('bench');
  const [sipPort = 0, agentPort = 0] = await freePorts(2);
  const peers: Peers = {
    xmpp: await Peer.start('xmpp-server.ts'),
    smsc: await Peer.start('smsc.ts'),
    sip: await Peer.start('sip-agent.ts', sipPort, agentPort),
  };
  const redis = store === 'redis' ? await startRedis({ aof: true, extra: ['--appendfsync', 'everysec'] }) : undefined;
  const gateway = await GatewayProcess.prepare(folder.path, settings(folder.path, peers, sipPort, redis?.url));
  try {
    if (options.profile) process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${options.profile}`;
    await gateway.start();
    delete process.env.NODE_OPTIONS;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const rest = rssOf(gateway.pid ?? 0);
    const chosen = directions.filter(({ name }) => options.only === undefined || name === options.only);
    for (const direction of chosen) rows.push(await run(direction, peers, gateway, store, rest));
    if (options.profile) process.stdout.write(await memoryOf(gateway));
    if (options.profile && redis) process.stdout.write(`${await redis.command('INFO', 'commandstats')}\n`);
  } finally {
    await gateway.stop();
    await redis?.stop();
    for (const peer of Object.values(peers)) peer.stop();
    folder.remove();
  }
}

async function run(
  direction: Direction,
  peers: Peers,
  gateway: GatewayProcess,
  store: string,
  rest: number,
): Promise<Row> {
  const { name, load } = direction;
  const source = peers[direction.source];
  const sink = peers[direction.sink];
  const pid = gateway.pid ?? 0;
  await source.pour({ ...load, count: 2000, perSecond: 0 });
  await sink.untilArrived(2000);
  await sink.reset();
  const cpuBefore = cpuOf(pid);
  await source.pour({ ...load, count, perSecond: 0 });
  const full = await sink.untilArrived(count);
  const cpu = (cpuOf(pid) - cpuBefore) / count;
  const perSecond = (count / (full.last - full.first)) * 1000;
  await sink.reset();
  const half = Math.min(count, Math.round(perSecond * 4));
  await source.pour({ ...load, count: half, perSecond: perSecond / 2 });
  const { p50, p99 } = await sink.untilArrived(half);
  await sink.reset();
  process.stdout.write(`${name} on ${store}: ${Math.round(perSecond)}/s\n`);
  return { what: `${name}, ${store}`, perSecond, cpu, p50, p99, rssAtRest: rest, rssUnderLoad: rssOf(pid) };
}

/** What the gateway's memory consists of, in MB. */
async function memoryOf(gateway: GatewayProcess): Promise<string> {
  const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const lines = text
    .split('\n')
    .filter((line) => /^dragoman_(nodejs_(heap_size|external)|process_resident)\w+ /.test(line));
  return `${lines.map((line) => line.replace(/ (\S+)$/, (_, bytes: string) => ` ${Math.round(Number(bytes) / 1e6)} MB`)).join('\n')}\n`;
}

async function benchBare(): Promise<void> {
  const [xmpp, smsc] = [await Peer.start('xmpp-server.ts'), await Peer.start('smsc.ts')];
  const bare = fork(join(import.meta.dirname, 'bare.ts'), [String(xmpp.port), String(smsc.port)]);
  await once(bare, 'message');
  const load = { from: '', to: '+4477009#@bare.bench.example', count, perSecond: 0 };
  await xmpp.pour(load);
  await smsc.untilArrived(count);
  await smsc.reset();
  const before = cpuOf(bare.pid ?? 0);
  await xmpp.pour(load);
  const { first, last } = await smsc.untilArrived(count);
  const cpu = (cpuOf(bare.pid ?? 0) - before) / count;
  rows.push({ what: 'XMPP -> SMS, bare codecs, no hub', perSecond: (count / (last - first)) * 1000, cpu });
  bare.disconnect();
  xmpp.stop();
  smsc.stop();
}

async function benchNeighbour(): Promise<void> {
  const smsc = await Peer.start('smsc.ts');
  const figures = await benchKannel(smsc, count);
  rows.push({ what: 'HTTP -> SMS, Kannel, spool store', ...figures });
  smsc.stop();
}

function settings(folder: string, peers: Peers, sipPort: number, redisUrl: string | undefined): object {
  const secret = 'bench';
  return {
    data: join(folder, 'data'),
    ...(redisUrl === undefined ? {} : { redis: { url: redisUrl } }),
    log: { level: 'warn' },
    people: [{ addresses: ['xmpp:alice@bench.example', 'tel:+447700900001'] }],
    routes: [
      { to: 'tel:*', via: 'carrier' },
      { to: 'sip:*', via: 'phones' },
      { to: 'xmpp:*', via: 'jabber' },
    ],
    instances: {
      jabber: {
        protocol: 'xmpp',
        host: '127.0.0.1',
        port: peers.xmpp.port,
        domains: [
          { domain: 'sms.bench.example', secret, shows: ['tel'] },
          { domain: 'sip.bench.example', secret, shows: ['sip'] },
        ],
      },
      phones: {
        protocol: 'sip',
        listen: [{ transport: 'udp', host: '127.0.0.1', port: sipPort }],
        domains: [{ domain: 'gw.example', shows: ['xmpp', 'tel'] }],
        outboundProxy: `sip:127.0.0.1:${peers.sip.port};transport=udp`,
        trusted: ['127.0.0.1'],
        holdMs: 0,
      },
      carrier: {
        protocol: 'smpp',
        host: '127.0.0.1',
        port: peers.smsc.port,
        systemId: 'bench',
        password: 'bench',
        window: 100,
      },
    },
  };
}
