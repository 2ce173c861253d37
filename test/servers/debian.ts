// Real servers come from Debian. What is missing is installed where we may; elsewhere the test is skipped with its
// reason, and under CI=true it fails.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';

/** A peer program and the packages that bring it. */
const packages = {
  'redis-server': { program: '/usr/bin/redis-server', packages: ['redis-server'] },
  'redis-sentinel': { program: '/usr/bin/redis-sentinel', packages: ['redis-sentinel'] },
  prosody: { program: '/usr/bin/prosody', packages: ['prosody'] },
  ejabberd: { program: '/usr/sbin/ejabberdctl', packages: ['ejabberd'] },
  kamailio: {
    program: '/usr/sbin/kamailio',
    packages: [
      'kamailio',
      'kamailio-tls-modules',
      'kamailio-websocket-modules',
      'kamailio-presence-modules',
      'kamailio-outbound-modules',
    ],
  },
  'kamailio-presence': {
    program: '/usr/share/kamailio/db_sqlite/presence-create.sql',
    packages: ['kamailio', 'kamailio-presence-modules', 'kamailio-sqlite-modules'],
  },
  baresip: { program: '/usr/bin/baresip', packages: ['baresip-core'] },
  sipp: { program: '/usr/bin/sipp', packages: ['sip-tester'] },
  linphone: { program: '/usr/bin/linphone-daemon', packages: ['linphone-cli'] },
  python: { program: '/usr/bin/python3', packages: ['python3'] },
  ofono: { program: '/usr/sbin/ofonod', packages: ['ofono', 'dbus'] },
  kannel: { program: '/usr/sbin/bearerbox', packages: ['kannel'] },
  'net-smpp': { program: '/usr/share/perl5/Net/SMPP.pm', packages: ['libnet-smpp-perl'] },
  'net-sip': { program: '/usr/share/perl5/Net/SIP.pm', packages: ['libnet-sip-perl', 'libio-socket-ssl-perl'] },
  sipsak: { program: '/usr/bin/sipsak', packages: ['sipsak'] },
  bitlbee: { program: '/var/lib/dpkg/info/bitlbee-libpurple.list', packages: ['bitlbee-libpurple'] },
  dnsmasq: { program: '/usr/sbin/dnsmasq', packages: ['dnsmasq-base'] },
  stun: { program: '/usr/bin/turnutils_stunclient', packages: ['coturn'] },
  chromium: { program: '/usr/bin/chromium', packages: ['chromium'] },
  tshark: { program: '/usr/bin/tshark', packages: ['tshark'] },
  openssl: { program: '/usr/bin/openssl', packages: ['openssl'] },
} as const;

export type Peer = keyof typeof packages;

/** Undefined when every peer is there (installing what is missing); else the reason why not. */
export function missingPeer(...peers: Peer[]): string | undefined {
  for (const peer of peers) {
    const { program, packages: names } = packages[peer];
    if (!existsSync(program)) install(names);
    if (!existsSync(program)) return `${peer} is not here: install the Debian package ${names[0]} (needs root)`;
  }
  return undefined;
}

/** Skips the test (or fails it under CI=true) when a peer cannot be had. True when all are there. */
export function needs(test: TestContext, ...peers: Peer[]): boolean {
  const reason = missingPeer(...peers);
  if (reason === undefined) return true;
  if (process.env.CI === 'true') throw new Error(`${reason}; under CI=true every peer must be there`);
  test.skip(reason);
  return false;
}

/** Every package of every peer at once: one apt run at the start is quicker than one a test. */
export function installAll(): void {
  install(Object.values(packages).flatMap((peer) => (existsSync(peer.program) ? [] : peer.packages)));
}

let isListFresh = false;

function install(names: readonly string[]): void {
  if (names.length === 0 || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  // Services must not start on install: the tests run their own copies on loopback.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  process.stderr.write(`installing from Debian: ${names.join(' ')}\n`);
  if (!isListFresh) spawnSync('apt-get', ['update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  isListFresh = true;
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
