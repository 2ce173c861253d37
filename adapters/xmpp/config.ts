// The adapter's options: one XMPP server, and the component domains that we hold there.
import { z } from 'zod';
import { type GatewayDomain, schemes } from '../../src/contract/index.ts';
import { certificate, pemHint, privateKey } from '../../src/guards/pem.ts';

const domainName = z
  .string()
  .transform((text) => text.toLowerCase())
  .refine((text) => /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/.test(text), 'not a domain name (write ü as xn--...)');
const milliseconds = z.number().int().min(1);

const tls = z.strictObject({
  ca: certificate.optional().describe(`whom we trust: ${pemHint}; default: the system's list`),
  servername: z.string().optional().describe('name expected in the certificate; default: host'),
  cert: certificate.optional().describe(`our certificate, when the server asks for one: ${pemHint}`),
  key: privateKey.optional().describe(`its private key: ${pemHint}`),
});

const registration = z.strictObject({
  numbers: z
    .record(
      z.string().regex(/^\+[1-9]\d{6,14}$/, 'write numbers as +447700900123'),
      z.string().min(8, 'a code of 8 characters or more'),
    )
    .describe("what somebody must know to have it: { '+447700900123': its code }"),
  from: z.array(domainName).default([]).describe('XMPP domains whose people may register; default: any'),
});

const component = z.strictObject({
  domain: domainName.describe('the component, as the XMPP server names it'),
  secret: z.string().min(1).describe('its password there; any Unicode text'),
  shows: z.array(z.enum(schemes)).min(1).describe('whose people live at it: tel, sip, wv, ...'),
  registration: registration
    .optional()
    .describe('people register for a number of theirs (XEP-0077, Cheogram); default: nobody can'),
  home: domainName.optional().describe('a name with no \\40 in it belongs to this domain of the other network'),
});

export const xmppOptions = z.strictObject({
  host: z.string().default('127.0.0.1').describe('the XMPP server'),
  port: z.number().int().min(1).max(65_535).default(5347).describe('its component port'),
  tls: z.union([z.boolean(), tls]).default(false).describe('TLS from the first byte (ejabberd `tls: true`)'),
  domains: z.array(component).min(1).describe('one component connection each'),
  serverDomain: domainName
    .optional()
    .describe('who is pinged to prove delivery; default: the component domain after its first dot'),
  nativeDomains: z
    .array(domainName)
    .default([])
    .describe('XMPP domains of our own users; one that is also under domains shows people by their own names'),
  receivedAs: z.enum(['chat', 'normal']).default('chat').describe('type of the messages that we write'),
  maxStanzaBytes: z.number().int().min(10_000).default(262_144).describe('a longer stanza is refused, both ways'),
  maxDepth: z.number().int().min(8).default(64).describe('a stanza nested deeper is refused'),
  connectTimeoutMs: milliseconds.default(10_000).describe('from TCP to an accepted handshake'),
  barrierTimeoutMs: milliseconds.default(15_000).describe('a ping without answer for this long: the link is dead'),
  keepaliveMs: milliseconds.default(60_000).describe('an idle link is pinged this often'),
  window: z.number().int().min(1).default(1024).describe('stanzas under way without proof; more wait'),
  highWater: z.number().int().min(1).default(512).describe('inbound stanzas not yet durable; more pause the socket'),
  maxRecipients: z.number().int().min(0).max(1000).default(20).describe('of one stanza (XEP-0033); 0: none'),
  holdMs: milliseconds.default(30_000).describe('how long a stanza waits for our own store before its sender is told'),
  reconnect: z
    .strictObject({
      firstMs: milliseconds.default(500).describe('pause before the second try; grows at random'),
      maxMs: milliseconds.default(60_000).describe('the longest pause, and the first one after a refusal'),
    })
    .prefault({}),
});

export type XmppOptions = z.output<typeof xmppOptions>;
export type RegistrationOptions = z.output<typeof registration>;
export type ComponentOptions = XmppOptions['domains'][number];

export function gatewayDomains({ domains }: XmppOptions): readonly GatewayDomain[] {
  return domains.map(({ domain, shows, home }) => (home === undefined ? { domain, shows } : { domain, shows, home }));
}

/** A server closes a stream that speaks for a domain which is not its own, so only our components count. */
export function nativeDomains({ domains, nativeDomains: wanted }: XmppOptions): readonly string[] {
  return wanted.filter((native) => domains.some(({ domain }) => domain === native));
}

/** Who is pinged over a component's connection. */
export function barrierPeer(options: XmppOptions, domain: string): string {
  return options.serverDomain ?? (domain.slice(domain.indexOf('.') + 1) || domain);
}
