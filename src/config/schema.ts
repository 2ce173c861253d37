// What the configuration may say, with every default. config/dragoman.yaml shows the same to people.
import { z } from 'zod';
import { type Address, GatewayError, parseAddress, toE164 } from '../contract/index.ts';
import { parsePattern } from '../hub/router.ts';
import { redisOptions } from '../state/redis.ts';
import { duration } from './units.ts';

const inOwnWords =
  <T>(read: (text: string) => T) =>
  (text: string, context: z.core.$RefinementCtx): T => {
    try {
      return read(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof GatewayError ? error.message : String(error) });
      return z.NEVER;
    }
  };

const address = z.string().transform(inOwnWords((text): Address => parseAddress(text)));

const number = z.string().refine((text) => toE164(text) === text, 'write a number as +447700900123 (E.164)');

const pattern = z.string().superRefine((text, context) => {
  inOwnWords(parsePattern)(text, context);
});

const loopbackHosts = new Set(['127.0.0.1', '::1', 'localhost']);

const admin = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('address the admin side listens on'),
    port: z.number().int().min(0).max(65_535).default(8080).describe('its port'),
    token: z
      .string()
      .min(16, 'at least 16 characters')
      .optional()
      .describe('bearer token; must be set when host is not loopback'),
  })
  .refine(({ host, token }) => loopbackHosts.has(host) || token !== undefined, {
    path: ['token'],
    message: 'must be set when the admin side listens beyond loopback',
  });

const delivery = z.strictObject({
  expireAfter: duration.default(86_400_000).describe('a message that its sender gave no end'),
  retryFirst: duration.default(1000).describe('pause before the second try; doubles with each'),
  retryMax: duration.default(300_000).describe('the longest pause between tries'),
  attemptTimeout: duration.default(30_000).describe('how long one try may take'),
  prefetch: z
    .number()
    .int()
    .min(1)
    .max(65_536)
    .default(1024)
    .describe('events taken from the queue at once, per instance'),
  perDestination: z.number().int().min(1).default(256).describe('conversations under way to one destination'),
  breakerFailures: z.number().int().min(1).default(5).describe('failures in a row that give a destination a rest'),
  internalTries: z.number().int().min(1).default(5).describe('tries before a fault of ours becomes a dead letter'),
});

const routeMode = z.enum(['failover', 'share']).default('failover');

export const configSchema = z.strictObject({
  data: z.string().default('./data').describe('folder of the embedded queue and state, used when there is no redis'),
  redis: redisOptions.optional().describe('Redis for queue and state'),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  admin: admin.prefault({}),
  delivery: delivery.prefault({}),
  queue: z
    .strictObject({
      highWater: z.number().int().min(1).default(100_000).describe('deeper than this it refuses events'),
    })
    .prefault({}),
  maxHops: z.number().int().min(1).default(10).describe('gateways an event may pass: the loop guard'),
  lease: duration.default(10_000).describe('how soon a standby takes over from a process that died'),
  remember: duration.default(7 * 86_400_000).describe('how long receipts and repeats find their message'),
  drain: duration.default(10_000).describe('how long a stop waits for what is under way'),
  people: z
    .array(z.strictObject({ name: z.string().optional(), addresses: z.array(address).min(1) }))
    .default([])
    .describe('one person, many addresses'),
  numbers: z
    .strictObject({
      pool: z.array(number).default([]).describe('numbers lent to people who have none'),
      holdFor: duration.default(30 * 86_400_000).describe('how long a pair of people keeps its number'),
    })
    .prefault({}),
  routes: z
    .array(
      z.strictObject({
        to: pattern,
        via: z.union([z.string().transform((one) => [one]), z.array(z.string()).min(1)]),
        mode: routeMode,
      }),
    )
    .default([])
    .describe('which instance carries which address; the first that fits, the longest prefix for numbers'),
  instances: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'a name is a-z, 0-9 and -, begins with a letter, at most 31 long'),
      z.looseObject({ protocol: z.string().describe('xmpp, sip, smpp, loopback, or an npm package') }),
    )
    .default({}),
});

export type Settings = z.output<typeof configSchema>;
