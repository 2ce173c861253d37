// The options of one SMPP instance, with their defaults.
import { z } from 'zod';
import { isCountry } from '../../src/contract/index.ts';
import { certificate, pemHint, privateKey } from '../../src/guards/pem.ts';
import { idRules } from './receipts/ids.ts';
import { partDialects } from './receipts/learnt.ts';
import { languages } from './text/index.ts';

const ms = (fallback: number) => z.number().int().nonnegative().default(fallback);
const tag = z.string().regex(/^0x[0-9a-f]{4}$/i, "write a tag as '0x1401'");
const tlvValue = z
  .string()
  .max(1000)
  .refine((text) => !/^0x[0-9a-f]+$/i.test(text) || text.length % 2 === 0, 'octets have two digits each: 0x0a0b');
export const country = z.string().refine(isCountry, 'write an ISO 3166 country in capitals, such as GB');
const typeOf = z.strictObject({ ton: z.number().int().min(0).max(255), npi: z.number().int().min(0).max(255) });

const endpointPattern = /^(\[[0-9a-f:.]+\]|[^:\s]+)(?::(\d{1,5}))?$/i;

const outbind = z.strictObject({
  listen: z.string().regex(endpointPattern, 'write address:port').describe('where the SMS centre connects to us'),
  from: z.array(z.string()).default([]).describe('addresses that it may come from; default: any'),
  systemId: z.string().max(15).optional().describe('what it calls itself; default: anything'),
  password: z.string().max(64).describe('what it must say'),
  bind: z.enum(['receiver', 'transceiver']).default('receiver').describe('how we bind on its connection'),
  tls: z
    .strictObject({
      cert: certificate.describe(`our certificate: ${pemHint}`),
      key: privateKey.describe(`its private key: ${pemHint}`),
      ca: certificate.optional().describe(`whom we trust: ${pemHint}; given, the SMS centre must show a certificate`),
    })
    .optional()
    .describe('TLS on that port'),
});

/** Of a connection that we open. */
export const clientTls = z
  .union([
    z.boolean(),
    z.strictObject({
      ca: certificate.optional().describe(`whom we trust: ${pemHint}; default: the system's list`),
      cert: certificate.optional().describe(`our certificate, when the other end wants one: ${pemHint}`),
      key: privateKey.optional().describe(`its private key: ${pemHint}`),
      serverName: z.string().optional().describe('name in the certificate of the other end; default: host'),
    }),
  ])
  .default(false)
  .describe('TLS 1.2 or later; the certificate is always checked');

const fields = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('the SMS centre'),
  port: z.number().int().min(1).max(65535).default(2775).describe('2775 is the registered port; with TLS often 3550'),
  hosts: z
    .array(z.string().regex(endpointPattern, 'write name or name:port'))
    .default([])
    .describe('more SMS centres of the same account, `name` or `name:port`'),
  hostUse: z
    .enum(['failover', 'share'])
    .default('failover')
    .describe('failover: the first of the hosts that takes us, and back when it does again; share: binds are spread'),
  binds: z.number().int().min(1).max(32).default(1).describe('how many binds of each kind; they share window and rate'),
  tls: clientTls,
  systemId: z.string().min(1).max(15).describe('the account'),
  password: z.string().max(64).default('').describe('its password; 8 characters in the specification, more with some'),
  systemType: z.string().max(12).default('').describe('what the carrier asks for, usually empty'),
  bind: z
    .enum(['transceiver', 'transmitter', 'receiver', 'pair', 'none'])
    .default('transceiver')
    .describe('pair: one transmitter and one receiver that share all state; none: only outbind'),
  outbind: outbind.optional().describe('an SMS centre that connects to us and says outbind when it has messages'),
  interfaceVersion: z
    .number()
    .int()
    .min(0)
    .max(255)
    .default(0x34)
    .describe('51 (0x33), 52 (0x34) or 80 (0x50): SMPP 3.3, 3.4 or 5.0; lowered to what the SMS centre says it speaks'),
  source: typeOf.optional().describe('TON and NPI of senders; default: by the form of the number'),
  destination: typeOf.optional().describe('TON and NPI of recipients; default: by the form of the number'),
  adapt: z
    .array(z.enum(['numbering', 'alphabet']))
    .default(['numbering', 'alphabet'])
    .describe(
      'what may change once the SMS centre refuses it: TON and NPI (never those configured above), data_coding',
    ),
  alphabetRefusals: z
    .array(z.string().regex(/^0x[0-9a-f]+$/i, "write it as in '0x8'"))
    .default([])
    .describe("what this SMS centre says to a data_coding that it does not take, beside ESME_RINVDCS: ['0x8']"),
  addressRange: z.string().max(40).default('').describe('numbers whose messages the SMS centre should send here'),
  serviceType: z.string().max(5).default('').describe('service_type of what we submit'),
  window: z.number().int().min(1).max(1000).default(10).describe('requests without a response at once, over all binds'),
  ratePerSecond: z.number().positive().optional().describe('parts a second at most, over all binds; default: no limit'),
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
    .record(tag, tlvValue)
    .default({})
    .describe("optional parameters of every submit: { '0x1401': '0x0a0b' } as octets, or as text"),
  routeTlvs: z
    .array(
      z.strictObject({
        from: z.string().min(1).default('*').describe('sender: a number, a prefix +4477009001*, a short code, a name'),
        to: z.string().min(1).default('*').describe('recipient, written the same way'),
        tlvs: z.record(tag, tlvValue).describe('as tlvs'),
      }),
    )
    .default([])
    .describe('optional parameters by sender and recipient: of one tag those of the first that fits, before tlvs'),
  passTlvs: z.array(tag).default([]).describe('optional parameters of a message that the carrier is given'),
  receipts: z
    .enum(['every-part', 'last-part', 'failure', 'none'])
    .default('every-part')
    .describe('which delivery receipts are asked for'),
  setDpf: z
    .boolean()
    .default(false)
    .describe('set_dpf=1 beside a request for a receipt: the SMS centre says when a phone that was away is back'),
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
    .enum(['report', 'resend', 'query'])
    .default('report')
    .describe('a submit without a response when the link drops: say so, send again (may double), or find out first'),
  repeatWindowMs: ms(5 * 60_000).describe(
    'a message answered just before a link was lost, and sent again within this time, is the same one; 0: never',
  ),
  notices: z.boolean().default(true).describe('tell an SMS sender by SMS when the message could not be delivered'),
  defaultCountry: country.optional().describe('ISO 3166 country of numbers in national form'),
  shortCodeContext: z.string().optional().describe('phone-context of short codes; default: <instance>.invalid'),
  statusReasons: z
    .record(z.string().regex(/^0x[0-9a-f]+$/i), z.enum(['not-found', 'not-allowed', 'throttled', 'unavailable']))
    .default({})
    .describe("what the carrier's own command_status values mean: { '0x412': throttled }"),
});

export const options = fields.superRefine(({ bind, interfaceVersion, outbind }, context) => {
  if (interfaceVersion < 0x34 && (bind === 'transceiver' || outbind)) {
    const message = 'SMPP 3.3 has neither bind_transceiver nor outbind: use pair, transmitter or receiver';
    context.addIssue({ code: 'custom', path: ['interfaceVersion'], message });
  }
  if (bind === 'none' && !outbind) {
    context.addIssue({ code: 'custom', path: ['bind'], message: 'without a bind of our own outbind is needed' });
  }
});

export type SmppOptions = z.output<typeof options>;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export function endpointOf(text: string, defaultPort: number): Endpoint {
  const [, host = '', port] = endpointPattern.exec(text) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? defaultPort : Number(port) };
}

/** Every host of the account, the first one first. */
export function endpointsOf({ host, port, hosts }: SmppOptions): Endpoint[] {
  return [{ host, port }, ...hosts.map((text) => endpointOf(text, port))];
}

export type BindCommand = 'bind_transceiver' | 'bind_transmitter' | 'bind_receiver';

export const bindsOf: Readonly<Record<SmppOptions['bind'], readonly BindCommand[]>> = {
  transceiver: ['bind_transceiver'],
  transmitter: ['bind_transmitter'],
  receiver: ['bind_receiver'],
  pair: ['bind_transmitter', 'bind_receiver'],
  none: [],
};

/** Whether we can send anything at all. */
export function isSubmitting({ bind, outbind }: SmppOptions): boolean {
  return bind !== 'receiver' && (bind !== 'none' || outbind?.bind === 'transceiver');
}
