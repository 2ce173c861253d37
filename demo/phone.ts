// A SIP phone on `sip.js` over WebSocket: registers, reads and writes MESSAGE, asks for and sends receipts (IMDN).
import { type Message, Messager, Registerer, type RegistererRegisterOptions, UserAgent } from 'sip.js';
import { formatNotification, formatText, parseCpim, parseNotification } from './cpim.ts';
import { Ears, type Heard, type Person, type Told } from './peer.ts';

export interface PhoneOptions {
  /** Where the gateway listens for WebSocket: `ws://127.0.0.1:5066`. */
  server: string;
  /** `sip:bob@sip.example` */
  aor: string;
  name: string;
}

export interface Phone extends Person {
  send(to: string, text: string, options?: { wantsReceipt?: boolean }): Promise<string>;
}

/** Resolves once registered; rejects with the registrar's answer. */
export async function startPhone(options: PhoneOptions): Promise<Phone> {
  const phone = new SipPhone(options);
  await phone.register();
  return phone;
}

class SipPhone implements Phone {
  readonly network = 'SIP';
  readonly name: string;
  readonly address: string;
  readonly #agent: UserAgent;
  readonly #messages = new Ears<Heard>();
  readonly #receipts = new Ears<Told>();
  readonly onMessage = this.#messages.add;
  readonly onReceipt = this.#receipts.add;

  constructor({ server, aor, name }: PhoneOptions) {
    this.name = name;
    this.address = aor;
    const uri = uriOf(aor);
    this.#agent = new UserAgent({
      uri,
      displayName: name,
      contactName: uri.user ?? name,
      transportOptions: { server },
      logBuiltinEnabled: false,
      delegate: { onMessage: (message) => this.#receive(message) },
    });
  }

  async register(): Promise<void> {
    await this.#agent.start();
    const registerer = new Registerer(this.#agent);
    await answered((requestDelegate) => registerer.register({ requestDelegate }));
  }

  async send(to: string, text: string, { wantsReceipt = true } = {}): Promise<string> {
    const id = `m-${crypto.randomUUID()}`;
    const said = text.toWellFormed();
    if (wantsReceipt) await this.#sendBody(to, formatText(this.address, to, id, said), 'message/cpim');
    else await this.#sendBody(to, said, 'text/plain');
    return id;
  }

  stop(): Promise<void> {
    return this.#agent.stop();
  }

  #receive(message: Message): void {
    const { request } = message;
    message.accept().catch(() => {});
    // A telephone number on SIP says that it is one (RFC 3261 s.19.1.6); it is the same person without.
    const from = request.from.uri.toString().replace(/;user=phone$/, '');
    const { text, id, wants, notification } = readBody(request.getHeader('content-type') ?? '', request.body);
    if (notification) this.#receipts.tell(notification);
    else this.#messages.tell({ from, text });
    this.#confirm(from, id, wants).catch(() => {});
  }

  // RFC 3428 s.8: one MESSAGE at a time to one target.
  async #confirm(to: string, of: string, states: Read['wants']): Promise<void> {
    for (const state of states) {
      await this.#sendBody(to, formatNotification(this.address, to, { of, state }), 'message/cpim');
    }
  }

  async #sendBody(to: string, body: string, type: string): Promise<void> {
    const messager = new Messager(this.#agent, uriOf(to), body, type);
    await answered((requestDelegate) => messager.message({ requestDelegate }));
  }
}

type Delegate = NonNullable<RegistererRegisterOptions['requestDelegate']>;

/** Resolves on 2xx, rejects with the status otherwise. */
function answered(send: (delegate: Delegate) => Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAccept = () => resolve();
    const onReject: Delegate['onReject'] = ({ message }) =>
      reject(new Error(`${message.statusCode} ${message.reasonPhrase}`));
    send({ onAccept, onReject }).catch(reject);
  });
}

function uriOf(text: string) {
  const uri = UserAgent.makeURI(text);
  if (!uri) throw new Error(`not a SIP address: ${text}`);
  return uri;
}

interface Read {
  text: string;
  id: string;
  wants: Array<'delivered' | 'displayed'>;
  notification?: Told;
}

function readBody(contentType: string, body: string): Read {
  const type = contentType.toLowerCase();
  if (!type.startsWith('message/cpim')) return readContent(type, body);
  const cpim = parseCpim(body);
  const wanted = cpim.headers.get('imdn.disposition-notification') ?? '';
  const read = readContent(cpim.contentType.toLowerCase(), cpim.body);
  if (/\bpositive-delivery\b/.test(wanted)) read.wants.push('delivered');
  if (/\bdisplay\b/.test(wanted)) read.wants.push('displayed');
  return { ...read, id: cpim.headers.get('imdn.message-id') ?? '' };
}

function readContent(type: string, body: string): Read {
  const read: Read = { text: body, id: '', wants: [] };
  const notification = type.startsWith('message/imdn+xml') ? parseNotification(body) : undefined;
  return notification ? { ...read, notification } : read;
}
