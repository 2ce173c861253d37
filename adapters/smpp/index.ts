// The SMPP adapter: an ESME of one carrier. Joins links and flow control to what goes out and what comes in.
import {
  type Adapter,
  type AdapterModule,
  type AdapterStatus,
  type Delivery,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
  type ViewRow,
} from '../../src/contract/index.ts';
import { Fleet } from './binds/fleet.ts';
import { Pacer, type PacerLimits } from './binds/pacer.ts';
import { askOver } from './binds/query.ts';
import { versionName } from './binds/versions.ts';
import type { ResponsePdu } from './codec/index.ts';
import { isSubmitting, options, type SmppOptions } from './config.ts';
import { diagnose } from './diagnose.ts';
import { isThrottling } from './errors.ts';
import { lostWords } from './fates.ts';
import { Inbound } from './inbound.ts';
import { type Conclusion, toReceipt } from './mapping.ts';
import { Outbound } from './outbound.ts';
import { type BookHooks, ReceiptBook } from './receipts/book.ts';
import type { PartRecord } from './receipts/records.ts';
import { Unsure } from './receipts/unsure.ts';
import { Rejoin } from './rejoin.ts';
import { Repeats } from './repeats.ts';
import { follow } from './replay.ts';
import type { Session } from './session.ts';

const tickMs = 50;
const goodbyeMs = 2000;

/** What runs between start and stop. */
interface Running {
  readonly hub: Hub;
  readonly outbound: Outbound;
  readonly pacer: Pacer;
  readonly book: ReceiptBook;
  readonly fleet: Fleet;
  readonly ticker: NodeJS.Timeout;
}

export class Smpp implements Adapter {
  readonly accepts: ReadonlySet<EventType>;
  /** The others are those of a bind, or of what is on its way. */
  readonly reconfigurable: ReadonlySet<keyof SmppOptions> = new Set(['window', 'ratePerSecond', 'throttle']);
  readonly #name: string;
  #options: SmppOptions;
  #running: Running | undefined;
  #isStopped = false;

  constructor(name: string, settings: SmppOptions) {
    this.#name = name;
    this.#options = settings;
    this.accepts = new Set(isSubmitting(settings) ? ['message', 'receipt'] : []);
  }

  readonly views = { binds: () => this.#bindRows(), peers: () => this.#peerRows() };

  /** The carrier as a whole: one that is throttling or gone holds back all its numbers. */
  destination(): string {
    return this.#name;
  }

  async start(hub: Hub): Promise<void> {
    const now = () => hub.now();
    const settings = this.#options;
    const pacer = new Pacer(
      this.#pacerLimits((response, context, host) => outbound.late(response, context, host)),
      now,
    );
    const { book, unsure } = this.#records(hub, pacer);
    const repeats = new Repeats(settings.repeatWindowMs, now);
    const rejoin = new Rejoin(
      hub.state,
      () => settings.rejoinWaitMs,
      (whole) => inbound.handOn(whole),
      now,
    );
    const inbound = new Inbound({ options: settings, rules: this.#rules, hub, book, rejoin, repeats });
    const handler = {
      status: (state: AdapterStatus, why?: string) => hub.status(state, why),
      request: inbound.request.bind(inbound),
      late: (response: ResponsePdu, context: unknown, host: string) => outbound.late(response, context, host),
      trace: hub.trace,
      submitting: (host: string) => book.expect(host),
      lost: (session: Session) => {
        repeats.lost(session);
        book.linkLost(session.host);
      },
    };
    const fleet = new Fleet(settings, { handler, pacer, log: hub.log, now });
    const outbound = new Outbound({ options: settings, hub, pacer, book, unsure, version: () => fleet.version });
    await Promise.all([book.open(), unsure.open(), rejoin.open()]);
    if (this.#isStopped) return;
    const ticker = setInterval(() => {
      for (const part of [fleet, pacer, book, unsure, rejoin]) part.tick();
      hub.metrics.gauge('window', pacer.inFlight);
    }, tickMs);
    this.#running = { hub, outbound, pacer, book, fleet, ticker };
    await fleet.start();
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
    this.#isStopped = true;
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    // Nothing new goes out; what is in flight may still be answered.
    running.pacer.detach('stopped');
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, goodbyeMs);
    });
    await Promise.race([running.fleet.stop(), patience]);
    clearTimeout(timer);
    running.fleet.cut();
    clearInterval(running.ticker);
    running.hub.status('down', 'stopped');
  }

  async reconfigure(settings: SmppOptions): Promise<void> {
    this.#options = settings;
  }

  /** As the options are when they are asked. */
  #pacerLimits(late: PacerLimits['late']): PacerLimits {
    const current = () => this.#options;
    return {
      get window() {
        return current().window;
      },
      get ratePerSecond() {
        return current().ratePerSecond;
      },
      get throttle() {
        return current().throttle;
      },
      isThrottling: (status) => isThrottling(status, current().statusReasons),
      late,
    };
  }

  get #rules() {
    const { defaultCountry, shortCodeContext } = this.#options;
    return { defaultCountry, shortCodeContext: shortCodeContext ?? `${this.#name.toLowerCase()}.invalid` };
  }

  /** What is remembered of messages on their way. */
  #records(hub: Hub, pacer: Pacer): { book: ReceiptBook; unsure: Unsure } {
    const settings = this.#options;
    const now = () => hub.now();
    const conclude = async (conclusion: Conclusion) => void (await hub.publish(toReceipt(conclusion)));
    const ask = askOver(pacer, now);
    const asking: BookHooks = {
      ask,
      lost: (numbers) => unsure.between(numbers),
      found: (messageId, record) => unsure.named(messageId, record),
    };
    const hooks = settings.unknownOutcome === 'query' ? asking : {};
    const book = new ReceiptBook(hub.state, settings, conclude, now, hooks);
    const unsure = new Unsure({
      state: hub.state,
      waitMs: settings.responseTimeoutMs,
      ask,
      isBound: () => pacer.session !== undefined,
      answered: (messageId, record, outcome) => book.answered(messageId, record, outcome),
      unknown: ({ e: event, f: from, t: to }: PartRecord) =>
        conclude({ event, from, to, state: 'unknown', words: lostWords }),
      now,
    });
    return { book, unsure };
  }

  async *#bindRows(): AsyncIterable<ViewRow> {
    const running = this.#running;
    if (!running) return;
    const { flow, inFlight } = running.pacer;
    const common = {
      window: flow.window,
      windowMost: this.#options.window,
      inFlightAll: inFlight,
      ratePerSecond: flow.rate === undefined ? 'no limit' : Math.round(flow.rate),
      latencyMs: flow.latencyMs,
      pressure: flow.pressure(running.hub.now()),
      alphabet0: this.#options.alphabet0,
    };
    for (const [host, row] of running.fleet.rows()) {
      yield { ...row, ...common, idRule: running.book.learnt.row(host).idRule ?? '' };
    }
  }

  /** One row a SMS centre: what was learnt of it, and what was told us of the carrier. */
  async *#peerRows(): AsyncIterable<ViewRow> {
    const running = this.#running;
    if (!running) return;
    const { systemId, alphabet0, concat, unknownOutcome } = this.#options;
    const version = versionName(running.fleet.version);
    const { learnt } = running.book;
    for (const host of new Set([...running.fleet.hosts, ...learnt.hosts])) {
      yield { peer: this.#name, host, systemId, version, ...learnt.row(host), alphabet0, concat, unknownOutcome };
    }
  }
}

export const adapter: AdapterModule<SmppOptions> = {
  protocol: 'smpp',
  network: 'tel',
  options,
  create: (name, settings) => new Smpp(name, settings),
  diagnose,
  replay: follow,
};
