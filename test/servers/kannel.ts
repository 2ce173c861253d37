// Kannel (Debian's kannel): a bearerbox with one connection to somebody (an SMS centre by SMPP, or an HTTP service that
// speaks sendsms), and a smsbox in front of it with a sendsms door of its own.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, type ServerProcess, startServer, temporaryFolder, until } from './process.ts';

type GroupValues = Readonly<Record<string, string | number>>;

/** `group = smsc` of Kannel as an ESME of ours; port and kind of bind are missing. */
export const esmeGroup: GroupValues = {
  smsc: 'smpp',
  'smsc-id': 'dragoman',
  host: '127.0.0.1',
  'smsc-username': 'kannel',
  'smsc-password': 'secret',
  'system-type': '',
  'reconnect-delay': 1,
};

export interface KannelOptions {
  /** The lines of `group = smsc`, without the first; of several such groups. `kannelPort` is one that it may listen on. */
  smsc(kannelPort: number): GroupValues | readonly GroupValues[];
  /** Where inbound messages go (`get-url`, with Kannel's escape codes); default: nowhere. */
  getUrl?: string;
  /** A spool store, as operators have it where nothing may get lost; default: memory. */
  hasSpool?: boolean;
}

export interface Kannel {
  /** Of smsbox, where sendsms is. */
  readonly httpPort: number;
  readonly pids: readonly number[];
  /** As user `tester`; whatever parameters sendsms has. */
  sendsms(parameters: Readonly<Record<string, string>>): Promise<{ status: number; text: string }>;
  /** An administration command with its parameters, as `stop-smsc?smsc=dragoman`; resolves with Kannel's words. */
  admin(command: string): Promise<string>;
  log(): string;
  stop(): Promise<void>;
}

export async function startKannel(options: KannelOptions): Promise<Kannel> {
  const folder = temporaryFolder('kannel');
  const [adminPort = 0, boxPort = 0, httpPort = 0, kannelPort = 0] = await freePorts(4);
  const spool = join(folder.path, 'spool');
  mkdirSync(spool);
  const config = join(folder.path, 'kannel.conf');
  writeFileSync(config, configuration(options, { adminPort, boxPort, httpPort, kannelPort, spool }));
  const bearerbox = await startServer('/usr/sbin/bearerbox', { args: ['-v', '1', config], ports: [boxPort] });
  let smsbox: ServerProcess;
  try {
    smsbox = await startServer('/usr/sbin/smsbox', { args: ['-v', '1', config], ports: [httpPort] });
    // Its port is open before it answers there.
    await until(() => answers(`http://127.0.0.1:${httpPort}/cgi-bin/sendsms`), 'smsbox answers');
  } catch (error) {
    await bearerbox.stop();
    folder.remove();
    throw error;
  }
  return {
    httpPort,
    pids: [bearerbox.pid, smsbox.pid],
    async sendsms(parameters) {
      const query = new URLSearchParams({ username: 'tester', password: 'tester', ...parameters });
      const response = await fetch(`http://127.0.0.1:${httpPort}/cgi-bin/sendsms?${query}`);
      return { status: response.status, text: await response.text() };
    },
    async admin(command) {
      const separator = command.includes('?') ? '&' : '?';
      const response = await fetch(`http://127.0.0.1:${adminPort}/${command}${separator}password=tester`);
      return response.text();
    },
    log: () => `${bearerbox.output()}\n${smsbox.output()}`,
    async stop() {
      await smsbox.stop();
      await bearerbox.stop();
      folder.remove();
    },
  };
}

function answers(url: string): Promise<boolean> {
  return fetch(url)
    .then((response) => response.text())
    .then(
      () => true,
      () => false,
    );
}

interface Ports {
  adminPort: number;
  boxPort: number;
  httpPort: number;
  kannelPort: number;
  spool: string;
}

function configuration(options: KannelOptions, ports: Ports): string {
  const store = options.hasSpool ? { 'store-type': 'spool', 'store-location': ports.spool } : {};
  const service = options.getUrl === undefined ? { text: 'none' } : { 'get-url': options.getUrl };
  return [
    group('core', {
      'admin-port': ports.adminPort,
      'admin-password': 'tester',
      'smsbox-port': ports.boxPort,
      'box-allow-ip': '127.0.0.1',
      'sms-resend-freq': 2,
      ...store,
    }),
    ...[options.smsc(ports.kannelPort)].flat().map((values) => group('smsc', values as GroupValues)),
    group('smsbox', { 'bearerbox-host': '127.0.0.1', 'sendsms-port': ports.httpPort }),
    group('sendsms-user', { username: 'tester', password: 'tester', concatenation: 'true', 'max-messages': 10 }),
    group('sms-service', { keyword: 'default', 'max-messages': 0, 'catch-all': 'true', ...service }),
  ].join('\n');
}

// Kannel begins a new group after an empty line and allows none inside.
function group(name: string, values: GroupValues): string {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `group = ${name}\n${lines.join('\n')}\n`;
}
