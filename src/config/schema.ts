// What the configuration may say, with every default. config/dragoman.yaml shows the same to people.
import { z } from 'zod';
import { type Address, asGatewayError, parseAddress, toE164 } from '../contract/index.ts';
import { parsePattern } from '../hub/router.ts';
import { redisOptions } from '../state/redis-options.ts';
import { duration } from './units.ts';

const inOwnWords =
  <T>(read: (text: string) => T) =>
  (text: string, context: z.core.$RefinementCtx): T => {
    try {
      return read(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: asGatewayError(error).message });
      return z.NEVER;
    }
  };

const address = z.string().transform(inOwnWords((text): Address => parseAddress(text)));

const number = z.string().refine((text) => toE164(text) === text, 'write a number as +447700900123 (E.164)');

const pattern = z.string().superRefine((text, context) => {
  inOwnWords(parsePattern)(text, context);
});

export const isLoopback = (host: string) => /^(127(\.\d+){3}|::1|localhost)$/.test(host);
const atLeastOne = z.number().int().min(1);

const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('the least that is written'),
});

const admin = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('address that the admin side listens on'),
    port: z.number().int().min(0).max(65_535).default(8080).describe('its port'),
    token: z
      .string()
      .min(16, 'a token has at least 16 characters')
      .optional()
      .describe('bearer token of API, metrics and page; must be set when host is not loopback'),
  })
  .refine(({ host, token }) => isLoopback(host) || token !== undefined, {
    path: ['token'],
    message: 'must be set when the admin side listens beyond loopback; best from the environment or a file',
  });

const delivery = z.strictObject({
  expireAfter: duration('1s', '365d').prefault('24h').describe('the end of a message to which its sender gave none'),
  retryFirst: duration('10ms', '1h').prefault('1s').describe('pause before the second try; doubles with each'),
  retryMax: duration('10ms', '24h').prefault('5m').describe('the longest pause between tries'),
  attemptTimeout: duration('1s', '1h').prefault('30s').describe('how long one try may take'),
  prefetch: atLeastOne.max(65_536).default(1024).describe('events taken from the queue at once, per instance'),
  perDestination: atLeastOne.default(256).describe('conversations under way to one destination'),
  breakerFailures: atLeastOne.default(5).describe('failures in a row that give a destination a rest'),
  internalTries: atLeastOne.default(5).describe('tries before a fault of ours becomes a dead letter'),
});

const queue = z.strictObject({
  highWater: atLeastOne.default(100_000).describe('an instance with more events waiting refuses new ones'),
});

const people = z
  .array(
    z.strictObject({
      name: z.string().optional().describe('for you; nobody else sees it'),
      addresses: z.array(address).min(1).describe("the person's address on each network"),
    }),
  )
  .superRefine((all, context) => {
    const seen = new Set<Address>();
    all.forEach(({ addresses }, i) => {
      addresses.forEach((one, k) => {
        if (seen.has(one)) fault(context, [i, 'addresses', k], `${one} is there twice: an address is of one person`);
        seen.add(one);
      });
    });
  });

const numbers = z.strictObject({
  pool: z
    .array(number)
    .superRefine((pool, context) => {
      pool.forEach((one, i) => {
        if (pool.indexOf(one) < i) fault(context, [i], `${one} is there twice`);
      });
    })
    .default([])
    .describe('numbers lent to people who have none, so that an SMS can be answered'),
  holdFor: duration('1m', '3650d').prefault('30d').describe('how long a pair of people keeps its number'),
});

const oneOrMore = 'write one instance, or a list of them';

const route = z
  .strictObject({
    to: pattern.describe('tel:+44*, tel:88222, sip:*@*.example.net, xmpp:*'),
    via: z
      .union([z.string().transform((one) => [one]), z.array(z.string()).min(1, oneOrMore)], oneOrMore)
      .default([])
      .describe('the instances that carry it'),
    mode: z
      .enum(['failover', 'share', 'cheapest'])
      .default('failover')
      .describe('failover: the first that is up; share: each conversation has its favourite; cheapest: by costs'),
    costs: z
      .record(z.string(), z.number().nonnegative())
      .optional()
      .describe('what a part costs through each instance'),
    from: pattern.optional().describe('only what this sender says'),
    keyword: z
      .array(z.string().min(1).max(40))
      .min(1)
      .optional()
      .describe('only texts that begin with one of these words'),
    as: address.optional().describe('who is meant in place of the recipient; then without via'),
  })
  .refine(({ via, as }) => via.length > 0 !== (as !== undefined), {
    path: ['via'],
    message: 'name the instances that carry it, or with "as" the person who is meant; not both',
  });

const pair = {
  from: pattern.optional().describe('sender: a pattern as in routes; default: anybody'),
  to: pattern.optional().describe('recipient; default: anybody'),
};
const words = (usual: string[]) => z.array(z.string().min(1).max(40)).default(usual);

const policy = z.strictObject({
  block: z
    .array(z.strictObject({ ...pair, why: z.string().optional().describe('told to the sender') }))
    .default([])
    .describe('who may not write to whom'),
  quotas: z
    .array(
      z.strictObject({
        ...pair,
        messages: atLeastOne.describe('how many one sender may send'),
        per: duration('1s', '366d').describe('in this time'),
      }),
    )
    .default([])
    .describe('how much one sender may send'),
  optOut: z
    .strictObject({
      enabled: z.boolean().default(true).describe('false: the words mean nothing'),
      stop: words(['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'ARRET']).describe(
        'a phone that says just this to a number gets nothing more from it',
      ),
      start: words(['START', 'UNSTOP']).describe('until it says this'),
      stopped: z
        .string()
        .default('You will get no more messages from {number}. Send START to get them again.')
        .describe('the answer; empty: none'),
      started: z.string().default('You will get messages from {number} again.').describe('the answer; empty: none'),
    })
    .prefault({})
    .describe('telephones that want no more messages'),
});

const instanceName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,30}$/, 'a name is a-z, 0-9 and -, begins with a letter, at most 31 long');
const instance = z.looseObject({ protocol: z.string().describe('xmpp, sip, smpp, loopback, or an npm package') });

const cdr = z.strictObject({
  folder: z.string().min(1).describe('where the files are'),
  formats: z
    .array(z.enum(['csv', 'jsonl']))
    .min(1)
    .default(['csv', 'jsonl'])
    .describe('CSV with a heading, and JSON lines'),
  rotate: duration('1m', '366d').prefault('1d').describe('a new file each'),
  maxBytes: z.number().int().min(1024).default(100_000_000).describe('and when one is so large'),
  keep: duration('1h', '3650d').prefault('90d').describe('how long a file stays'),
  closeAfter: duration('1m', '366d').prefault('3d').describe('how long a record waits for the end of its message'),
  currency: z.string().default('').describe('what the costs of the routes are in'),
});

export const configSchema = z.strictObject({
  data: z.string().min(1).default('./data').describe('folder of the embedded queue and state, when there is no redis'),
  redis: redisOptions.optional().describe('Redis for queue and state'),
  log: log.prefault({}).describe('the JSON log on standard output'),
  admin: admin.prefault({}).describe('health, metrics, API and page over HTTP'),
  delivery: delivery.prefault({}).describe('how events are brought to their network'),
  queue: queue.prefault({}).describe('the queues, one per instance'),
  maxHops: atLeastOne.default(10).describe('gateways an event may pass: the loop guard'),
  lease: duration('1s', '1h').prefault('10s').describe('how soon a standby takes over from a process that died'),
  remember: duration('1m', '365d').prefault('7d').describe('how long receipts and repeats find their message'),
  drain: duration('0s', '1h').prefault('10s').describe('how long a stop waits for what is under way'),
  people: people.default([]).describe('one person, many addresses'),
  numbers: numbers.prefault({}).describe('numbers for people who have none'),
  policy: policy.prefault({}).describe('what is not let through'),
  cdr: cdr.optional().describe('call detail records: one a message and leg'),
  routes: z.array(route).default([]).describe('the first that fits carries it; for numbers the longest prefix'),
  instances: z.record(instanceName, instance).default({}).describe('the networks, by a name of yours'),
});

export type Settings = z.output<typeof configSchema>;

function fault(context: z.core.$RefinementCtx, path: PropertyKey[], message: string): void {
  context.addIssue({ code: 'custom', path, message });
}
