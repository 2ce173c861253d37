// An XMPP user on `@xmpp/client`: logs in over plain TCP on loopback, writes, asks for receipts and gives them (XEP-0184,
// XEP-0333).
import { createRequire } from 'node:module';
import { Ears, type Heard, type Person, type Told } from './peer.ts';

// The package brings no types; this is the part of it that we use.
interface Stanza {
  attrs: Record<string, string | undefined>;
  children: Array<Stanza | string>;
  name: string;
  is(name: string): boolean;
  getChild(name: string, ns?: string): Stanza | undefined;
  getChildText(name: string): string | null;
}
interface Client {
  start(): Promise<{ toString(): string }>;
  stop(): Promise<unknown>;
  send(stanza: Stanza): Promise<void>;
  on(event: 'stanza', listener: (stanza: Stanza) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'online', listener: () => void): void;
  reconnect: { stop(): void };
}
interface XmppLibrary {
  client(options: Record<string, string>): Client;
  xml(name: string, attributes?: Record<string, string>, ...children: Array<Stanza | string>): Stanza;
}

const { client, xml } = createRequire(import.meta.url)('@xmpp/client') as XmppLibrary;
const receiptsNs = 'urn:xmpp:receipts';
const markersNs = 'urn:xmpp:chat-markers:0';

export interface XmppUserOptions {
  port: number;
  /** `alice@xmpp.example` */
  jid: string;
  password: string;
  host?: string;
}

/** Resolves once logged in and available. */
export async function startXmppUser(options: XmppUserOptions): Promise<Person> {
  const [username = '', domain = ''] = options.jid.split('@');
  const service = `xmpp://${options.host ?? '127.0.0.1'}:${options.port}`;
  const xmpp = client({ service, domain, username, password: options.password, resource: 'demo' });
  const messages = new Ears<Heard>();
  const receipts = new Ears<Told>();
  xmpp.on('error', () => {});
  xmpp.on('stanza', (stanza) => {
    if (!stanza.is('message')) return;
    const told = readReceipt(stanza);
    const text = stanza.getChildText('body');
    if (told) receipts.tell(told);
    else if (text !== null) messages.tell({ from: bare(stanza.attrs.from), text });
    for (const answer of told || text === null ? [] : answers(stanza)) xmpp.send(answer).catch(() => {});
  });
  // Again after each reconnect: without presence the server keeps messages for later.
  xmpp.on('online', () => xmpp.send(xml('presence')).catch(() => {}));
  await xmpp.start();
  return {
    name: username,
    network: 'XMPP',
    address: options.jid,
    onMessage: messages.add,
    onReceipt: receipts.add,
    async send(to, text) {
      const id = `m-${crypto.randomUUID()}`;
      const ask = [xml('request', { xmlns: receiptsNs }), xml('markable', { xmlns: markersNs })];
      await xmpp.send(xml('message', { to, id, type: 'chat' }, xml('body', {}, text.toWellFormed()), ...ask));
      return id;
    },
    async stop() {
      xmpp.reconnect.stop();
      await xmpp.stop().catch(() => {});
    },
  };
}

function readReceipt(stanza: Stanza): Told | undefined {
  if (stanza.attrs.type === 'error') {
    const error = stanza.getChild('error');
    const condition = error?.children.find((child) => typeof child !== 'string' && child.name !== 'text');
    const name = typeof condition === 'object' ? condition.name : 'error';
    const why = [name, error?.getChildText('text')].filter(Boolean).join(': ');
    return { of: stanza.attrs.id ?? '', state: 'failed', why };
  }
  const received = stanza.getChild('received', receiptsNs)?.attrs.id;
  if (received !== undefined) return { of: received, state: 'delivered' };
  const displayed = stanza.getChild('displayed', markersNs)?.attrs.id;
  return displayed === undefined ? undefined : { of: displayed, state: 'displayed' };
}

function answers(stanza: Stanza): Stanza[] {
  const { id, from } = stanza.attrs;
  if (id === undefined || from === undefined) return [];
  const answer = (name: string, xmlns: string) =>
    xml('message', { to: from, id: `r-${crypto.randomUUID()}`, type: 'chat' }, xml(name, { xmlns, id }));
  const out: Stanza[] = [];
  if (stanza.getChild('request', receiptsNs)) out.push(answer('received', receiptsNs));
  if (stanza.getChild('markable', markersNs)) out.push(answer('displayed', markersNs));
  return out;
}

function bare(jid = ''): string {
  return jid.split('/')[0] ?? '';
}
