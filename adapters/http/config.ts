// Options and their defaults: where applications reach us, who they are, and where they are reached.
import { z } from 'zod';
import { isCountry } from '../../src/contract/index.ts';
import { network } from '../../src/guards/networks.ts';
import { certificate, pemHint, privateKey } from '../../src/guards/pem.ts';

const count = (fallback: number) => z.number().int().min(1).default(fallback);
const ms = (fallback: number) => z.number().int().nonnegative().default(fallback);
const country = z.string().refine(isCountry, 'write an ISO 3166 country in capitals, such as GB');

const httpUrl = z
  .string()
  .refine(
    (text) => /^https?:$/.test(URL.parse(text.replace(/%[a-zA-Z]/g, 'x'))?.protocol ?? ''),
    'write an http: or https: URL',
  );

const account = z.strictObject({
  password: z.string().min(8, 'a password has at least 8 characters').describe('of sendsms, and of HTTP Basic'),
  token: z
    .string()
    .regex(/^\S{16,}$/, 'a token has at least 16 characters and no space')
    .optional()
    .describe('bearer token of POST /messages'),
  senders: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      'what it may send as: +447700900200, 88222, SHOP, +4477009002*, * for any; the first is used when it names none',
    ),
  keywords: z
    .array(z.string().min(1).max(40))
    .default([])
    .describe('of messages to a number that it shares with others, those that begin with one of these words'),
  allowFrom: z.array(network).default([]).describe('addresses it may come from; default: any'),
  ratePerSecond: z.number().positive().default(100).describe('messages a second at most'),
  burst: z.number().int().positive().default(1000).describe('and so many at once'),
  webhook: z
    .strictObject({
      url: httpUrl.describe('gets inbound messages and receipts as JSON by POST'),
      secret: z.string().min(16, 'a secret has at least 16 characters').describe('signs them (HMAC-SHA256)'),
    })
    .optional()
    .describe('where its inbound messages and receipts go'),
  getUrl: httpUrl
    .optional()
    .describe('where its inbound messages go as with Kannel: http://app/?from=%p&to=%P&text=%a'),
  replies: z.boolean().default(false).describe('what getUrl answers as text/plain is sent back, as with Kannel'),
  dlrUrl: httpUrl.optional().describe('dlr-url of messages that name none'),
  callbackHosts: z.array(z.string()).optional().describe('hosts that a dlr-url may name; default: any'),
});

export const options = z.strictObject({
  host: z.string().default('127.0.0.1').describe('address to listen on'),
  port: z.number().int().min(0).max(65_535).default(13_013).describe('its port'),
  tls: z
    .strictObject({
      cert: certificate.describe(`certificate: ${pemHint}`),
      key: privateKey.describe(`its private key: ${pemHint}`),
    })
    .optional()
    .describe('HTTPS'),
  trustProxy: z.array(network).default([]).describe('proxies whose X-Forwarded-For is believed'),
  accounts: z.record(z.string().regex(/^[\w.@-]{1,64}$/), account).describe('the applications, by user name'),
  defaultCountry: country.optional().describe('ISO 3166 country of numbers in national form'),
  shortCodeContext: z.string().optional().describe('phone-context of short codes; default: <instance>.invalid'),
  maxRecipients: z.number().int().min(1).max(10_000).default(100).describe('recipients of one request'),
  maxBodyBytes: z.number().int().min(1024).default(1_048_576).describe('longest request'),
  requestTimeoutMs: count(30_000).describe('a request must be complete after this'),
  callbackTimeoutMs: ms(10_000).describe('how long a webhook may take to answer'),
  recordMs: ms(7 * 24 * 3_600_000).describe('how long a message can be asked for and waits for its receipt'),
});

export type HttpOptions = z.output<typeof options>;
export type AccountOptions = HttpOptions['accounts'][string];
