// Starts a real server for a test, waits until it listens, and stops it by its pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ServerProcess {
  readonly pid: number;
  /** Everything it printed so far, for assertions and failure messages. */
  output(): string;
  /** SIGTERM, then SIGKILL after 5 s. Safe to call twice. */
  stop(): Promise<void>;
  /** SIGKILL, now. */
  kill(): Promise<void>;
  readonly child: ChildProcess;
}

export interface ServerOptions {
  args?: readonly string[];
  env?: Record<string, string>;
  cwd?: string;
  /** Ready when all of these accept a connection. */
  ports?: readonly number[];
  /** Ready when its output matches. */
  readyLine?: RegExp;
  timeoutMs?: number;
  /** Its standard input is `child.stdin`; else it has none. */
  hasInput?: boolean;
}

/** Starts a program and resolves when it is ready; rejects with its output when it is not in time. */
export async function startServer(program: string, options: ServerOptions): Promise<ServerProcess> {
  const child = spawn(program, options.args ?? [], {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: [options.hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-65_536);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const exited = once(child, 'exit').catch((error: Error) => {
    output += error.message;
  });
  const ended = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const server: ServerProcess = {
    pid: child.pid ?? -1,
    child,
    output: () => output,
    async stop() {
      if (ended()) return;
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(force);
    },
    async kill() {
      if (ended()) return;
      child.kill('SIGKILL');
      await exited;
    },
  };
  const deadline = Date.now() + (options.timeoutMs ?? 20_000);
  const isReady = async () =>
    (options.readyLine?.test(output) ?? true) && (await Promise.all((options.ports ?? []).map(accepts))).every(Boolean);
  while (!(await isReady())) {
    if (ended() || Date.now() > deadline) {
      await server.kill();
      throw new Error(`${program} did not become ready:\n${output.slice(-4000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return server;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

// Below the range from which the system takes ports for outgoing connections, so that none of those gets in between.
const lowestPort = 20_000;
const highestPort = 32_000;
let nextPort = lowestPort + Math.floor(Math.random() * (highestPort - lowestPort));

/** Loopback ports that are free for TCP and UDP. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    nextPort = nextPort >= highestPort ? lowestPort : nextPort + 1;
    const port = nextPort;
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) ports.push(port);
  }
  return ports;
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4').once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
}

/** A folder for one test; `remove` takes it away. */
export function temporaryFolder(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `dragoman-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Waits for a claim to come true, for what only a real server can bring about. Rejects with `what` after the timeout. */
export async function until(claim: () => boolean | Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await claim())) {
    if (Date.now() > deadline) throw new Error(`did not happen in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
