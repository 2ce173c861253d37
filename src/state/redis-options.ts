// The options of a Redis connection, as the operator writes them under `redis:`.
import { z } from 'zod';
import { certificate, privateKey } from '../guards/pem.ts';

const port = z.number().int().min(1).max(65_535);
const node = z.strictObject({ host: z.string().min(1), port: port.default(6379) });

const tls = z.strictObject({
  /** Certificates and key as PEM text or the name of a PEM file. */
  ca: certificate.optional(),
  cert: certificate.optional(),
  key: privateKey.optional(),
  /** The name that the server's certificate must carry, where it is not the host's. */
  servername: z.string().optional(),
  rejectUnauthorized: z.boolean().default(true),
});

const ways = ['url', 'host', 'sentinels', 'cluster'] as const;

export const redisOptions = z
  .strictObject({
    /** redis://user:password@host:port/db, or rediss:// for TLS. */
    url: z
      .string()
      .regex(/^rediss?:\/\/[^\s]+$/, 'must begin with redis:// or rediss://')
      .refine(isReadable, 'is not a URL, or holds a broken %hh')
      .optional(),
    host: z.string().min(1).optional(),
    port: port.default(6379),
    /** The sentinels, and the name they know the master by. */
    sentinels: z.array(node).min(1).optional(),
    name: z.string().min(1).optional(),
    sentinelUsername: z.string().optional(),
    sentinelPassword: z.string().optional(),
    /** Some nodes of the cluster; the others are found through them. */
    cluster: z.array(node).min(1).optional(),
    username: z.string().optional(),
    password: z.string().optional(),
    tls: tls.optional(),
    /** All keys begin with it: two gateways on one Redis need two. */
    prefix: z
      .string()
      .regex(/^[^\s{}]+$/, 'may hold no space and no braces')
      .default('dragoman'),
  })
  .refine(
    (options) => ways.filter((way) => options[way] !== undefined).length === 1,
    `needs exactly one of ${ways.join(', ')}`,
  )
  .refine((options) => (options.sentinels === undefined) === (options.name === undefined), {
    path: ['name'],
    message: 'sentinels and name go together',
  });

export type RedisSettings = z.output<typeof redisOptions>;

function isReadable(text: string): boolean {
  try {
    decodeURIComponent(new URL(text).password);
    return true;
  } catch {
    return false;
  }
}
