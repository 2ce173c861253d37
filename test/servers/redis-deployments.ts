// The ways in which Redis is deployed, each of which must serve equally well.
import type { z } from 'zod';
import type { redisOptions } from '../../src/state/redis.ts';
import type { Peer } from './debian.ts';
import { temporaryFolder } from './process.ts';
import { type Certificates, makeCertificates, startCluster, startRedis, startSentinels } from './redis.ts';

type Options = z.input<typeof redisOptions>;

export interface Deployment {
  readonly name: string;
  readonly needs: readonly Peer[];
  start(): Promise<void>;
  options(): Options;
  remove(): Promise<void>;
}

export const deployments: readonly Deployment[] = [
  deploy('standalone', ['redis-server'], async () => {
    const server = await startRedis();
    return { options: { host: '127.0.0.1', port: server.port }, remove: server.stop };
  }),
  deploy('with TLS and an ACL user', ['redis-server', 'openssl'], async () => {
    const folder = temporaryFolder('certificates');
    const files: Certificates = makeCertificates(folder.path);
    const acl = ['user default off', 'user gate on >s3cret/%40 ~* &* +@all'];
    const server = await startRedis({ tls: files, acl });
    const remove = async () => {
      await server.stop();
      folder.remove();
    };
    const options = {
      host: '127.0.0.1',
      port: server.port,
      username: 'gate',
      password: 's3cret/%40',
      tls: { ...files },
    };
    return { options, remove };
  }),
  deploy('behind sentinels', ['redis-server', 'redis-sentinel'], async () => {
    const group = await startSentinels('messages');
    const sentinels = group.ports.map((port) => ({ host: '127.0.0.1', port }));
    return { options: { sentinels, name: 'messages' }, remove: group.stop };
  }),
  deploy('cluster of three masters', ['redis-server'], async () => {
    const group = await startCluster(3);
    return { options: { cluster: group.ports.map((port) => ({ host: '127.0.0.1', port })) }, remove: group.stop };
  }),
];

type Running = { options: Options; remove(): Promise<void> };

function deploy(name: string, needs: readonly Peer[], begin: () => Promise<Running>): Deployment {
  let running: Running | undefined;
  return {
    name,
    needs,
    async start() {
      running = await begin();
    },
    options() {
      if (!running) throw new Error(`Redis ${name} was not started`);
      return running.options;
    },
    async remove() {
      await running?.remove();
    },
  };
}
