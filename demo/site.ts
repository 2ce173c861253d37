// The whole site of the demo: real servers, the gateway as a process of its own, a carrier, and three people.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, temporaryFolder, until } from '../test/servers/process.ts';
import { type Carrier, startCarrier } from './carrier.ts';
import type { People } from './conversation.ts';
import { startPhone } from './phone.ts';
import { step } from './screen.ts';
import { startServers } from './servers.ts';
import { accounts, type Ports, writeSettings } from './settings.ts';
import { startXmppUser } from './xmpp-user.ts';

const root = join(import.meta.dirname, '..');
const readyWithinMs = 15_000;

export interface Site {
  readonly people: People;
  readonly carrier: Carrier;
  readonly adminUrl: string;
  readonly configFile: string;
  readonly logFile: string;
}

/** Started in order, stopped in reverse; `stop` takes down whatever is up by then. */
export class Stage {
  readonly #ends: Array<() => unknown> = [];

  async start({ embedded }: { embedded: boolean }): Promise<Site> {
    const folder = temporaryFolder('demo');
    this.#ends.push(() => folder.remove());
    const servers = await step(embedded ? 'Prosody' : 'Prosody and Redis', () => startServers(!embedded));
    this.#ends.push(() => servers.stop());
    const carrier = await step('a sandbox carrier (SMPP)', () => startCarrier());
    this.#ends.push(() => carrier.stop());
    const [admin = 0, sipWebSocket = 0] = await freePorts(2);
    const ports: Ports = { admin, sipWebSocket, smpp: carrier.port, xmppComponent: servers.componentPort };
    const configFile = join(folder.path, 'dragoman.yaml');
    const logFile = join(folder.path, 'gateway.log');
    const data = join(folder.path, 'data');
    const { redisUrl } = servers;
    writeSettings(configFile, ports, redisUrl === undefined ? { data } : { data, redisUrl });
    const adminUrl = `http://127.0.0.1:${admin}`;
    await step(`the gateway, its queue ${embedded ? 'in SQLite' : 'in Redis'}`, () =>
      this.#startGateway(configFile, logFile, adminUrl),
    );
    const people = await step('alice on XMPP, bob on SIP, carol on her mobile', () =>
      this.#invite(carrier, servers.clientPort, sipWebSocket),
    );
    return { people, carrier, adminUrl, configFile, logFile };
  }

  async stop(): Promise<void> {
    for (let end = this.#ends.pop(); end; end = this.#ends.pop()) await Promise.resolve(end()).catch(() => {});
  }

  async #startGateway(configFile: string, logFile: string, adminUrl: string): Promise<void> {
    const log = openSync(logFile, 'a');
    const gateway = spawn(process.execPath, ['src/cli/main.ts', 'start', '--config', configFile], {
      cwd: root,
      stdio: ['ignore', log, log],
    });
    this.#ends.push(() => terminate(gateway));
    let answer = 'it does not answer';
    const isReady = async () => {
      if (gateway.exitCode !== null) throw new Error(`it ended with ${gateway.exitCode}`);
      const response = await fetch(`${adminUrl}/readyz`).catch(() => undefined);
      answer = response ? await response.text() : answer;
      return response?.ok === true;
    };
    await until(isReady, 'the gateway is ready', readyWithinMs).catch((error: Error) => {
      const tail = readFileSync(logFile, 'utf8').slice(-3000);
      throw new Error(`the gateway did not start: ${error.message}; ${answer}\n${tail}`);
    });
  }

  async #invite(carrier: Carrier, clientPort: number, sipWebSocket: number): Promise<People> {
    const { alice: account, bob: phone, carol: mobile } = accounts;
    const [alice, bob] = await Promise.all([
      startXmppUser({ port: clientPort, jid: account.jid, password: account.password }),
      startPhone({ server: `ws://127.0.0.1:${sipWebSocket}`, aor: phone.aor, name: 'bob' }),
    ]);
    const carol = carrier.handset('carol', mobile.number);
    for (const person of [alice, bob, carol]) this.#ends.push(() => person.stop());
    return { alice, bob, carol };
  }
}

async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(force);
}
