// Where the demo's real servers come from: Debian's packages, else a container engine, else a message that says what to do.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { missingPeer } from '../test/servers/debian.ts';
import { freePorts } from '../test/servers/process.ts';
import { startProsody } from '../test/servers/prosody.ts';
import { startRedis } from '../test/servers/redis.ts';
import { accounts, componentSecret, components, xmppHost } from './settings.ts';

export interface Servers {
  /** Prosody for users, and for the gateway. */
  readonly clientPort: number;
  readonly componentPort: number;
  readonly redisUrl?: string;
  stop(): Promise<void>;
}

/** Neither packages nor containers can be had. */
export class ServersMissing extends Error {}

const composeFile = join(import.meta.dirname, '../docker-compose.yml');
const containersReadyMs = 120_000;

/** `missing` says which packages cannot be had; asking installs what is missing where we may. */
export async function startServers(
  wantsRedis: boolean,
  missing = missingPeer('prosody', ...(wantsRedis ? (['redis-server'] as const) : [])),
): Promise<Servers> {
  if (missing === undefined) return startPackages(wantsRedis);
  if (hasEngine()) return startContainers(wantsRedis);
  throw new ServersMissing(
    [
      `${missing}.`,
      'The demo runs real servers, and found neither them nor a container engine. One of these helps:',
      `  sudo apt-get install --no-install-recommends prosody${wantsRedis ? ' redis-server' : ''}`,
      '  sudo npm run demo                  (installs them itself)',
      '  start Docker with its compose plugin, then npm run demo',
      ...(wantsRedis ? ['  npm run demo -- --embedded         (needs no Redis)'] : []),
    ].join('\n'),
  );
}

async function startPackages(wantsRedis: boolean): Promise<Servers> {
  const { jid, password } = accounts.alice;
  const [username = ''] = jid.split('@');
  const [prosody, redis] = await Promise.all([
    startProsody({
      host: xmppHost,
      users: [{ username, password }],
      components: Object.values(components).map((domain) => ({ domain, secret: componentSecret })),
    }),
    wantsRedis ? startRedis({ maxmemoryPolicy: 'noeviction' }) : undefined,
  ]);
  return {
    clientPort: prosody.c2sPort,
    componentPort: prosody.componentPort,
    ...(redis ? { redisUrl: redis.url } : {}),
    stop: async () => {
      await Promise.all([prosody.stop(), redis?.stop()]);
    },
  };
}

function hasEngine(): boolean {
  return spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0 && isRunning();
}

function isRunning(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/** The same two services as in docker-compose.yml, under a name and on ports of their own. */
async function startContainers(wantsRedis: boolean): Promise<Servers> {
  const [clientPort = 0, componentPort = 0, redisPort = 0] = await freePorts(3);
  const env = {
    ...process.env,
    XMPP_PORT: String(clientPort),
    COMPONENT_PORT: String(componentPort),
    REDIS_PORT: String(redisPort),
    COMPONENT_SECRET: componentSecret,
    ALICE_PASSWORD: accounts.alice.password,
  };
  const compose = (...args: string[]) =>
    spawnSync('docker', ['compose', '--project-name', `dragoman-demo-${process.pid}`, '--file', composeFile, ...args], {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: containersReadyMs,
    }).status;
  const services = wantsRedis ? ['prosody', 'redis'] : ['prosody'];
  const stop = async () => {
    compose('down', '--volumes', '--timeout', '2');
  };
  if (compose('up', '--detach', '--wait', ...services) !== 0) {
    await stop();
    throw new ServersMissing(`docker compose could not start ${services.join(' and ')}; it said why above`);
  }
  return {
    clientPort,
    componentPort,
    ...(wantsRedis ? { redisUrl: `redis://127.0.0.1:${redisPort}` } : {}),
    stop,
  };
}
