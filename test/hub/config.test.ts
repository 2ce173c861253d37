// The configuration: each fault with its key, its line and what would be right; secrets; defaults; the schema for editors.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { type Config, ConfigError, jsonSchema, loadConfig } from '../../src/config/config.ts';
import { duration } from '../../src/config/units.ts';
import type { AdapterModule, Scheme } from '../../src/contract/index.ts';
import { temporaryFolder } from '../servers/process.ts';

const options = z.strictObject({
  host: z.string().describe('the peer'),
  window: z.number().int().min(1).default(10).describe('requests at once'),
  password: z.string().min(6).optional(),
  tls: z.union([z.boolean(), z.strictObject({ ca: z.string().optional() })]).default(false),
  domains: z.array(z.strictObject({ domain: z.string(), shows: z.array(z.enum(['tel', 'sip'])) })).default([]),
});

async function loadModule(protocol: string): Promise<AdapterModule> {
  const networks: Record<string, Scheme> = { smpp: 'tel', xmpp: 'xmpp' };
  const network = networks[protocol];
  if (!network) throw new Error(`no adapter for protocol "${protocol}"`);
  return { protocol, network, options, create: () => assert.fail('a configuration creates nothing') };
}

async function load(t: TestContext, text: string, env: NodeJS.ProcessEnv = {}, files: Record<string, string> = {}) {
  const folder = temporaryFolder('config');
  t.after(folder.remove);
  for (const [name, content] of Object.entries({ ...files, 'c.yaml': text }))
    writeFileSync(join(folder.path, name), content);
  return loadConfig(join(folder.path, 'c.yaml'), loadModule, env);
}

/** What is wrong, as `line:column path: text`. */
async function faults(...given: Parameters<typeof load>): Promise<string[]> {
  const error = await load(...given).then(
    () => assert.fail('nothing was wrong'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConfigError, String(error));
  return error.message.split('\n').map((line) => line.replace(/^.*?c\.yaml:/, ''));
}

test('an empty file is a configuration: everything has its default', async (t) => {
  const { file, ...config } = await load(t, '');
  assert.deepEqual(config, {
    data: './data',
    log: { level: 'info' },
    admin: { host: '127.0.0.1', port: 8080 },
    delivery: {
      expireAfter: 86_400_000,
      retryFirst: 1000,
      retryMax: 300_000,
      attemptTimeout: 30_000,
      prefetch: 1024,
      perDestination: 256,
      breakerFailures: 5,
      internalTries: 5,
    },
    queue: { highWater: 100_000 },
    maxHops: 10,
    lease: 10_000,
    remember: 604_800_000,
    drain: 10_000,
    people: [],
    numbers: { pool: [], holdFor: 2_592_000_000 },
    policy: {
      block: [],
      quotas: [],
      optOut: {
        enabled: true,
        stop: ['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'ARRET'],
        start: ['START', 'UNSTOP'],
        stopped: 'You will get no more messages from {number}. Send START to get them again.',
        started: 'You will get messages from {number} again.',
      },
    },
    routes: [],
    instances: [],
    secrets: [],
  } satisfies Omit<Config, 'file'>);
});

test('each of these faults is named with its line, its key and what would be right', async (t) => {
  const cases: Array<[text: string, ...expected: string[]]> = [
    ['lgo: {level: info}', '1:1 lgo: unknown key; did you mean "log"?'],
    ['log: {kind: json}', '1:7 log.kind: unknown key; known are level'],
    ['log: {level: loud}', '1:7 log.level: expected one of "debug"|"info"|"warn"|"error"'],
    ['delivery:\n  retryMax: 5 min', '2:3 delivery.retryMax: write a duration such as 500ms, 10s, 5m, 24h or 30d'],
    ['delivery:\n  retryMax: 300', '2:3 delivery.retryMax: write a duration such as 500ms, 10s, 5m, 24h or 30d'],
    ['lease: 0s', '1:1 lease: write a duration from 1s to 1h'],
    ['delivery: {prefetch: 0}', '1:12 delivery.prefetch: Too small: expected number to be >=1'],
    [
      'admin:\n  host: 0.0.0.0',
      '1:1 admin.token: must be set when the admin side listens beyond loopback; best from the environment or a file',
    ],
    ['admin: {token: short}', '1:9 admin.token: a token has at least 16 characters'],
    [
      "people: [{addresses: ['alice']}]",
      '1:23 people.0.addresses.0: address "alice": scheme is not one of xmpp sip sips tel wv im pres',
    ],
    ['people: [{name: Alice}]', '1:10 people.0.addresses: is missing: expected array'],
    [
      "people:\n  - {addresses: ['xmpp:a@b.example']}\n  - {addresses: ['xmpp:A@B.example']}",
      '3:18 people.1.addresses.0: xmpp:a@b.example is there twice: an address is of one person',
    ],
    [
      "routes: [{to: 'tel:*', via: x, costs: {y: 1}}]\ninstances: {x: {protocol: smpp, host: h}}",
      '1:32 routes.0.costs: "y" is not under via',
    ],
    ["numbers: {pool: ['07700900100']}", '1:18 numbers.pool.0: write a number as +447700900123 (E.164)'],
    ["numbers: {pool: ['+447700900100', '+447700900100']}", '1:35 numbers.pool.1: +447700900100 is there twice'],
    [
      "routes: [{to: 'tell:*', via: x}]",
      '1:11 routes.0.to: route pattern "tell:*": begin with one of xmpp: sip: sips: tel: wv: im: pres:',
      '1:25 routes.0.via: no instance is called "x"',
    ],
    ["routes: [{to: 'tel:*', via: []}]", '1:24 routes.0.via: write one instance, or a list of them'],
    ["routes: [{to: 'tel:*', via: 5}]", '1:24 routes.0.via: write one instance, or a list of them'],
    [
      'instances:\n  Carrier: {protocol: smpp, host: h}',
      '2:3 instances.Carrier: a name is a-z, 0-9 and -, begins with a letter, at most 31 long',
    ],
    ['instances:\n  c: {host: h}', '2:3 instances.c.protocol: is missing: expected string'],
    ['instances:\n  c: {protocol: smmp}', '2:7 instances.c.protocol: no adapter for protocol "smmp"'],
    ['instances:\n  c:\n    protocol: smpp', '2:3 instances.c.host: is missing: expected string'],
    [
      'instances:\n  c: {protocol: smpp, host: h, windo: 3}',
      '2:32 instances.c.windo: unknown key; did you mean "window"?',
    ],
    [
      'instances:\n  c: {protocol: smpp, host: h, window: 0}',
      '2:32 instances.c.window: Too small: expected number to be >=1',
    ],
    [
      'instances:\n  c: {protocol: smpp, host: h, tls: {cca: x}}',
      '2:38 instances.c.tls.cca: unknown key; did you mean "ca"?',
    ],
    [
      'instances:\n  c: {protocol: smpp, host: h, tls: maybe}',
      '2:32 instances.c.tls: expected boolean, or expected object',
    ],
    [
      'instances:\n  c:\n    protocol: smpp\n    host: h\n    domains:\n      - {domain: a, shows: [tell]}',
      '6:29 instances.c.domains.0.shows.0: expected one of "tel"|"sip"',
    ],
    ['data: a\ndata: b', '2:1 Map keys must be unique'],
    ['log: *nowhere', '1:6 nothing above is anchored as &nowhere'],
    ['- a\n- b', '1:1 expected object, received array'],
  ];
  for (const [text, ...expected] of cases) assert.deepEqual(await faults(t, text), expected, text);
});

test('a route that names instances wrongly is told the nearest name of each', async (t) => {
  const text = "routes: [{to: 'tel:*', via: [carier, zzz]}]\ninstances:\n  carrier: {protocol: smpp, host: h}";
  assert.deepEqual(await faults(t, text), [
    '1:24 routes.0.via: no instance is called "carier"; did you mean "carrier"?; no instance is called "zzz"',
  ]);
});

test("a route's instances are of one network", async (t) => {
  const text =
    "routes: [{to: 'tel:*', via: [a, b]}]\ninstances:\n  a: {protocol: smpp, host: h}\n  b: {protocol: xmpp, host: h}";
  assert.deepEqual(await faults(t, text), [
    "1:24 routes.0.via: a route's instances are of one network, not tel and xmpp",
  ]);
});

test('all faults are told at once, in the order of their lines', async (t) => {
  const text = `
maxHops: many
routes: [{to: 'tel:*', via: nobody}]
admin: {token: '\${env:NOT_SET}'}
instances:
  c: {protocol: smpp, hots: h}
lgo: {}`;
  assert.deepEqual(
    (await faults(t, text)).map((line) => line.replace(/:\d+ ([^:]+):.*/, ' $1')),
    ['2 maxHops', '3 routes.0.via', '4 admin.token', '6 instances.c.host', '6 instances.c.hots', '7 lgo'],
  );
});

test('a file that is not there, or is no YAML, is one fault with its name', async (t) => {
  await assert.rejects(
    loadConfig('/nowhere/c.yaml', loadModule),
    /^ConfigError: \/nowhere\/c\.yaml:1:1 cannot be read/,
  );
  assert.match((await faults(t, 'log: {level: info\nadmin: [')).join('\n'), /^[12]:\d+ /);
});

test('an alias that unfolds without end is a fault, not a hang', async (t) => {
  const layers = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
  const [fault] = await faults(t, ['l0: &l0 [x]', ...layers].join('\n'));
  assert.match(fault ?? '', /Excessive alias count/);
});

test('secrets come from the environment and from files beside the configuration, without the last line end', async (t) => {
  const text = `instances:\n  c: {protocol: smpp, host: "\${env:HOST_NAME}.example", password: "\${file:secret}"}`;
  const config = await load(t, text, { HOST_NAME: 'north' }, { secret: 'hunter2 hunter2\r\n' });
  assert.deepEqual(config.instances[0]?.options, {
    host: 'north.example',
    password: 'hunter2 hunter2',
    window: 10,
    tls: false,
    domains: [],
  });
  assert.deepEqual(config.secrets, ['north', 'hunter2 hunter2']);
});

test('a secret that is missing, empty or misspelt is named with its key, once', async (t) => {
  const entry = (password: string) => `instances:\n  c: {protocol: smpp, host: h, password: "${password}"}`;
  const at = '2:42 instances.c.password:';
  assert.deepEqual(await faults(t, entry(`\${env:SMS_PASS}`)), [`${at} the environment has no SMS_PASS`]);
  assert.deepEqual(await faults(t, entry(`\${env:SMS_PASS}`), { SMS_PASS: '' }), [
    `${at} the environment has no SMS_PASS`,
  ]);
  assert.match(
    (await faults(t, entry(`\${file:none}`))).join(),
    /^2:42 instances\.c\.password: .*none is missing or empty$/,
  );
  assert.deepEqual(await faults(t, entry(`\${SMS_PASS}`), { SMS_PASS: 'x' }), [
    `${at} \${SMS_PASS} means nothing; write \${env:NAME} or \${file:path}`,
  ]);
});

test('what a secret stands for is in no fault', async (t) => {
  const env = { SECRET: 'hunter2hunter2' };
  const text = `people: [{addresses: ['\${env:SECRET}']}]
numbers: {pool: ['\${env:SECRET}']}
routes: [{to: '\${env:SECRET}', via: '\${env:SECRET}'}]
instances: {c: {protocol: '\${env:SECRET}'}}`;
  const told = (await faults(t, text, env)).join('\n');
  assert.doesNotMatch(told, /hunter2/);
  assert.match(told, /\[secret\]/);
});

test('durations are read exactly, with their bounds', () => {
  const any = duration('0s', '365d');
  for (const [text, ms] of [
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
  ] as const)
    assert.equal(any.parse(text), ms);
  for (const wrong of ['10', '10 s', 's', '-1s', '1e3s', '10S', '', '366d', 10])
    assert.ok(!any.safeParse(wrong).success, String(wrong));
});

test('the JSON Schema knows every key, the options of each adapter, and leaves room for adapters from npm', async () => {
  const schema = JSON.parse(JSON.stringify(jsonSchema([await loadModule('smpp')])));
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.properties.delivery.properties.expireAfter.default, '24h');
  const [smpp, fromNpm] = schema.properties.instances.additionalProperties.anyOf;
  assert.deepEqual(smpp.properties.protocol, { const: 'smpp' });
  assert.deepEqual(smpp.required, ['protocol', 'host']);
  assert.equal(smpp.properties.window.description, 'requests at once');
  assert.deepEqual(fromNpm.properties.protocol, { not: { enum: ['smpp'] } });
});
