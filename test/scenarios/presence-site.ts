// What the presence scenarios need: a real XMPP server with Alice on it, the gateway as a process with an embedded store, and
// Bob on SIP, whose device and proxy are one scripted peer that shares no code with the gateway.
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type PeerMessage, requestText, responseTo, type SipPeer, startSipPeer } from '../peers/sip-peer.ts';
import { type Stanza, startXmppUser, type XmppUser, xml } from '../peers/xmpp-user.ts';
import { needs } from '../servers/debian.ts';
import { startEjabberd } from '../servers/ejabberd.ts';
import { freePorts, temporaryFolder } from '../servers/process.ts';
import { startProsody, type XmppServer } from '../servers/prosody.ts';
import { GatewayProcess } from './gateway-process.ts';
import { atEnd } from './site.ts';

const secret = 'scenario-secret';
const password = 'wonderland';
const sipDomain = 'sip.xmpp.example';
export const alice = 'alice@xmpp.example';
/** Alice as SIP people write her, Bob as XMPP people do. */
export const aliceUri = 'sip:alice%40xmpp.example@gw.example';
export const bobJid = `bob\\40other.example@${sipDomain}`;

export type ServerKind = 'prosody' | 'ejabberd';

export interface PresenceSite {
  readonly gateway: GatewayProcess;
  readonly server: XmppServer;
  readonly bob: SipPeer;
  /** Where the gateway listens for SIP. */
  readonly sipPort: number;
  /** Alice on one more device, with her roster asked for. */
  logIn(): Promise<XmppUser>;
}

/** What the two sides of a SIP subscription need. */
export type SipSide = Pick<PresenceSite, 'bob' | 'sipPort'>;

/** Undefined when a peer is missing and the test was skipped. The gateway runs. */
export async function openPresenceSite(t: TestContext, kind: ServerKind): Promise<PresenceSite | undefined> {
  if (!needs(t, kind)) return undefined;
  const folder = temporaryFolder('presence');
  atEnd(t, () => folder.remove());
  const start = kind === 'prosody' ? startProsody : startEjabberd;
  const server = await start({ components: [{ domain: sipDomain, secret }], users: [{ username: 'alice', password }] });
  atEnd(t, () => server.stop());
  const bob = await startSipPeer();
  atEnd(t, () => bob.stop());
  const [sipPort = 0] = await freePorts(1);
  const gateway = await GatewayProcess.prepare(folder.path, {
    ...settings(server, bob, sipPort),
    data: join(folder.path, 'data'),
  });
  atEnd(t, () => gateway.stop());
  await gateway.start();
  const logIn = async () => {
    const user = await startXmppUser({ port: server.c2sPort, host: server.host, username: 'alice', password });
    atEnd(t, () => user.stop());
    await user.ask(xml('iq', { type: 'get' }, xml('query', { xmlns: 'jabber:iq:roster' })));
    return user;
  };
  return { gateway, server, bob, sipPort, logIn };
}

function settings(server: XmppServer, bob: SipPeer, sipPort: number) {
  const reconnect = { firstMs: 50, maxMs: 500 };
  return {
    lease: '3s',
    routes: [
      { to: 'xmpp:*', via: 'jabber' },
      { to: 'sip:*', via: 'phones' },
    ],
    instances: {
      jabber: {
        protocol: 'xmpp',
        port: server.componentPort,
        domains: [{ domain: sipDomain, secret, shows: ['sip'] }],
        reconnect,
      },
      phones: {
        protocol: 'sip',
        listen: ['udp', 'tcp'].map((transport) => ({ transport, host: '127.0.0.1', port: sipPort })),
        domains: [{ domain: 'gw.example', shows: ['xmpp'] }],
        outboundProxy: `sip:127.0.0.1:${bob.port}`,
        watchers: { notifyPauseMs: 100 },
      },
    },
  };
}

/** A presence stanza that she hears, from Bob or a device of his. */
export function hearsPresence(user: XmppUser, type: string | undefined, from = bobJid, since = 0): Promise<Stanza> {
  const matches = (one: Stanza) => one.name === 'presence' && one.attrs.type === type && one.attrs.from === from;
  return user.hears(
    (stanza) => user.heard.indexOf(stanza) >= since && matches(stanza),
    `${type ?? 'available'} from ${from}; heard ${user.heard.slice(since).join(' ').slice(0, 2000)}`,
  );
}

/** One subscription of Bob's device: his side of the dialog. */
export class SipWatch {
  readonly callId = `watch-${crypto.randomUUID()}`;
  readonly #site: SipSide;
  readonly #presentity: string;
  #cseq = 0;
  #theirTag = '';

  constructor(site: SipSide, presentity = aliceUri) {
    this.#site = site;
    this.#presentity = presentity;
  }

  /** Resolves with the answer; `expires` in seconds. */
  async subscribe(expires: number): Promise<PeerMessage> {
    const { bob, sipPort } = this.#site;
    const cseq = ++this.#cseq;
    const tag = this.#theirTag === '' ? '' : `;tag=${this.#theirTag}`;
    const text = requestText({
      port: bob.port,
      method: 'SUBSCRIBE',
      uri: this.#presentity,
      from: '<sip:bob@other.example>;tag=bob',
      to: `<${this.#presentity}>${tag}`,
      callId: this.callId,
      cseq,
      body: '',
      more: [
        'Event: presence',
        'Accept: application/pidf+xml',
        `Expires: ${expires}`,
        `Contact: <sip:bob@127.0.0.1:${bob.port}>`,
      ],
    });
    bob.sendUdp(text, sipPort);
    const answer = await bob.until(
      (one) => one.first.startsWith('SIP/2.0 ') && this.#isOurs(one) && one.header('CSeq') === `${cseq} SUBSCRIBE`,
    );
    this.#theirTag = /;tag=([^;]+)/.exec(answer.header('To'))?.[1] ?? '';
    return answer;
  }

  /** What it was told, oldest first, without copies. */
  get notified(): PeerMessage[] {
    const byCSeq = new Map<number, PeerMessage>();
    for (const one of this.#site.bob.heard) {
      if (one.first.startsWith('NOTIFY ') && this.#isOurs(one))
        byCSeq.set(Number.parseInt(one.header('CSeq'), 10), one);
    }
    return [...byCSeq].sort(([a], [b]) => a - b).map(([, one]) => one);
  }

  /** The first NOTIFY, past or future, after `since` of them. */
  async hears(matches: (notify: PeerMessage) => boolean, since = 0, timeoutMs = 15_000): Promise<PeerMessage> {
    const later = () => this.notified.slice(since).find(matches);
    await this.#site.bob
      .until(() => later() !== undefined, timeoutMs)
      .catch((error: Error) => {
        const told = this.notified.map((one) => `${one.header('Subscription-State')}\n${one.body}`).join('\n');
        throw new Error(`${error.message}; told:\n${told}`);
      });
    return later() as PeerMessage;
  }

  #isOurs(message: PeerMessage): boolean {
    return message.header('Call-ID') === this.callId;
  }
}

/** The far end of a subscription that the gateway holds: notifies in the dialog of its last SUBSCRIBE. */
export class SipNotifier {
  readonly #site: SipSide;
  readonly #user: string;
  #cseq = 0;

  constructor(site: SipSide, user = 'bob') {
    this.#site = site;
    this.#user = user;
  }

  /** Every SUBSCRIBE to this person, oldest first. */
  get asked(): PeerMessage[] {
    return this.#site.bob.heard.filter(({ first }) => first.startsWith(`SUBSCRIBE sip:${this.#user}@`));
  }

  async hears(matches: (subscribe: PeerMessage) => boolean, timeoutMs?: number): Promise<PeerMessage> {
    return this.#site.bob.until((one) => this.asked.includes(one) && matches(one), timeoutMs);
  }

  /** Resolves with the gateway's answer. */
  async notify(state: string, body = ''): Promise<PeerMessage> {
    const { bob, sipPort } = this.#site;
    const subscribe = this.asked.at(-1);
    if (!subscribe) throw new Error('nobody has subscribed');
    const cseq = ++this.#cseq;
    const callId = subscribe.header('Call-ID');
    const text = requestText({
      port: bob.port,
      method: 'NOTIFY',
      uri: /<([^>]+)>/.exec(subscribe.header('Contact'))?.[1] ?? '',
      from: `${subscribe.header('To').replace(/;tag=.*/, '')};tag=peer`,
      to: subscribe.header('From'),
      callId,
      cseq,
      type: 'application/pidf+xml',
      body,
      more: ['Event: presence', `Subscription-State: ${state}`, `Contact: <sip:${this.#user}@127.0.0.1:${bob.port}>`],
    });
    bob.sendUdp(text, sipPort);
    return bob.until(
      ({ first, header }) =>
        first.startsWith('SIP/2.0 ') && header('Call-ID') === callId && header('CSeq') === `${cseq} NOTIFY`,
    );
  }
}

/** A 2xx to SUBSCRIBE says how long it lasts; everything else is 200. */
export const takeSubscriptions = (request: PeerMessage): string =>
  request.first.startsWith('SUBSCRIBE ')
    ? responseTo(request, '200 OK', [`Expires: ${request.header('Expires')}`, `Contact: <sip:bob@127.0.0.1>`])
    : responseTo(request, '200 OK');
