// Options and their defaults.
import { z } from 'zod';
import { network } from '../../src/guards/networks.ts';
import { certificate, pemHint, privateKey } from '../../src/guards/pem.ts';
import { parseUri } from './codec/uri.ts';

const schemes = z.enum(['xmpp', 'sip', 'sips', 'tel', 'wv', 'im', 'pres']);
const port = z.number().int().min(0).max(65_535);
const milliseconds = z.number().int().nonnegative();
const count = z.number().int().positive();

const sipUri = z.string().refine((text) => {
  try {
    return ['sip', 'sips'].includes(parseUri(text).scheme);
  } catch {
    return false;
  }
}, 'not a sip: or sips: URI');

const identity = {
  cert: certificate.optional().describe(`our certificate: ${pemHint}`),
  key: privateKey.optional().describe(`its private key: ${pemHint}`),
  ca: certificate.optional().describe(`whom we trust: ${pemHint}; default: the system's list`),
};

const listener = z.strictObject({
  transport: z.enum(['udp', 'tcp', 'tls', 'ws', 'wss']).describe('what is spoken there'),
  host: z.string().default('127.0.0.1').describe('address to listen on'),
  port: port.default(5060).describe('0 lets the system choose'),
  advertise: z.string().optional().describe('host that Via and Contact name in place of the address'),
  tls: z
    .strictObject({ ...identity, requestCert: z.boolean().default(false).describe('only peers with a certificate') })
    .optional()
    .describe('for tls and wss'),
});

const trunk = z.strictObject({
  aor: sipUri.describe('the account: sip:user@provider.example'),
  registrar: sipUri.optional().describe('where to register; default: the domain of the account'),
  outboundProxies: z
    .array(sipUri)
    .max(4)
    .default([])
    .describe(
      'ways to it, each registered and kept by itself (RFC 5626), one that lives is enough; `;lr` adds a Route',
    ),
  user: z.string().optional().describe("digest user; default: the account's"),
  password: z.string().describe('digest password'),
  expires: z.number().int().min(60).max(86_400).default(3600).describe('seconds a registration lasts'),
  watchRegistration: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe('hear from the provider when it ends the registration (RFC 3680); auto: where it tells'),
  domains: z.array(z.string()).default([]).describe("further domains reached through it; the account's always is"),
  showAs: z.enum(['sender', 'account']).default('sender').describe('what From says of messages that leave through it'),
  asserts: z
    .enum(['none', 'sender', 'account'])
    .default('none')
    .describe('what P-Asserted-Identity says there, to a provider that may know (RFC 3325)'),
  trusted: z
    .boolean()
    .default(true)
    .describe('what comes from its registrar is not challenged, and P-Asserted-Identity counts'),
});

const rate = (perSecond: number, burst: number, what: string) =>
  z
    .strictObject({
      perSecond: z.number().nonnegative().default(perSecond).describe('in the long run'),
      burst: count.default(burst).describe('at once, after a pause'),
    })
    .prefault({})
    .describe(what);

const takes = (what: string) => z.boolean().optional().describe(`whether they take ${what}; default: learnt`);

const pin = z.strictObject({
  domain: z.string().describe('a domain, `*.domain` for those below it, or `*`; of a trunk that of its account'),
  cpim: takes('message/cpim'),
  html: takes('text/html'),
  multipart: takes('multipart/alternative'),
  typing: takes('isComposing'),
  imdn: takes('disposition notifications'),
  reg: takes('SUBSCRIBE to the registration of a trunk (RFC 3680)'),
  bareImdn: z.boolean().optional().describe('whether they want notifications unasked, without CPIM (Linphone)'),
});

const authentication = z.strictObject({
  realm: z.string().describe('shown to people who are asked for their password'),
  users: z
    .record(z.string(), z.strictObject({ password: z.string() }))
    .describe('user name to password; a user is user@domain of a domain of ours'),
  algorithms: z
    .array(z.enum(['SHA-512-256', 'SHA-256', 'MD5']))
    .min(1)
    .default(['SHA-512-256', 'SHA-256', 'MD5'])
    .describe('offered in this order; old clients read the first alone: MD5 first, or MD5 only'),
  asProxy: z
    .boolean()
    .default(false)
    .describe('ask as a proxy does (407), but for REGISTER: libpurple answers nothing else'),
});

const watchers = z.strictObject({
  minExpires: z.number().int().min(1).max(3600).default(60).describe('seconds; a shorter subscription is 423'),
  maxExpires: count.default(3600).describe('seconds; a longer one is shortened'),
  notifyPauseMs: milliseconds.default(5000).describe('between two changes told to one watcher; the last state wins'),
  max: count.default(200_000).describe('subscriptions in all; beyond it 503'),
  maxPerWatcher: count.default(1000).describe('of one watcher; beyond it 403'),
  maxPerPresentity: count.default(5000).describe('to one person; beyond it 503'),
  maxPerSource: count.default(1000).describe('from one address that is not trusted; beyond it 403'),
  maxListMembers: z
    .number()
    .int()
    .min(0)
    .default(100)
    .describe('of a list in a SUBSCRIBE (RFC 5367), of people who are known; beyond it 413; 0: none is taken'),
  maxUnprovenPerHost: count.default(100).describe('towards one host that has answered no NOTIFY; beyond it 503'),
});

const watching = z.strictObject({
  expires: z.number().int().min(60).max(86_400).default(3600).describe('seconds that a subscription is asked for'),
  perDestination: count.default(20).describe('SUBSCRIBE requests under way to one destination; more wait'),
  max: count.default(200_000).describe('contacts watched in all; beyond it people are told to wait'),
  maxPerWatcher: count.default(1000).describe('of one watcher; beyond it refused'),
});

const publications = z.strictObject({
  accept: z
    .boolean()
    .default(true)
    .describe('we are the presence server of nativeDomains; false: their phones are, each for itself'),
  minExpires: z.number().int().min(1).max(3600).default(60).describe('seconds; a shorter publication is 423'),
  maxExpires: count.default(3600).describe('seconds; a longer one is shortened'),
  watchers: z
    .enum(['contacts', 'everybody'])
    .default('contacts')
    .describe('who may watch them: whom they watch too (others wait), or everybody'),
  max: count.default(100_000).describe('publications in all; beyond it 503'),
  maxPerPerson: count.default(10).describe('of one person; beyond it 503'),
});

const list = z.strictObject({
  uri: sipUri.describe('what is subscribed to'),
  members: z.array(sipUri).min(1).describe('whose states it brings, to each watcher those that he may see'),
  watchers: z.array(sipUri).default([]).describe('who may subscribe to it; none: everybody'),
});

const presenceServer = z.strictObject({
  domain: z.string().describe('whose people watch through a presence server of their own'),
  mode: z
    .enum(['publish', 'both'])
    .default('publish')
    .describe('PUBLISH people of other networks there, in place of NOTIFY or as well; other domains: NOTIFY'),
  expires: z.number().int().min(60).max(86_400).default(3600).describe('seconds that a publication is asked for'),
  askPending: z
    .boolean()
    .default(false)
    .describe('ask our people about those who wait there (presence.winfo), as about watchers who subscribe here'),
  rules: z
    .strictObject({
      root: z.url().describe('where its XCAP documents begin'),
      user: z.string().optional().describe('digest user there'),
      password: z.string().optional().describe('digest password there'),
    })
    .optional()
    .describe('write what our people answer as pres-rules (XCAP)'),
});

export const options = z.strictObject({
  listen: z
    .array(listener)
    .default([
      { transport: 'udp', host: '127.0.0.1', port: 5060 },
      { transport: 'tcp', host: '127.0.0.1', port: 5060 },
    ])
    .describe('where peers reach us'),
  domains: z
    .array(
      z.strictObject({
        domain: z.string().describe('a domain of ours on SIP'),
        shows: z.array(schemes).min(1).describe('whose people it shows'),
        home: z.string().optional().describe('their domain when a name has none'),
      }),
    )
    .default([])
    .describe('where strangers are shown'),
  nativeDomains: z.array(z.string()).default([]).describe('domains whose SIP users register with us'),
  outboundProxy: sipUri
    .optional()
    .describe('everything that is neither ours nor a trunk goes there; `;lr` adds a Route'),
  assertIdentity: z.boolean().default(false).describe('tell the outbound proxy the sender in P-Asserted-Identity'),
  dns: z
    .strictObject({ servers: z.array(z.string()).default([]).describe("default: the system's") })
    .default({ servers: [] })
    .describe('who answers NAPTR, SRV and addresses'),
  tls: z.strictObject(identity).default({}).describe('for connections we open'),
  trunks: z.array(trunk).default([]).describe('accounts at providers, registered by us'),
  credentials: z
    .array(z.strictObject({ realm: z.string().optional(), user: z.string(), password: z.string() }))
    .default([])
    .describe('for whoever challenges us'),
  auth: authentication.optional().describe('ask strangers to prove who they are'),
  trusted: z
    .array(network)
    .default([])
    .describe('addresses or networks of proxies: not challenged, their P-Asserted-Identity counts'),
  acceptSips: z
    .boolean()
    .default(false)
    .describe('take sips: for people of other networks, where TLS cannot be kept up'),
  rates: z
    .strictObject({
      source: rate(100, 1000, 'requests from one address that is not trusted; beyond it 503'),
      target: rate(20, 200, 'messages of strangers to one person; beyond it 480'),
      wrongPasswords: rate(0.1, 20, 'wrong answers to our challenges from one address; beyond it 403'),
    })
    .prefault({})
    .describe('token buckets; 0 per second: no limit'),
  recipient: z.enum(['request-uri', 'to']).default('request-uri').describe('where the recipient of a MESSAGE is read'),
  holdMs: milliseconds
    .max(3000)
    .default(300)
    .describe('how long an answer waits for proof of delivery (200) before 202'),
  force200: z.boolean().default(false).describe('200 in place of 202, for peers that choke on it'),
  notices: z.boolean().default(true).describe('tell senders without IMDN in words when an accepted message fails'),
  cpim: z.boolean().default(true).describe('ask for receipts with CPIM and IMDN; learnt per peer when refused'),
  html: z.boolean().default(true).describe('send markup to peers that are known to take it'),
  typing: z.boolean().default(true).describe('send isComposing; learnt per peer when refused'),
  typingIdleMs: milliseconds
    .default(15_000)
    .describe('who types and says nothing more is idle after this; 0: after the two minutes of the far phone'),
  peers: z
    .strictObject({
      ask: z.boolean().default(true).describe('ask with OPTIONS, behind a message that was taken'),
      rememberMs: milliseconds.min(60_000).default(86_400_000).describe('how long what was learnt counts'),
      pinned: z.array(pin).default([]).describe('what is known for certain; the first that says anything counts'),
    })
    .default({ ask: true, rememberMs: 86_400_000, pinned: [] })
    .describe('what peers take: learnt from their refusals and answers, see `dragoman view`'),
  watchers: watchers.prefault({}).describe('people of this network who watch others'),
  watching: watching.prefault({}).describe('people of other networks who watch others here'),
  publications: publications.prefault({}).describe('what people of nativeDomains publish of themselves'),
  lists: z.array(list).default([]).describe('several people watched with one SUBSCRIBE (RFC 4662)'),
  presenceServers: z
    .array(presenceServer)
    .default([])
    .describe('domains whose presence server decides who sees the people of other networks'),
  maxConnections: count.default(10_000).describe('connections in all'),
  maxConnectionsPerSource: count.default(200).describe('connections from one address'),
  maxPending: count.default(5000).describe('requests under way; beyond it 503'),
  maxPendingPerSource: count.default(1000).describe('the same for one address that is not trusted'),
  maxServerTransactions: count.default(200_000).describe('answers kept for repeated requests; beyond it 503'),
  maxMessageBytes: count.min(1500).default(65_536).describe('longest message read'),
  idleMs: milliseconds.default(600_000).describe('a silent connection is closed'),
  messageMs: milliseconds.default(10_000).describe('a message must be complete after this'),
  pingMs: milliseconds.default(95_000).describe('between keep-alives on connections we opened; 0: none'),
  connectTimeoutMs: milliseconds.default(5000).describe('to open a connection'),
  t1Ms: milliseconds.min(10).default(500).describe('T1 of RFC 3261'),
  t2Ms: milliseconds.default(4000).describe('T2'),
  t4Ms: milliseconds.default(5000).describe('T4'),
});

export type SipOptions = z.output<typeof options>;
export type TrunkOptions = SipOptions['trunks'][number];
