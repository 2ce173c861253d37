// A phone whose SMS code is none of ours: oFono (Debian's ofono) on a D-Bus of its own, behind it a modem that answers AT commands
// (3GPP TS 27.005, TS 27.007) as far as oFono asks, and hands it the short messages of a test.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts, type ServerProcess, startServer, temporaryFolder, until } from './process.ts';

export interface OfonoPhone {
  /** What its user is shown, oldest first; a text of class 0 (flash) begins with `!`. */
  readonly shown: string[];
  /** An SMS-DELIVER of TS 23.040 s.9.2.2.1. */
  receive(tpdu: Buffer): void;
  output(): string;
  stop(): Promise<void>;
}

const answers: ReadonlyArray<[asked: RegExp, answer: string]> = [
  [/^AT\+SIMSTATE\?/, '+SIMSTATE: 1'],
  [/^AT\+CPIN\?/, '+CPIN: READY'],
  [/^AT\+(CGMI|CGMM|CGMR)/, 'modem'],
  [/^AT\+CGSN/, '490154203237518'],
  // Every file of the SIM card is absent.
  [/^AT\+CRSM/, '+CRSM: 106,130,""'],
  [/^AT\+CSMS=\?/, '+CSMS: (0,1)'],
  [/^AT\+CSMS=/, '+CSMS: 1,1,1'],
  [/^AT\+CSMS\?/, '+CSMS: 1,1,1,1'],
  [/^AT\+CMGF=\?/, '+CMGF: (0,1)'],
  [/^AT\+CPMS=\?/, '+CPMS: ("SM","ME"),("SM","ME"),("SM","ME")'],
  [/^AT\+CPMS=/, '+CPMS: 0,10,0,10,0,10'],
  [/^AT\+CNMI=\?/, '+CNMI: (0-2),(0-3),(0-3),(0-2),(0,1)'],
];

const storage = '/var/lib/ofono';
const readOr = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

const busConfiguration = (
  path: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
`;

/** Needs ofono and dbus (see debian.ts). Resolves when it takes messages, in about two seconds. */
export async function startOfono(): Promise<OfonoPhone> {
  const folder = temporaryFolder('ofono');
  const file = (name: string) => join(folder.path, name);
  const address = `unix:path=${file('bus')}`;
  const [port = 0] = await freePorts(1);
  // It keeps parts under the number of its SIM card: a card for each start.
  const imsi = `23415${randomInt(1e9, 1e10)}`;
  const modem = await startModem(port, imsi);
  writeFileSync(file('bus.conf'), busConfiguration(file('bus')));
  writeFileSync(file('phonesim.conf'), `[phonesim]\nDriver=phonesim\nAddress=127.0.0.1\nPort=${port}\n`);
  const args = [`--config-file=${file('bus.conf')}`, '--nofork', '--nopidfile', '--print-address'];
  const servers: ServerProcess[] = [await startServer('/usr/bin/dbus-daemon', { args, readyLine: /unix:/ })];
  const env = { DBUS_SYSTEM_BUS_ADDRESS: address, OFONO_PHONESIM_CONFIG: file('phonesim.conf') };
  const stop = async () => {
    for (const server of servers.splice(0).reverse()) await server.stop();
    modem.stop();
    folder.remove();
    for (const name of readOr(storage)) if (name.startsWith(imsi)) rmSync(join(storage, name), { recursive: true });
  };
  try {
    servers.push(await startServer('/usr/sbin/ofonod', { args: ['-n', '-d'], env, readyLine: /plugins\/phonesim/ }));
    const shown = await listen(address, servers);
    await until(() => setModem(address, 'Powered'), 'the phone is switched on');
    await until(() => setModem(address, 'Online'), 'the phone is on the network');
    await until(() => modem.isReady(), 'the phone takes messages');
    return { shown, receive: modem.receive, stop, output: () => servers.map((one) => one.output()).join('\n') };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listen(address: string, servers: ServerProcess[]): Promise<string[]> {
  const shown: string[] = [];
  const args = ['--address', address, "type='signal',interface='org.ofono.MessageManager'"];
  const monitor = await startServer('/usr/bin/dbus-monitor', { args, readyLine: /NameAcquired/ });
  servers.push(monitor);
  let mark: string | undefined;
  if (!monitor.child.stdout) throw new Error('a server has an output');
  createInterface({ input: monitor.child.stdout }).on('line', (line) => {
    const [, member] = /member=(IncomingMessage|ImmediateMessage)$/.exec(line) ?? [];
    if (member) mark = member === 'ImmediateMessage' ? '!' : '';
    const [, text] = /^ {3}string "(.*)"$/.exec(line) ?? [];
    if (mark === undefined || text === undefined) return;
    shown.push(mark + text);
    mark = undefined;
  });
  return shown;
}

/** Whether oFono did it. */
function setModem(address: string, property: 'Powered' | 'Online'): Promise<boolean> {
  const to = [`--bus=${address}`, '--print-reply', '--dest=org.ofono', '/phonesim', 'org.ofono.Modem.SetProperty'];
  const child = spawn('/usr/bin/dbus-send', [...to, `string:${property}`, 'variant:boolean:true'], { stdio: 'ignore' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code === 0)));
}

interface Modem {
  isReady(): boolean;
  receive(tpdu: Buffer): void;
  stop(): void;
}

async function startModem(port: number, imsi: string): Promise<Modem> {
  let socket: Socket | undefined;
  let isReady = false;
  const server: Server = createServer((phone) => {
    socket = phone;
    phone.on('error', () => {});
    let input = '';
    phone.setEncoding('latin1').on('data', (chunk: string) => {
      const lines = (input + chunk).split('\r');
      input = lines.pop() ?? '';
      for (const line of lines) {
        const asked = line.trim();
        const [, known] = answers.find(([pattern]) => pattern.test(asked)) ?? [];
        const answer = asked === 'AT+CIMI' ? imsi : known;
        if (asked !== '') phone.write(`${answer === undefined ? '' : `\r\n${answer}\r\n`}\r\nOK\r\n`);
        // The last that it asks before it can take messages.
        if (asked.startsWith('AT+CGSMS')) isReady = true;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    isReady: () => isReady,
    // Without the address of a service centre, which `00` says.
    receive: (tpdu) => void socket?.write(`\r\n+CMT: ,${tpdu.length}\r\n00${tpdu.toString('hex').toUpperCase()}\r\n`),
    stop() {
      socket?.destroy();
      server.close();
    },
  };
}
