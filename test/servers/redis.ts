// Real Redis servers for tests: standalone, behind sentinels, and a cluster; each in its own folder, on loopback.
import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, type ServerProcess, startServer, temporaryFolder, until } from './process.ts';

const run = promisify(execFile);

export interface RedisServerOptions {
  /** Default: an append-only file, synced with every write. */
  aof?: boolean;
  maxmemory?: string;
  maxmemoryPolicy?: string;
  /** TLS only, with a certificate of `makeCertificates`. */
  tls?: Certificates;
  /** Lines of redis.conf, such as `user alice on >secret ~* &* +@all`. */
  acl?: readonly string[];
  port?: number;
  extra?: readonly string[];
}

export interface Redis {
  readonly port: number;
  readonly process: ServerProcess;
  readonly url: string;
  /** What redis-cli answers to it (not with TLS). */
  command(...words: string[]): Promise<string>;
  /** SIGKILL: what was not in the append-only file is gone. */
  kill(): Promise<void>;
  /** On the same port and folder as before. */
  restart(): Promise<void>;
  /** For good: its folder goes too. */
  stop(): Promise<void>;
}

export async function startRedis(options: RedisServerOptions = {}): Promise<Redis> {
  const port = options.port ?? (await freePorts(1))[0]!;
  const folder = temporaryFolder('redis');
  const start = () =>
    startServer('/usr/bin/redis-server', {
      args: [...baseArguments(port, folder.path, options), ...(options.extra ?? [])],
      readyLine: /Ready to accept connections/,
    });
  let running = await start();
  return {
    port,
    get process() {
      return running;
    },
    url: `${options.tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    async command(...words) {
      const { stdout } = await run('/usr/bin/redis-cli', ['-p', String(port), ...words]);
      return stdout.trim();
    },
    kill: () => running.kill(),
    async restart() {
      running = await start();
    },
    async stop() {
      await running.kill();
      folder.remove();
    },
  };
}

function baseArguments(port: number, folder: string, options: RedisServerOptions): string[] {
  const { aof = true, tls } = options;
  const lines = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--loglevel', 'notice'];
  if (aof) lines.push('--appendonly', 'yes', '--appendfsync', 'always');
  if (options.maxmemory) lines.push('--maxmemory', options.maxmemory);
  if (options.maxmemoryPolicy) lines.push('--maxmemory-policy', options.maxmemoryPolicy);
  if (tls) {
    lines.push('--port', '0', '--tls-port', String(port), '--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.cert);
    lines.push('--tls-key-file', tls.key, '--tls-auth-clients', 'yes');
  } else lines.push('--port', String(port));
  for (const line of options.acl ?? []) {
    const [directive = '', ...words] = line.split(' ');
    lines.push(`--${directive}`, ...words);
  }
  return lines;
}

export interface RedisGroup {
  readonly servers: readonly Redis[];
  /** Of the sentinels, or of the cluster's nodes. */
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** A master, a replica and three sentinels that fail over within seconds. The master is the first server. */
export async function startSentinels(name: string): Promise<RedisGroup> {
  const master = await startRedis();
  const replica = await startRedis({ extra: ['--replicaof', '127.0.0.1', String(master.port)] });
  const ports = await freePorts(3);
  const folder = temporaryFolder('sentinel');
  const sentinels = await Promise.all(
    ports.map((port) => {
      const file = join(folder.path, `${port}.conf`);
      const lines = [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${folder.path}`,
        `sentinel monitor ${name} 127.0.0.1 ${master.port} 2`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 3000`,
      ];
      writeFileSync(file, `${lines.join('\n')}\n`);
      return startServer('/usr/bin/redis-sentinel', { args: [file], ports: [port] });
    }),
  );
  return {
    servers: [master, replica],
    ports,
    async stop() {
      await Promise.all(sentinels.map((sentinel) => sentinel.kill()));
      await Promise.all([master.stop(), replica.stop()]);
      folder.remove();
    },
  };
}

/** Masters only, all slots shared out. */
export async function startCluster(masters: number): Promise<RedisGroup> {
  const ports = await freePorts(masters * 2);
  const servers = await Promise.all(
    ports
      .slice(0, masters)
      .map((port, index) =>
        startRedis({ port, extra: ['--cluster-enabled', 'yes', '--cluster-port', String(ports[masters + index])] }),
      ),
  );
  const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
  execFileSync('/usr/bin/redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes'], { stdio: 'pipe' });
  const isJoined = async () => {
    const states = await Promise.all(servers.map((server) => server.command('CLUSTER', 'INFO')));
    return states.every((state) => state.includes('cluster_state:ok'));
  };
  await until(isJoined, 'every node of the cluster knows the others');
  return {
    servers,
    ports: servers.map(({ port }) => port),
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

export interface Certificates {
  ca: string;
  cert: string;
  key: string;
}

/** A CA, and one certificate for 127.0.0.1 that serves as the server's and the client's. */
export function makeCertificates(folder: string): Certificates {
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('/usr/bin/openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
  );
  const issuer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key')];
  const names = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    ...issuer,
    '-keyout',
    file('key.pem'),
    '-out',
    file('cert.pem'),
    '-days',
    '2',
    ...names,
  );
  return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') };
}
