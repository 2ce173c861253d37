// An XMPP user for tests, on the independent client `@xmpp/client`: every stanza it hears is kept, any stanza can be said.
import { createRequire } from 'node:module';
import { until } from '../servers/process.ts';

/** The part of an ltx element that tests use; the package brings no types. */
export interface Stanza {
  name: string;
  attrs: Record<string, string | undefined>;
  children: Array<Stanza | string>;
  getChild(name: string, ns?: string): Stanza | undefined;
  getChildText(name: string): string | null;
  toString(): string;
}
interface Client {
  start(): Promise<unknown>;
  stop(): Promise<unknown>;
  send(stanza: Stanza): Promise<void>;
  on(event: 'stanza', listener: (stanza: Stanza) => void): void;
  on(event: 'online' | 'error', listener: (what: unknown) => void): void;
  reconnect: { stop(): void };
  iqCaller: { request(iq: Stanza, timeoutMs?: number): Promise<Stanza> };
}
interface Library {
  client(options: Record<string, string>): Client;
  xml(
    name: string,
    attributes?: Record<string, string | undefined>,
    ...children: Array<Stanza | string | undefined>
  ): Stanza;
}

const library = createRequire(import.meta.url)('@xmpp/client') as Library;
export const xml = library.xml;

export interface XmppUser {
  readonly jid: string;
  readonly heard: Stanza[];
  say(stanza: Stanza): Promise<void>;
  ask(iq: Stanza): Promise<Stanza>;
  /** The first stanza heard, past or future, that matches. */
  hears(matches: (stanza: Stanza) => boolean, what: string, timeoutMs?: number): Promise<Stanza>;
  stop(): Promise<void>;
}

let logins = 0;

/** Resolves once logged in and available. A session that the server ends stays ended: the library's own reconnecting may hang. */
export async function startXmppUser(options: {
  port: number;
  host: string;
  username: string;
  password: string;
}): Promise<XmppUser> {
  const { port, host: domain, username, password } = options;
  const service = `xmpp://127.0.0.1:${port}`;
  // A resource of its own: a server ends an older session of the same name.
  const resource = `test${++logins}`;
  const client = library.client({ service, domain, username, password, resource });
  const heard: Stanza[] = [];
  client.on('stanza', (stanza) => heard.push(stanza));
  client.on('error', () => {});
  client.on('online', () => void client.send(xml('presence')).catch(() => {}));
  client.reconnect.stop();
  await client.start();
  await until(
    () => heard.some(({ name, attrs }) => name === 'presence' && attrs.from?.endsWith(`/${resource}`)),
    'presence',
  );
  return {
    jid: `${username}@${domain}/${resource}`,
    heard,
    say: (stanza) => client.send(stanza),
    ask: (iq) => client.iqCaller.request(iq, 5000),
    async hears(matches, what, timeoutMs) {
      await until(() => heard.some(matches), what, timeoutMs);
      return heard.find(matches) as Stanza;
    },
    async stop() {
      await client.stop().catch(() => {});
    },
  };
}
