// All binds of one account: how many, to which hosts, whether enough of them are up, and what operators see of them.
import type { AdapterStatus, Log, ViewRow } from '../../../src/contract/index.ts';
import type { RequestPdu } from '../codec/index.ts';
import { bindsOf, endpointsOf, type SmppOptions } from '../config.ts';
import type { Answer } from '../exchange.ts';
import type { Session } from '../session.ts';
import type { Smsc } from './dial.ts';
import { Link, type LinkHandler } from './link.ts';
import { OutbindListener } from './outbind.ts';
import type { Pacer } from './pacer.ts';
import { versionName } from './versions.ts';

export interface FleetHandler extends Pick<LinkHandler, 'late' | 'trace'> {
  request(pdu: RequestPdu, frame: Buffer, session: Session): Promise<Answer> | Answer;
  status(state: AdapterStatus, why?: string): void;
  /** A bind to that SMS centre takes submits. */
  submitting(host: string): void;
  /** A bound session is gone. */
  lost(session: Session): void;
}

export class Fleet {
  readonly #options: SmppOptions;
  readonly #handler: FleetHandler;
  readonly #pacer: Pacer;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #links: Link[];
  readonly #outbind: OutbindListener | undefined;
  /** What the SMSCs of the binds that are up said of themselves. */
  readonly #smscs = new Map<Session, Smsc>();

  constructor(options: SmppOptions, parts: { handler: FleetHandler; pacer: Pacer; log: Log; now: () => number }) {
    this.#options = options;
    this.#handler = parts.handler;
    this.#pacer = parts.pacer;
    this.#log = parts.log;
    this.#now = parts.now;
    this.#links = this.#build();
    const { outbind } = options;
    if (outbind) this.#outbind = new OutbindListener(options, outbind, this.#handlerOf(outbind.bind), this.#now);
  }

  /** The version that every bind which submits can take. */
  get version(): number {
    return Math.min(this.#options.interfaceVersion, ...[...this.#smscs.values()].map(({ version }) => version));
  }

  /** Resolves after a first attempt of each; rejects when the outbind listener cannot listen. */
  async start(): Promise<void> {
    await this.#outbind?.start();
    this.#handler.status('connecting');
    await Promise.all(this.#links.map((link) => link.start()));
    if (this.#links.length === 0) this.#handler.status('up');
  }

  /** Called a few times a second. */
  tick(): void {
    for (const link of this.#links) link.tick();
    this.#outbind?.tick();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links, ...(this.#outbind ? [this.#outbind] : [])].map((part) => part.stop()));
  }

  cut(): void {
    for (const link of this.#links) link.cut();
    this.#outbind?.cut();
  }

  /** The SMS centres that are configured, or here by outbind. */
  get hosts(): string[] {
    const configured = this.#links.length === 0 ? [] : endpointsOf(this.#options);
    const here = [...this.#smscs.keys()].map(({ host }) => host);
    return [...new Set([...configured.map(({ host, port }) => `${host}:${port}`), ...here])];
  }

  /** One row a bind, and the SMS centre that it goes to. */
  *rows(): Iterable<[host: string, row: ViewRow]> {
    for (const [at, link] of this.#links.entries()) {
      const bind = this.#nameOf(link.command, at);
      yield [link.host, { bind, state: link.state, host: link.host, ...this.#sessionRow(link.session) }];
    }
    for (const { session, ip, host } of this.#outbind?.bound ?? []) {
      const bind = `${this.#outbind?.command} by outbind`;
      yield [ip, { bind, state: 'bound', host, ...this.#sessionRow(session) }];
    }
  }

  #sessionRow(session: Session | undefined): ViewRow {
    const smsc = session && this.#smscs.get(session);
    if (!session || !smsc) return { smsc: '', version: '', inFlight: 0, lastStatus: '' };
    const { inFlight, lastStatus } = this.#pacer.loadOf(session);
    return { smsc: smsc.systemId, version: versionName(smsc.version), inFlight, lastStatus };
  }

  #build(): Link[] {
    const options = this.#options;
    const hosts = endpointsOf(options);
    return bindsOf[options.bind].flatMap((command) =>
      Array.from({ length: options.binds }, (_, at) => {
        const home = options.hostUse === 'share' ? at % hosts.length : 0;
        return new Link(command, options, hosts, home, this.#handlerOf(command, this.#nameOf(command, at)), this.#now);
      }),
    );
  }

  #nameOf(command: string, at: number): string {
    return `${command} ${(at % this.#options.binds) + 1}`;
  }

  #handlerOf(kind: string, bind = `${kind} by outbind`): LinkHandler {
    const submits = !kind.endsWith('receiver');
    return {
      up: (session, smsc) => {
        session.bind = bind;
        this.#smscs.set(session, smsc);
        if (submits) this.#handler.submitting(session.host);
        if (submits) this.#pacer.attach(session);
        this.#log.info({ kind, smsc: smsc.systemId, version: versionName(smsc.version) }, 'bound');
        if (this.#isEnough) this.#handler.status('up');
      },
      down: (why, session) => {
        if (session) this.#gone(session, why, submits);
        if (this.#isEnough) this.#log.warn({ kind, why }, 'a bind is down, others are up');
        else this.#handler.status('down', why);
      },
      request: (pdu, frame, session) => this.#handler.request(pdu, frame, session),
      oddity: (what) => this.#log.warn({ kind, what }, 'oddity on the wire'),
      late: (response, context, host) => this.#handler.late(response, context, host),
      trace: this.#handler.trace,
    };
  }

  #gone(session: Session, why: string, submits: boolean): void {
    this.#smscs.delete(session);
    if (submits) this.#pacer.detach(why, session);
    this.#handler.lost(session);
  }

  /** Of each kind of bind one is up; what comes by outbind is up to the SMSC. */
  get #isEnough(): boolean {
    return bindsOf[this.#options.bind].every((command) =>
      this.#links.some((link) => link.command === command && link.isUp),
    );
  }
}
