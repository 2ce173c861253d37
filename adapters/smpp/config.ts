// The options of one SMPP instance, with their defaults.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { idRules } from './receipts/ids.ts';
import { partDialects } from './receipts/learnt.ts';
import { languages } from './text/index.ts';

const ms = (fallback: number) => z.number().int().nonnegative().default(fallback);
const tag = z.string().regex(/^0x[0-9a-f]{4}$/i);
const typeOf = z.strictObject({ ton: z.number().int().min(0).max(255), npi: z.number().int().min(0).max(255) });

export const options = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('the SMS centre'),
  port: z.number().int().min(1).max(65535).default(2775).describe('2775 is the registered port; with TLS often 3550'),
  tls: z
    .union([
      z.boolean(),
      z.strictObject({
        ca: z.string().optional().describe('file with the CA certificates to trust, PEM; default: the system knows'),
        cert: z.string().optional().describe('file with our certificate, PEM, when the carrier wants one'),
        key: z.string().optional().describe('file with its key, PEM'),
        serverName: z.string().optional().describe('name in the SMS centre certificate; default: host'),
      }),
    ])
    .default(false)
    .describe('TLS 1.2 or later; the certificate is always checked'),
  systemId: z.string().min(1).max(15).describe('the account'),
  password: z.string().max(64).default('').describe('its password; 8 characters in the specification, more with some'),
  systemType: z.string().max(12).default('').describe('what the carrier asks for, usually empty'),
  bind: z
    .enum(['transceiver', 'transmitter', 'receiver', 'pair'])
    .default('transceiver')
    .describe('pair: one transmitter and one receiver that share all state'),
  interfaceVersion: z.number().int().min(0).max(255).default(0x34).describe('52 (0x34) is SMPP 3.4'),
  source: typeOf.optional().describe('TON and NPI of senders; default: by the form of the number'),
  destination: typeOf.optional().describe('TON and NPI of recipients; default: by the form of the number'),
  addressRange: z.string().max(40).default('').describe('numbers whose messages the SMS centre should send here'),
  serviceType: z.string().max(5).default('').describe('service_type of what we submit'),
  window: z.number().int().min(1).max(1000).default(10).describe('requests without a response at once'),
  ratePerSecond: z.number().positive().optional().describe('parts a second at most; default: no limit'),
  responseTimeoutMs: ms(15_000).describe('a request unanswered for so long has an unknown outcome'),
  enquireLinkMs: ms(30_000).describe('silence after which the link is asked whether it lives; 0: never'),
  reconnect: z
    .strictObject({ firstMs: ms(1000).describe('first pause'), maxMs: ms(60_000).describe('longest pause') })
    .prefault({})
    .describe('pauses between attempts to bind, doubled each time, with jitter'),
  throttle: z
    .strictObject({ firstMs: ms(500).describe('first pause'), maxMs: ms(30_000).describe('longest pause') })
    .prefault({})
    .describe('pauses after ESME_RTHROTTLED and ESME_RMSGQFUL, doubled each time'),
  alphabet0: z
    .enum(['gsm', 'latin1', 'ia5', 'gsm-packed', 'utf-8'])
    .default('gsm')
    .describe('what data_coding 0 means to this SMS centre'),
  ucs2: z.boolean().default(true).describe('false: texts beyond the default alphabet are refused'),
  nationalLanguages: z
    .array(z.enum(languages))
    .default([])
    .describe('national language tables that the carrier and its phones take'),
  transliterate: z
    .boolean()
    .default(false)
    .describe('whether accents and typographic characters may become plain ones where that saves parts'),
  submitWith: z.enum(['submit_sm', 'data_sm']).default('submit_sm').describe('which PDU carries our messages'),
  concat: z.enum(['udh8', 'udh16', 'sar', 'payload']).default('udh8').describe('how long texts travel'),
  maxParts: z.number().int().min(1).max(255).default(64).describe('a text that needs more parts is refused'),
  validity: z
    .enum(['relative', 'absolute'])
    .default('relative')
    .describe('how the end of a message is told: from now on, or as a time in UTC'),
  tlvs: z
    .record(tag, z.string().max(1000))
    .default({})
    .describe("optional parameters of every submit: { '0x1401': '0x0a0b' } as octets, or as text"),
  passTlvs: z.array(tag).default([]).describe('optional parameters of a message that the carrier is given'),
  receipts: z
    .enum(['every-part', 'last-part', 'failure', 'none'])
    .default('every-part')
    .describe('which delivery receipts are asked for'),
  receiptIds: z
    .enum(['auto', ...idRules])
    .default('auto')
    .describe('how the id of a receipt is that of the response; auto: learnt, any of them, and shown by `view peers`'),
  partReceipts: z
    .enum(['auto', ...partDialects])
    .default('auto')
    .describe(
      'for which parts this carrier sends the receipts it was asked for; auto: every, until it shows otherwise',
    ),
  receiptFallback: z
    .enum(['none', 'numbers'])
    .default('none')
    .describe('numbers: without a message_id, or always the same, the oldest message between the two numbers is meant'),
  receiptGraceMs: ms(2 * 24 * 3_600_000).describe(
    'without a receipt so long after its validity a message that asked for `delivered` is `unknown`; 0: it stays `sent`',
  ),
  errorWords: z
    .record(z.string().min(1), z.string().min(1))
    .default({})
    .describe("what the carrier's own err codes mean: { '012': absent subscriber }"),
  partsWaitMs: ms(10 * 60_000).describe('how long the receipts of the other parts may take after the first'),
  rejoinWaitMs: ms(10 * 60_000).describe('how long the missing parts of a text from the network are waited for'),
  recordMs: ms(3 * 24 * 3_600_000).describe('how long beyond its validity a message waits for its receipt'),
  unknownOutcome: z
    .enum(['report', 'resend'])
    .default('report')
    .describe('a submit without a response when the link drops: say so, or send again (may double)'),
  notices: z.boolean().default(true).describe('tell an SMS sender by SMS when the message could not be delivered'),
  defaultCountry: z.string().length(2).optional().describe('ISO 3166 country of numbers in national form'),
  shortCodeContext: z.string().optional().describe('phone-context of short codes; default: <instance>.invalid'),
  statusReasons: z
    .record(z.string().regex(/^0x[0-9a-f]+$/i), z.enum(['not-found', 'not-allowed', 'throttled', 'unavailable']))
    .default({})
    .describe("what the carrier's own command_status values mean: { '0x412': throttled }"),
});

export type SmppOptions = z.output<typeof options>;

export type BindCommand = 'bind_transceiver' | 'bind_transmitter' | 'bind_receiver';

export const bindsOf: Readonly<Record<SmppOptions['bind'], readonly BindCommand[]>> = {
  transceiver: ['bind_transceiver'],
  transmitter: ['bind_transmitter'],
  receiver: ['bind_receiver'],
  pair: ['bind_transmitter', 'bind_receiver'],
};

/** The files of the TLS options, read now so that a renewed certificate serves the next connection. */
export function tlsFiles({ tls }: SmppOptions): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  if (typeof tls === 'boolean') return {};
  const files: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  if (tls.ca !== undefined) files.ca = readFileSync(tls.ca);
  if (tls.cert !== undefined) files.cert = readFileSync(tls.cert);
  if (tls.key !== undefined) files.key = readFileSync(tls.key);
  return files;
}
