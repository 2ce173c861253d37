// The gateway as operators run it: a process of its own with a configuration file, to be killed and started again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { StatusView } from '../../src/admin/view.ts';
import { freePorts, until } from '../servers/process.ts';

const dragoman = join(import.meta.dirname, '../../bin/dragoman');

export class GatewayProcess {
  readonly adminUrl: string;
  readonly configFile: string;
  readonly #logFile: string;
  readonly #port: number;
  #child: ReturnType<typeof spawn> | undefined;

  private constructor(folder: string, name: string, port: number) {
    this.#port = port;
    this.adminUrl = `http://127.0.0.1:${port}`;
    this.configFile = join(folder, `${name}.yaml`);
    this.#logFile = join(folder, `${name}.log`);
  }

  /** Writes the configuration; `settings` is what stands in the file, but for the admin port. */
  static async prepare(folder: string, settings: object, name = 'dragoman'): Promise<GatewayProcess> {
    const [port = 0] = await freePorts(1);
    const gateway = new GatewayProcess(folder, name, port);
    gateway.#write(settings);
    return gateway;
  }

  /** Writes other settings and says SIGHUP; resolves with what the log says became of each. */
  async reload(settings: object): Promise<string[]> {
    const reloads = () =>
      this.log()
        .split('\n')
        .filter((line) => line.includes('"reloaded'))
        .map((line) => (JSON.parse(line) as { changes: string[] }).changes);
    const before = reloads().length;
    this.#write(settings);
    this.signal('SIGHUP');
    await until(() => reloads().length > before, 'the log says reloaded', 10_000);
    return reloads()[before] ?? [];
  }

  #write(settings: object): void {
    writeFileSync(this.configFile, stringify({ admin: { port: this.#port }, ...settings }));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process; resolves when /readyz says so. */
  async start(isReady: () => Promise<boolean> = () => this.isReady()): Promise<void> {
    const log = openSync(this.#logFile, 'a');
    this.#child = spawn(dragoman, ['start', '--config', this.configFile], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    await until(isReady, 'the gateway is ready', 20_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log().slice(-4000)}`);
    });
  }

  async isReady(): Promise<boolean> {
    const response = await fetch(`${this.adminUrl}/readyz`).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.ok === true;
  }

  async status(): Promise<StatusView> {
    const response = await fetch(`${this.adminUrl}/api/status`);
    return (await response.json()) as StatusView;
  }

  /** The sum of a counter over all its series. */
  async counter(name: string): Promise<number> {
    const text = await (await fetch(`${this.adminUrl}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`dragoman_${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** SIGKILL: no goodbye, no flush. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(force);
  }
}
