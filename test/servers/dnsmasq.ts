// dnsmasq as the name server of a few domains, on a loopback port and with no word to anybody else.
import { freePorts, type ServerProcess, startServer } from './process.ts';

export interface Dnsmasq {
  /** For `dns.servers`. */
  readonly address: string;
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

/** Records as dnsmasq's options say them: `naptr-record=...`, `srv-host=...`, `host-record=...`, `local=/none.example/`. */
export async function startDnsmasq(records: readonly string[]): Promise<Dnsmasq> {
  const [port = 0] = await freePorts(1);
  const quiet = [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--conf-file=/dev/null',
    '--user=root',
    '--pid-file=',
  ];
  const where = [
    `--port=${port}`,
    '--listen-address=127.0.0.1',
    '--bind-interfaces',
    '--log-facility=-',
    '--local-ttl=60',
  ];
  const args = [...quiet, ...where, ...records.map((record) => `--${record}`)];
  const process = await startServer('/usr/sbin/dnsmasq', { args, ports: [port] });
  return { address: `127.0.0.1:${port}`, process, stop: () => process.stop() };
}
