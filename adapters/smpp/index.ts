// The SMPP adapter: an ESME of one carrier. Joins links and flow control to what goes out and what comes in.
import {
  type Adapter,
  type AdapterModule,
  type Delivery,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
} from '../../src/contract/index.ts';
import { Link } from './binds/link.ts';
import { Pacer } from './binds/pacer.ts';
import type { ResponsePdu } from './codec/index.ts';
import { type BindCommand, bindsOf, options, type SmppOptions } from './config.ts';
import { diagnose } from './diagnose.ts';
import { isThrottling } from './errors.ts';
import { Inbound } from './inbound.ts';
import { type Conclusion, toReceipt } from './mapping.ts';
import { Outbound } from './outbound.ts';
import { ReceiptBook } from './receipts/book.ts';
import { Rejoin } from './rejoin.ts';
import type { Session } from './session.ts';

const tickMs = 50;
const goodbyeMs = 2000;

/** What runs between start and stop. */
interface Running {
  readonly hub: Hub;
  readonly outbound: Outbound;
  readonly inbound: Inbound;
  readonly pacer: Pacer;
  readonly links: Map<BindCommand, Link>;
  readonly ticker: NodeJS.Timeout;
}

export class Smpp implements Adapter {
  readonly accepts: ReadonlySet<EventType>;
  readonly #name: string;
  readonly #options: SmppOptions;
  #running: Running | undefined;

  constructor(name: string, settings: SmppOptions) {
    this.#name = name;
    this.#options = settings;
    this.accepts = new Set(settings.bind === 'receiver' ? [] : ['message', 'receipt']);
  }

  /** The carrier as a whole: one that is throttling or gone holds back all its numbers. */
  destination(): string {
    return this.#name;
  }

  async start(hub: Hub): Promise<void> {
    const now = () => hub.now();
    const settings = this.#options;
    const conclude = async (conclusion: Conclusion) => void (await hub.publish(toReceipt(conclusion)));
    const book = new ReceiptBook(hub.state, settings, conclude, now);
    const rejoin = new Rejoin(hub.state, settings.rejoinWaitMs, (whole) => inbound.handOn(whole), now);
    const rules = {
      defaultCountry: settings.defaultCountry,
      shortCodeContext: settings.shortCodeContext ?? `${this.#name.toLowerCase()}.invalid`,
    };
    const inbound = new Inbound({ options: settings, rules, hub, book, rejoin });
    const limits = {
      ...settings,
      isThrottling: (status: number) => isThrottling(status, settings.statusReasons),
      late: (response: ResponsePdu, context: unknown) => outbound.late(response, context),
    };
    const pacer = new Pacer(limits, now);
    const outbound = new Outbound({ options: settings, hub, pacer, book });
    await Promise.all([book.open(), rejoin.open()]);
    const links = new Map<BindCommand, Link>();
    const ticker = setInterval(() => {
      for (const part of [...links.values(), pacer, book, rejoin]) part.tick();
      hub.metrics.gauge('window', pacer.inFlight);
    }, tickMs);
    const running: Running = { hub, outbound, inbound, pacer, links, ticker };
    for (const command of bindsOf[settings.bind]) links.set(command, this.#link(command, running));
    this.#running = running;
    hub.status('connecting');
    await Promise.all([...links.values()].map((link) => link.start()));
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    if (!this.#running) throw new GatewayError('unavailable', 'not started');
    if (signal.aborted) throw new GatewayError('unavailable', 'given up before it was sent');
    const { outbound } = this.#running;
    if (event.type === 'message') return outbound.message(event, signal);
    if (event.type === 'receipt') return outbound.notice(event, signal);
    throw new GatewayError('unsupported', `SMS cannot carry a ${event.type}`);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    // Nothing new goes out; what is in flight may still be answered.
    running.pacer.detach('stopped');
    const goodbye = Promise.all([...running.links.values()].map((link) => link.stop()));
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, goodbyeMs);
    });
    await Promise.race([goodbye, patience]);
    clearTimeout(timer);
    for (const link of running.links.values()) link.cut();
    clearInterval(running.ticker);
    running.hub.status('down', 'stopped');
  }

  #link(command: BindCommand, running: Running): Link {
    const { hub, pacer, inbound, outbound, links } = running;
    const isSubmitting = command !== 'bind_receiver';
    return new Link(
      command,
      this.#options,
      {
        up: (session: Session) => {
          if (isSubmitting) pacer.attach(session);
          hub.log.info({ command }, 'bound');
          if ([...links.values()].every((link) => link.isUp)) hub.status('up');
        },
        down: (why) => {
          if (isSubmitting) pacer.detach(why);
          hub.status('down', why);
        },
        request: (pdu, frame) => inbound.request(pdu, frame),
        oddity: (what) => hub.log.warn({ command, what }, 'oddity on the wire'),
        late: (response, context) => outbound.late(response, context),
      },
      () => hub.now(),
    );
  }
}

export const adapter: AdapterModule<SmppOptions> = {
  protocol: 'smpp',
  network: 'tel',
  options,
  create: (name, settings) => new Smpp(name, settings),
  diagnose,
};
