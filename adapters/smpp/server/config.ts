// The options of our own SMS centre: where ESMEs reach it, what strangers may do, and one account each.
import { z } from 'zod';
import { network } from '../../../src/guards/networks.ts';
import { certificate, pemHint, privateKey } from '../../../src/guards/pem.ts';
import { clientTls, country } from '../config.ts';

const ms = (fallback: number) => z.number().int().nonnegative().default(fallback);
const count = (fallback: number) => z.number().int().min(1).default(fallback);

const listener = z.strictObject({
  host: z.string().default('127.0.0.1').describe('address to listen on'),
  port: z.number().int().min(0).max(65_535).default(2775).describe('0 lets the system choose; with TLS often 3550'),
  tls: z
    .strictObject({
      cert: certificate.describe(`our certificate: ${pemHint}`),
      key: privateKey.describe(`its private key: ${pemHint}`),
      ca: certificate
        .optional()
        .describe(`who signs the certificates of ESMEs: ${pemHint}; default: the system's list`),
      requestCert: z.boolean().default(false).describe('only ESMEs with a certificate'),
    })
    .optional()
    .describe('TLS 1.2 or later from the first byte'),
});

const senders = '+447700900100, a prefix +4477009001*, a short code 12345, a name My Bank, or * for any';

const outbind = z.strictObject({
  host: z.string().min(1).describe('where the ESME listens'),
  port: z.number().int().min(1).max(65_535).default(2775).describe('its port'),
  tls: clientTls,
  password: z.string().max(8).default('').describe('what we say there, beside systemId'),
});

const account = z.strictObject({
  password: z.string().min(1).max(64).describe('8 characters in the specification, more with most'),
  allow: z.array(network).default([]).describe('addresses or CIDR blocks that it binds from; default: any'),
  binds: z
    .array(z.enum(['transmitter', 'receiver', 'transceiver']))
    .min(1)
    .default(['transmitter', 'receiver', 'transceiver'])
    .describe('what it may bind as'),
  maxBinds: count(10).describe('connections at once'),
  numbers: z.array(z.string().min(1)).default([]).describe(`what it is reached at: ${senders}`),
  senders: z.array(z.string().min(1)).default([]).describe('what else it may send as, written the same way'),
  defaultSender: z.string().optional().describe('for messages without a sender; default: they are refused'),
  destinations: z.array(z.string().min(1)).default(['*']).describe('whom it may write to, written the same way'),
  outbind: outbind.optional().describe('an ESME that is called, and binds then, when something waits for it'),
  ratePerSecond: z.number().positive().optional().describe('messages and parts a second; default: no limit'),
  window: count(100).describe('requests of its that wait for our answer; we read no further above'),
  deliverWindow: count(10).describe('requests of ours that wait for its answer, on each bind'),
  alphabet0: z
    .enum(['gsm', 'latin1', 'ia5', 'gsm-packed', 'utf-8'])
    .default('gsm')
    .describe('what data_coding 0 means, both ways'),
  deliverWith: z.enum(['deliver_sm', 'data_sm']).default('deliver_sm').describe('which PDU carries messages to it'),
  concat: z.enum(['udh8', 'udh16', 'sar', 'payload']).default('udh8').describe('how long texts travel to it'),
  maxParts: z.number().int().min(1).max(255).default(64).describe('a text to it that needs more parts is refused'),
  messageIds: z.enum(['decimal', 'hex']).default('decimal').describe('how message_id is written, also in receipts'),
  defaultCountry: country.optional().describe('ISO 3166 country of numbers in national form'),
  tracked: z
    .boolean()
    .default(true)
    .describe('query_sm knows of deliveries also where no receipt was asked for; false saves one event a message'),
});

const logins = z
  .strictObject({
    maxFailures: count(5).describe('wrong passwords of one address before it has to wait'),
    firstMs: ms(30_000).describe('first wait, doubled with each further failure'),
    maxMs: ms(3_600_000).describe('longest wait'),
  })
  .prefault({})
  .describe('what becomes of addresses that guess passwords');

// Of two that claim a number one would never get a message.
function ownedOnce(accounts: Record<string, z.output<typeof account>>, context: z.RefinementCtx): void {
  const owners = new Map<string, string>();
  for (const [name, { numbers }] of Object.entries(accounts)) {
    for (const [at, number] of numbers.entries()) {
      const owner = owners.get(number);
      const message = `${number} is ${owner === name ? 'there twice' : `${owner}'s already: a number has one account`}`;
      if (owner !== undefined) context.addIssue({ code: 'custom', path: [name, 'numbers', at], message });
      owners.set(number, name);
    }
  }
}

export const options = z.strictObject({
  listen: z
    .array(listener)
    .min(1)
    .default([{ host: '127.0.0.1', port: 2775 }])
    .describe('where ESMEs reach us'),
  systemId: z.string().max(15).default('dragoman').describe('how we name ourselves in answers to binds'),
  accounts: z.record(z.string().min(1).max(15), account).superRefine(ownedOnce).describe('system_id to account'),
  shortCodeContext: z.string().optional().describe('phone-context of short codes; default: <instance>.invalid'),
  bindTimeoutMs: ms(10_000).describe('from the connection to a bind'),
  responseTimeoutMs: ms(15_000).describe('an ESME that answers or reads nothing for so long is cut off'),
  enquireLinkMs: ms(30_000).describe('silence after which a link is asked whether it lives; 0: never'),
  idleMs: ms(0).describe('a bind without any message either way for so long is ended; 0: never'),
  maxConnections: count(1000).describe('connections in all'),
  maxConnectionsPerSource: count(50).describe('connections from one address'),
  maxUnboundBytes: count(4096).describe('what may be said before a bind'),
  logins,
  rejoinWaitMs: ms(10 * 60_000).describe('how long the missing parts of a text are waited for'),
  transactionWaitMs: ms(10_000).describe(
    'how long the answer to a data_sm in transaction mode may wait for its delivery',
  ),
  recordMs: ms(7 * 24 * 3_600_000).describe('how long query_sm knows a message, and its receipts find it'),
});

export type ServerOptions = z.output<typeof options>;
export type AccountOptions = ServerOptions['accounts'][string];
export type BindKind = AccountOptions['binds'][number];
