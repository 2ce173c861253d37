// The HTTP adapter: applications that send and receive by URL, as citizens of the telephone network. Joins the two doors and
// the callbacks to the hub.
import {
  type Adapter,
  type AdapterModule,
  type Delivery,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
  type PhoneRules,
} from '../../src/contract/index.ts';
import { Accounts } from './accounts.ts';
import { Callbacks } from './callbacks.ts';
import { type HttpOptions, options } from './config.ts';
import { diagnose } from './diagnose.ts';
import { Inbox } from './inbox.ts';
import { Ledger } from './ledger.ts';
import { Outbox, textOf } from './outbox.ts';
import { listen, type Server } from './server.ts';

interface Running {
  hub: Hub;
  accounts: Accounts;
  outbox: Outbox;
  server: Server;
}

export class Http implements Adapter {
  readonly accepts: ReadonlySet<EventType> = new Set(['message', 'receipt']);
  readonly reconfigurable: ReadonlySet<keyof HttpOptions> = new Set(['accounts', 'maxRecipients', 'callbackTimeoutMs']);
  readonly #name: string;
  #options: HttpOptions;
  #accounts: Accounts | undefined;
  #running: Running | undefined;
  #isStopped = false;

  constructor(name: string, settings: HttpOptions) {
    this.#name = name;
    this.#options = settings;
  }

  async start(hub: Hub): Promise<void> {
    const { defaultCountry, shortCodeContext, recordMs } = this.#options;
    const current = () => this.#options;
    const rules: PhoneRules = { defaultCountry, shortCodeContext: shortCodeContext ?? `${this.#name}.invalid` };
    const now = () => hub.now();
    const accounts = new Accounts(this.#options.accounts, rules, now);
    this.#accounts = accounts;
    const ledger = new Ledger(hub.state, recordMs);
    const callbacks = new Callbacks({
      get timeoutMs() {
        return current().callbackTimeoutMs;
      },
      now,
    });
    const inbox = new Inbox({
      hub,
      accounts,
      ledger,
      rules,
      get maxRecipients() {
        return current().maxRecipients;
      },
    });
    const server = await listen({ options: this.#options, hub, accounts, inbox });
    if (this.#isStopped) return server.close();
    this.#running = { hub, accounts, server, outbox: new Outbox({ hub, accounts, callbacks, ledger }) };
    hub.status('up');
  }

  async reconfigure(settings: HttpOptions): Promise<void> {
    this.#accounts?.reconfigure(settings.accounts);
    this.#options = settings;
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    if (!this.#running) throw new GatewayError('unavailable', 'not started');
    signal.throwIfAborted();
    return this.#running.outbox.deliver(event, signal);
  }

  /** The application: one whose webhook is down holds back nobody else. */
  destination(event: GatewayEvent): string {
    const text = event.type === 'message' ? textOf(event) : undefined;
    return this.#running?.accounts.ownerOf(event.to, text)?.name ?? '';
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const running = this.#running;
    this.#running = undefined;
    if (!running) return;
    await running.server.close();
    running.hub.status('down', 'stopped');
  }

  /** Where it listens: for tests, which let the system choose. */
  get port(): number {
    return this.#running?.server.port ?? 0;
  }
}

export const adapter: AdapterModule<HttpOptions> = {
  protocol: 'http',
  network: 'tel',
  options,
  isSwitch: true,
  create: (name, settings) => new Http(name, settings),
  diagnose,
};
