// What an operator would use instead for SMS: Kannel, HTTP to SMPP, with its durable spool store, on the same SMSC.
import { type Kannel, startKannel } from '../test/servers/kannel.ts';
import { cpuOf, type Peer } from './child.ts';
import { pourHttp } from './http-load.ts';

export interface KannelFigures {
  /** SMS a second while HTTP requests come in. */
  perSecond: number;
  /** Processor time of bearerbox and smsbox, microseconds a message. */
  cpu: number;
  p50: number;
  p99: number;
}

/** `count` messages as fast as they are taken, then at half that rate for the latency. */
export async function benchKannel(smsc: Peer, count: number): Promise<KannelFigures> {
  const kannel = await startBenchKannel(smsc.port);
  try {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await smsc.reset();
    const cpu = () => kannel.pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
    const before = cpu();
    await pourHttp({ ...kannelDoor(kannel), count, perSecond: 0 });
    const full = await smsc.untilArrived(count);
    const used = (cpu() - before) / count;
    const perSecond = (count / (full.last - full.first)) * 1000;
    await smsc.reset();
    const half = Math.min(count, Math.round(perSecond * 4));
    await pourHttp({ ...kannelDoor(kannel), count: half, perSecond: perSecond / 2 });
    const { p50, p99 } = await smsc.untilArrived(half);
    return { perSecond, cpu: used, p50, p99 };
  } finally {
    await kannel.stop();
  }
}

/** Bound to the SMS centre at that port, with its spool store. */
export function startBenchKannel(port: number): Promise<Kannel> {
  return startKannel({
    hasSpool: true,
    smsc: () => ({
      smsc: 'smpp',
      'smsc-id': 'bench',
      host: '127.0.0.1',
      port,
      'transceiver-mode': 'true',
      'smsc-username': 'bench',
      'smsc-password': 'bench',
      'system-type': 'bench',
      'interface-version': 34,
      'max-pending-submits': 100,
      'reconnect-delay': 2,
    }),
  });
}

export function kannelDoor({ httpPort: port }: Kannel) {
  return { port, login: 'username=tester&password=tester' };
}
