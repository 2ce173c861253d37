// The server side of SMPP: an SMS centre that ESMEs bind to. Joins the door and its connections to what goes in and out.
import type { Socket } from 'node:net';
import {
  type Adapter,
  type AdapterModule,
  type Delivery,
  type EventType,
  GatewayError,
  type GatewayEvent,
  type Hub,
  type ViewRow,
} from '../../../src/contract/index.ts';
import type { NumberTable } from '../../../src/formats/number-table.ts';
import { Guesses } from '../../../src/guards/guesses.ts';
import { versionName } from '../binds/versions.ts';
import { follow } from '../replay.ts';
import { type Account, Accounts, ownersOf } from './account.ts';
import { Agenda } from './agenda.ts';
import { options, type ServerOptions } from './config.ts';
import { Connection, type ConnectionParts, type Origin } from './connection.ts';
import { diagnose } from './diagnose.ts';
import { Door } from './door.ts';
import { Intake, readNativeId } from './intake.ts';
import { Ledger } from './ledger.ts';
import { Outbinder } from './outbind.ts';
import { Outbound } from './outbound.ts';
import { Owed } from './owed.ts';
import { Requests } from './requests.ts';
import { Revisions } from './revisions.ts';
import { Transactions } from './transactions.ts';

const tickMs = 50;
const goodbyeMs = 2000;

interface Running {
  readonly hub: Hub;
  readonly door: Door;
  readonly accounts: Accounts;
  readonly outbound: Outbound;
  readonly outbinder: Outbinder;
  readonly connections: Set<Connection>;
  readonly ticker: NodeJS.Timeout;
}

export class SmppServer implements Adapter {
  readonly accepts: ReadonlySet<EventType> = new Set(['message', 'receipt']);
  /** Not a listener, a phone-context, or how long something is kept. */
  readonly reconfigurable: ReadonlySet<keyof ServerOptions> = new Set([
    'accounts',
    'systemId',
    'bindTimeoutMs',
    'responseTimeoutMs',
    'enquireLinkMs',
    'idleMs',
    'transactionWaitMs',
    'maxConnections',
    'maxConnectionsPerSource',
    'maxUnboundBytes',
    'listen',
    'logins',
    'recordMs',
    'rejoinWaitMs',
  ]);
  readonly views = { binds: () => this.#binds() };
  #options: ServerOptions;
  readonly #context: string;
  #owners: NumberTable<string>;
  /** Of each listener, once started: where a test that asked for port 0 finds it. */
  ports: number[] = [];
  #opening: Promise<Running> | undefined;
  #running: Running | undefined;
  #isStopped = false;

  constructor(name: string, settings: ServerOptions) {
    this.#options = settings;
    this.#context = settings.shortCodeContext ?? `${name.toLowerCase()}.invalid`;
    this.#owners = ownersOf(settings.accounts);
  }

  /** The account: one whose ESME is away or slow holds back its own messages. */
  destination(event: GatewayEvent): string {
    if (event.type === 'receipt') return readNativeId(event.of)?.account ?? '';
    return this.#owners.find(event.to) ?? '';
  }

  async start(hub: Hub): Promise<void> {
    this.#opening = this.#open(hub);
    const running = await this.#opening;
    if (this.#isStopped) return clearInterval(running.ticker);
    this.#running = running;
    hub.status('connecting');
    try {
      this.ports = await running.door.open(this.#options.listen);
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#isStopped) return running.door.close();
    hub.status('up');
  }

  async #open(hub: Hub): Promise<Running> {
    const now = () => hub.now();
    const current = () => this.#options;
    const accounts = new Accounts(this.#options.accounts, this.#context, now);
    const connections = new Set<Connection>();
    const accept = (socket: Socket, origin: Origin) => {
      const connection = new Connection(socket, origin, parts);
      connections.add(connection);
      return connection;
    };
    const outbinder = new Outbinder({ options: current, accept, log: hub.log, now });
    const { outbound, requests, ticking, opened } = this.#services(hub, accounts, outbinder);
    await opened;
    const guesses = new Guesses(() => this.#options.logins, now);
    const parts = connectionParts({ hub, options: current, accounts, guesses, connections, requests, outbinder });
    const door = new Door(current, {
      isBlocked: (ip) => guesses.pauseMs(ip) > 0,
      turnedAway: (ip, why) => {
        hub.metrics.count('connections_refused_total', { why });
        hub.log.debug({ ip, why }, 'turned away');
      },
      arrived: (socket, origin) => void accept(socket, origin),
    });
    const ticker = setInterval(() => {
      for (const part of [...connections, ...ticking]) part.tick();
    }, tickMs);
    return { hub, door, accounts, outbound, outbinder, connections, ticker };
  }

  /** What goes in and out, whoever brings it. */
  #services(hub: Hub, accounts: Accounts, outbinder: Outbinder) {
    const now = () => hub.now();
    const recordMs = () => this.#options.recordMs;
    const rejoinWaitMs = () => this.#options.rejoinWaitMs;
    const ledger = new Ledger(hub.state, recordMs);
    const agenda = new Agenda(hub.state, now);
    const transactions = new Transactions(now);
    const wake = (account: Account) => outbinder.wake(account);
    const served = (name: string) => outbinder.served(name);
    const outbound = new Outbound({ hub, accounts, ledger, transactions, wake, served });
    const owed = new Owed(hub.state, accounts, recordMs, outbound.tell.bind(outbound), now);
    const intake = new Intake({ hub, accounts, ledger, agenda, owed, rejoinWaitMs });
    const revisions = new Revisions({ hub, ledger, agenda });
    const transactionWaitMs = () => this.#options.transactionWaitMs;
    const requests = new Requests({ hub, ledger, intake, revisions, transactions, transactionWaitMs });
    const opened = Promise.all([agenda.open(), owed.open(), intake.rejoin.open()]);
    return { outbound, requests, ticking: [intake.rejoin, agenda, owed, transactions], opened };
  }

  async reconfigure(settings: ServerOptions): Promise<void> {
    const running = await this.#opening;
    const adopt = running?.accounts.prepare(settings.accounts);
    if (running) this.ports = await running.door.open(settings.listen);
    adopt?.();
    this.#options = settings;
    this.#owners = ownersOf(settings.accounts);
  }

  async deliver(event: GatewayEvent, signal: AbortSignal): Promise<Delivery> {
    if (!this.#running) throw new GatewayError('unavailable', 'not started');
    if (signal.aborted) throw new GatewayError('unavailable', 'given up before it was sent');
    const { outbound } = this.#running;
    if (event.type === 'message') return outbound.message(event, signal);
    if (event.type === 'receipt') return outbound.receipt(event, signal);
    throw new GatewayError('unsupported', `SMS cannot carry a ${event.type}`);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    running.door.close();
    const goodbye = Promise.all([...running.connections].map((connection) => connection.unbind()));
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, goodbyeMs);
    });
    await Promise.race([goodbye, patience]);
    clearTimeout(timer);
    clearInterval(running.ticker);
    running.door.cut();
    running.outbinder.cut();
    running.hub.status('down', 'stopped');
  }

  async *#binds(): AsyncIterable<ViewRow> {
    const running = this.#running;
    for (const bind of running?.connections ?? []) {
      const { account, kind = '', origin } = bind;
      if (!account) continue;
      yield {
        account: account.name,
        bind: origin.calledFor === undefined ? kind : `${kind} by outbind`,
        version: versionName(bind.version),
        ip: origin.ip,
        tls: origin.isSecure,
        since: new Date(bind.boundAt).toISOString(),
        window: account.options.window,
        waiting: bind.inFlight,
        ratePerSecond: account.options.ratePerSecond ?? 'no limit',
        submitted: bind.submitted,
        delivered: bind.delivered,
        throttled: bind.throttled,
      };
    }
  }
}

interface Joined {
  readonly hub: Hub;
  readonly options: () => ServerOptions;
  readonly accounts: Accounts;
  readonly guesses: Guesses;
  readonly connections: Set<Connection>;
  readonly requests: Requests;
  readonly outbinder: Outbinder;
}

function connectionParts({
  hub,
  options: current,
  accounts,
  guesses,
  connections,
  requests,
  outbinder,
}: Joined): ConnectionParts {
  const { log, metrics } = hub;
  const countBinds = () => {
    let binds = 0;
    for (const account of accounts.all()) binds += account.binds.size;
    metrics.gauge('esme_binds', binds);
  };
  return {
    get options() {
      return current();
    },
    accounts,
    guesses,
    serve: (connection, pdu, frame) => requests.serve(connection, pdu, frame),
    bound: ({ account, kind, origin, version }) => {
      metrics.count('logins_total', { result: 'ok' });
      log.info(
        { account: account?.name, kind, ip: origin.ip, tls: origin.isSecure, version: versionName(version) },
        'an ESME bound',
      );
      if (origin.calledFor !== undefined) outbinder.bound(origin.calledFor);
      countBinds();
    },
    refused: ({ origin }, systemId, why) => {
      metrics.count('logins_total', { result: 'refused' });
      log.warn({ systemId, ip: origin.ip, why }, 'a bind was refused');
    },
    closed: (connection, why) => {
      connections.delete(connection);
      if (!connection.account) return;
      log.info(
        { account: connection.account.name, kind: connection.kind, ip: connection.origin.ip, why },
        'a bind ended',
      );
      countBinds();
    },
    oddity: ({ account, origin }, what) => {
      metrics.count('oddities_total');
      log.info({ account: account?.name, ip: origin.ip, what }, 'oddity on the wire');
    },
    trace: hub.trace,
    now: () => hub.now(),
  };
}

export const adapter: AdapterModule<ServerOptions> = {
  protocol: 'smpp/server',
  network: 'tel',
  isSwitch: true,
  options,
  create: (name, settings) => new SmppServer(name, settings),
  diagnose,
  replay: follow,
};
