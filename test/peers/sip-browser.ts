// A phone in a browser: SIP.js over the WebSocket of the platform.
import {
  Messager,
  type MessagerMessageOptions,
  Registerer,
  type RegistererRegisterOptions,
  type Message as SipJsMessage,
  UserAgent,
} from 'sip.js';

export interface Heard {
  from: string;
  type: string;
  body: string;
}

export interface BrowserPhone {
  readonly heard: Heard[];
  /** How it answers a MESSAGE; the default accepts. */
  onMessage: (message: SipJsMessage) => Promise<void>;
  /** Resolves with the final status. */
  register(): Promise<number>;
  unregister(): Promise<number>;
  /** Resolves with the final status. */
  send(to: string, body: string, type?: string): Promise<number>;
  /** Cuts the connection without a word. */
  disconnect(): Promise<void>;
  stop(): Promise<void>;
}

type Delegate = NonNullable<RegistererRegisterOptions['requestDelegate']>;

export async function startBrowserPhone(server: string, aor: string, password?: string): Promise<BrowserPhone> {
  const uri = uriOf(aor);
  const agent = new UserAgent({
    uri,
    ...(password === undefined ? {} : { authorizationUsername: uri.user ?? '', authorizationPassword: password }),
    transportOptions: { server },
    logBuiltinEnabled: false,
    delegate: {
      onMessage: (message) => {
        const { request } = message;
        const from = request.from.uri.toString();
        phone.heard.push({ from, type: request.getHeader('content-type') ?? '', body: request.body });
        phone.onMessage(message).catch(() => {});
      },
    },
  });
  await agent.start();
  const registerer = new Registerer(agent);
  const phone: BrowserPhone = {
    heard: [],
    onMessage: (message) => message.accept(),
    register: () => status((requestDelegate) => registerer.register({ requestDelegate })),
    unregister: () => status((requestDelegate) => registerer.unregister({ requestDelegate })),
    send: (to, body, type = 'text/plain') => {
      const messager = new Messager(agent, uriOf(to), body, type);
      return status((requestDelegate) => messager.message({ requestDelegate } as MessagerMessageOptions));
    },
    disconnect: () => agent.transport.disconnect(),
    stop: () => agent.stop(),
  };
  return phone;
}

function status(send: (delegate: Delegate) => Promise<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    const answered: Delegate['onAccept'] = ({ message }) => resolve(message.statusCode ?? 0);
    send({ onAccept: answered, onReject: answered }).catch(reject);
  });
}

function uriOf(text: string) {
  const uri = UserAgent.makeURI(text);
  if (!uri) throw new Error(`SIP.js does not take ${text}`);
  return uri;
}
