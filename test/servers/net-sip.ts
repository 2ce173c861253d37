// Net::SIP (Debian libnet-sip-perl) as a phone that does what it is told, or as a registrar and proxy.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePorts, until } from './process.ts';

/** What it heard: a request by its method, or `answer` to a request of its own, with header names in lower case. */
export interface Heard {
  heard: string;
  /** Of an answer: to which request, and its status. */
  to?: string;
  status?: number;
  body?: string;
  [header: string]: string | number | undefined;
}

export interface Asked {
  /** Names the dialog and the answer. Default: the method. */
  id?: string;
  from?: string;
  to?: string;
  body?: string;
  headers?: Readonly<Record<string, string>>;
}

export interface NetSip {
  readonly port: number;
  /** Everything it heard, oldest first. */
  readonly heard: readonly Heard[];
  /** A phone sends a request; resolves with the final answer to it. */
  ask(method: string, uri: string, parts?: Asked): Promise<Heard>;
  /** Resolves with the first that matches, past or future. */
  hears(matches: (heard: Heard) => boolean, what: string, timeoutMs?: number): Promise<Heard>;
  stop(): Promise<void>;
}

export interface NetSipPhone {
  transport: 'udp' | 'tcp' | 'tls';
  aor: string;
  /** Port on loopback of whom it speaks to. */
  server: number;
  password: string;
  /** Paths of PEM files: whom it trusts, and what it shows. */
  tls?: { ca: string; cert: string; key: string };
}

export async function startNetSipPhone({ transport, aor, server, password, tls }: NetSipPhone): Promise<NetSip> {
  const files = tls ? [tls.ca, tls.cert, tls.key] : [];
  const [port = 0] = await freePorts(1);
  return start(port, ['phone', transport, String(port), aor, `127.0.0.1:${server}`, password, ...files]);
}

/** A registrar with digest and a stateless proxy for one domain and one user, on that port. */
export function startNetSipRegistrar(port: number, domain: string, user: string, password: string): Promise<NetSip> {
  return start(port, ['registrar', 'udp', String(port), domain, user, password]);
}

async function start(port: number, args: readonly string[]): Promise<NetSip> {
  const child = spawn('/usr/bin/perl', [join(import.meta.dirname, 'net-sip.pl'), ...args]);
  const heard: Heard[] = [];
  let [unread, complaints, asked] = ['', '', 0];
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (unread + chunk.toString()).split('\n');
    unread = lines.pop() ?? '';
    for (const line of lines) heard.push(JSON.parse(line) as Heard);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-2000);
  });
  child.stdin.on('error', () => {});
  const hears: NetSip['hears'] = async (matches, what, timeoutMs = 10_000) => {
    await until(() => heard.some(matches), what, timeoutMs).catch((error: Error) => {
      throw new Error(`${error.message}; heard ${JSON.stringify(heard.slice(-10))} ${complaints}`);
    });
    return heard.find(matches) as Heard;
  };
  await hears((one) => one.heard === 'ready', 'Net::SIP is ready');
  return {
    port,
    heard,
    hears,
    async ask(method, uri, parts = {}) {
      asked++;
      const name = `${method}-${asked}`;
      child.stdin.write(`${method} ${uri} ${JSON.stringify({ ...parts, name })}\n`);
      return hears((one) => one.heard === 'answer' && one.to === name, `an answer to ${name}`);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
