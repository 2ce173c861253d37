// What an operator would use instead for SMS: Kannel, HTTP to SMPP, with its durable spool store, on the same SMSC.
import { Agent, get } from 'node:http';
import { startKannel } from '../test/servers/kannel.ts';
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
  const kannel = await startKannel({
    hasSpool: true,
    smsc: () => ({
      smsc: 'smpp',
      'smsc-id': 'bench',
      host: '127.0.0.1',
      port: smsc.port,
      'transceiver-mode': 'true',
      'smsc-username': 'bench',
      'smsc-password': 'bench',
      'system-type': 'bench',
      'interface-version': 34,
      'max-pending-submits': 100,
      'reconnect-delay': 2,
    }),
  });
  const { httpPort } = kannel;
  try {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await smsc.reset();
    const cpu = () => kannel.pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
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
    await kannel.stop();
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
  const path = `/cgi-bin/sendsms?username=tester&password=tester&from=bench&to=${to}&text=${text}`;
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 202 ? resolve() : reject(new Error(`sendsms ${response.statusCode}`)),
      );
    }).on('error', reject);
  });
}
