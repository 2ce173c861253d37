// What `bench/sms.ts` measures: our gateway on either store, and Kannel with its spool store, each bound to the SMS centre
// at a port that outlives both.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { GatewayProcess } from '../test/scenarios/gateway-process.ts';
import { freePorts, temporaryFolder } from '../test/servers/process.ts';
import { startRedis } from '../test/servers/redis.ts';
import { cpuOf, Peer } from './child.ts';
import { pourHttp } from './http-load.ts';
import { kannelDoor, startBenchKannel } from './kannel.ts';

/** `perSecond` 0 is as fast as they are taken. Resolves when the last was. */
export type Pour = (count: number, perSecond: number) => Promise<void>;

export interface Subject {
  /** The ways in, by their name. */
  readonly doors: Readonly<Record<string, Pour>>;
  /** The one whose messages ask for a receipt. */
  readonly asking: Pour;
  /** Microseconds of processor time so far. */
  cpu(): number;
  stop(): Promise<void>;
}

export const subjectNames = ['redis', 'embedded', 'Kannel'] as const;
export type SubjectName = (typeof subjectNames)[number];

export function startSubject(name: SubjectName, smscPort: number): Promise<Subject> {
  return name === 'Kannel' ? startNeighbour(smscPort) : startGateway(name, smscPort);
}

async function startGateway(store: 'redis' | 'embedded', smscPort: number): Promise<Subject> {
  const folder = temporaryFolder('bench-sms');
  const [httpPort = 0] = await freePorts(1);
  const xmpp = await Peer.start('xmpp-server.ts');
  const redis = store === 'redis' ? await startRedis({ aof: true, extra: ['--appendfsync', 'everysec'] }) : undefined;
  const shared = redis ? { redis: { url: redis.url } } : {};
  const ports = { http: httpPort, smsc: smscPort, xmpp: xmpp.port };
  const settings = { data: join(folder.path, 'data'), ...shared, ...settingsFor(ports) };
  const gateway = await GatewayProcess.prepare(folder.path, settings);
  const stop = async () => {
    await gateway.stop();
    await redis?.stop();
    xmpp.stop();
    folder.remove();
  };
  await gateway.start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const overXmpp: Pour = (count, perSecond) =>
    xmpp.pour({ from: '', to: '+4477009#@sms.bench.example', count, perSecond });
  const overHttp: Pour = (count, perSecond) =>
    pourHttp({ port: httpPort, login: 'username=tester&password=tester-password', count, perSecond });
  return {
    doors: { HTTP: overHttp, XMPP: overXmpp },
    asking: overXmpp,
    cpu: () => cpuOf(gateway.pid ?? 0),
    stop,
  };
}

function settingsFor(ports: { http: number; smsc: number; xmpp: number }): object {
  const tester = { password: 'tester-password', senders: ['88222'], ratePerSecond: 1e6, burst: 1e6 };
  const carrier = { protocol: 'smpp', host: '127.0.0.1', port: ports.smsc, systemId: 'bench', password: 'bench' };
  return {
    log: { level: 'warn' },
    queue: { highWater: 1_000_000 },
    people: [{ addresses: ['xmpp:alice@bench.example', 'tel:+447700900001'] }],
    routes: [
      { to: 'tel:*', via: 'carrier' },
      { to: 'xmpp:*', via: 'jabber' },
    ],
    instances: {
      jabber: {
        protocol: 'xmpp',
        host: '127.0.0.1',
        port: ports.xmpp,
        domains: [{ domain: 'sms.bench.example', secret: 'bench', shows: ['tel'] }],
      },
      apps: { protocol: 'http', port: ports.http, accounts: { tester } },
      carrier: { ...carrier, window: 100, reconnect: { firstMs: 500, maxMs: 500 } },
    },
  };
}

async function startNeighbour(smscPort: number): Promise<Subject> {
  const application = createServer((_request, response) => void response.end());
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
  const { port } = application.address() as AddressInfo;
  const kannel = await startBenchKannel(smscPort);
  const dlr = `&dlr-mask=1&dlr-url=${encodeURIComponent(`http://127.0.0.1:${port}/`)}`;
  const pour =
    (more: string): Pour =>
    (count, perSecond) =>
      pourHttp({ ...kannelDoor(kannel), count, perSecond, more });
  return {
    doors: { HTTP: pour('') },
    asking: pour(dlr),
    cpu: () => kannel.pids.reduce((sum, pid) => sum + cpuOf(pid), 0),
    async stop() {
      await kannel.stop();
      application.close();
    },
  };
}
