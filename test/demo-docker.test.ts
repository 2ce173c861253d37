// The container files, as far as they can be held to their word without an engine: what they name exists, what they publish
// is on loopback, and each configuration in config/docker is right for its program.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadConfig } from '../src/config/config.ts';
import { loadAdapter } from '../src/loader.ts';
import { needs } from './servers/debian.ts';

interface Service {
  image?: string;
  build?: string | { target?: string; dockerfile_inline?: string };
  command?: string[];
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string>;
}

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const { services } = parse(read('docker-compose.yml')) as { services: Record<string, Service> };
const dockerfile = read('Dockerfile');

test('docker-compose.yml has the gateway, Redis, Prosody, Kamailio and a carrier, and each says where it comes from', () => {
  assert.deepEqual(Object.keys(services).sort(), ['carrier', 'gateway', 'kamailio', 'prosody', 'redis']);
  for (const [name, { image, build }] of Object.entries(services)) assert.ok(image ?? build, name);
});

test('every published port is on loopback', () => {
  const ports = Object.values(services).flatMap((service) => service.ports ?? []);
  assert.ok(ports.length >= 5);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
});

test('Redis keeps an append-only file and never evicts, in the compose file and in the example', () => {
  const command = services.redis?.command?.join(' ') ?? '';
  for (const words of ['appendonly yes', 'maxmemory-policy noeviction']) {
    assert.ok(command.includes(words), `${words}: ${command}`);
    assert.match(read('config/redis.conf'), new RegExp(`^${words}$`, 'm'));
  }
});

test('every file that is mounted, copied or started exists and reaches the build', () => {
  const kept = read('.dockerignore').split('\n');
  const mounted = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0]));
  for (const path of mounted) assert.ok(!path?.startsWith('.') || existsSync(join(root, path)), path);
  for (const [, source = ''] of dockerfile.matchAll(/^COPY (?!--from)(\S+)/gm)) {
    assert.ok(existsSync(join(root, source)), source);
    assert.ok(kept.includes(`!${source.replace('./', '')}`), `${source} is not in .dockerignore`);
  }
  for (const [script] of dockerfile.matchAll(/(?:src|demo)\/\S+\.ts/g))
    assert.ok(existsSync(join(root, script)), script);
});

test('the image runs without privileges and says how it is', () => {
  for (const stage of dockerfile.split(/^FROM /m).slice(1)) {
    if (/^CMD|^ENTRYPOINT/m.test(stage)) assert.match(stage, /^USER node$/m);
  }
  assert.match(dockerfile, /^HEALTHCHECK .*\n.*\/healthz/m);
});

test('config/docker/dragoman.yaml is a valid configuration with the secrets of the compose file', async () => {
  const { environment = {}, command = [] } = services.gateway ?? {};
  const file = command.at(-1) ?? '';
  const config = await loadConfig(join(root, file), loadAdapter, environment);
  const hosts = JSON.stringify(config.instances.map(({ options }) => options)) + JSON.stringify(config.redis);
  for (const name of ['redis', 'prosody', 'kamailio', 'carrier']) assert.ok(hosts.includes(name), name);
});

test('config/docker/kamailio.cfg is right for Kamailio', (t) => {
  if (!needs(t, 'kamailio')) return;
  const check = spawnSync('/usr/sbin/kamailio', ['-c', '-f', join(root, 'config/docker/kamailio.cfg')], {
    encoding: 'utf8',
  });
  assert.equal(check.status, 0, check.stderr);
});

test('config/docker/prosody.cfg.lua is right for Prosody', (t) => {
  if (!needs(t, 'prosody')) return;
  const check = spawnSync(
    '/usr/bin/prosodyctl',
    ['--root', '--config', join(root, 'config/docker/prosody.cfg.lua'), 'check', 'config'],
    {
      encoding: 'utf8',
      env: { ...process.env, COMPONENT_SECRET: 'secret' },
    },
  );
  assert.doesNotMatch(check.stdout + check.stderr, /deprecated|unknown|error loading|syntax/i);
  assert.match(check.stdout, /prosody\.cfg\.lua/);
});
