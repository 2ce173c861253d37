// What an operator would use instead for SMS: Kannel, HTTP to SMPP, with its durable spool store, on the same SMSC.
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from '../test/servers/process.ts';
import { cpuOf, type Peer } from './child.ts';

export interface KannelFigures {
  /** SMS a second while HTTP requests come in. */
  perSecond: number;
  /** Processor time of bearerbox and smsbox, microseconds a message. */
  cpu: number;
  p50: number;
  p99: number;
}

const connections = 64;

/** `count` messages as fast as they are taken, then at half that rate for the latency. */
export async function benchKannel(smsc: Peer, count: number): Promise<KannelFigures> {
  const folder = temporaryFolder('kannel');
  const [adminPort = 0, boxPort = 0, httpPort = 0] = await freePorts(3);
  const spool = join(folder.path, 'spool');
  mkdirSync(spool);
  const config = join(folder.path, 'kannel.conf');
  writeFileSync(config, configuration({ adminPort, boxPort, httpPort, smscPort: smsc.port, spool }));
  const bearerbox = await startServer('/usr/sbin/bearerbox', { args: ['-v', '3', config], ports: [boxPort] });
  let smsbox: ServerProcess | undefined;
  try {
    smsbox = await startServer('/usr/sbin/smsbox', { args: ['-v', '3', config], ports: [httpPort] });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await smsc.reset();
    const cpu = () => cpuOf(bearerbox.pid) + cpuOf(smsbox?.pid ?? 0);
    const before = cpu();
    await load(httpPort, count, 0);
    const full = await smsc.untilArrived(count);
    const used = (cpu() - before) / count;
    const perSecond = (count / (full.last - full.first)) * 1000;
    await smsc.reset();
    const half = Math.min(count, Math.round(perSecond * 4));
    await load(httpPort, half, perSecond / 2);
    const { p50, p99 } = await smsc.untilArrived(half);
    return { perSecond, cpu: used, p50, p99 };
  } finally {
    await smsbox?.stop();
    await bearerbox.stop();
    folder.remove();
  }
}

async function load(port: number, count: number, perSecond: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const startedAt = performance.now();
  let next = 0;
  const one = async () => {
    while (next < count) {
      const n = next++;
      const due = perSecond === 0 ? 0 : startedAt + (n / perSecond) * 1000 - performance.now();
      if (due > 1) await new Promise((resolve) => setTimeout(resolve, due));
      await send(agent, port, n);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  agent.destroy();
}

function send(agent: Agent, port: number, n: number): Promise<void> {
  const sentAt = (performance.timeOrigin + performance.now()).toFixed(2);
  const text = encodeURIComponent(`Hello from the bench, message ${n} sent at @${sentAt}@`);
  const to = `%2B4477009${10_000 + (n % 500)}`;
  const path = `/cgi-bin/sendsms?username=bench&password=bench&from=bench&to=${to}&text=${text}`;
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 202 ? resolve() : reject(new Error(`sendsms ${response.statusCode}`)),
      );
    }).on('error', reject);
  });
}

function configuration(ports: {
  adminPort: number;
  boxPort: number;
  httpPort: number;
  smscPort: number;
  spool: string;
}): string {
  return `group = core
admin-port = ${ports.adminPort}
admin-password = bench
smsbox-port = ${ports.boxPort}
box-allow-ip = 127.0.0.1
log-level = 3
store-type = spool
store-location = ${ports.spool}

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = ${ports.smscPort}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = bench
interface-version = 34
max-pending-submits = 100
reconnect-delay = 2

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${ports.httpPort}
log-level = 3

group = sendsms-user
username = bench
password = bench

group = sms-service
keyword = default
text = none
`;
}
