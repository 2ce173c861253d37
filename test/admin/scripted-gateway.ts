// A running gateway as the admin side sees it: what it answers is set by the test, what it was asked is kept.
import { Readable } from 'node:stream';
import type { GatewayView, RouteExplanation, StatusView, ViewOptions } from '../../src/admin/view.ts';
import { GatewayError, type Log, type LogFields, type ViewRow } from '../../src/contract/index.ts';
import type { HopView } from '../../src/hub/trace.ts';
import type { DeadLetter } from '../../src/queue/queue.ts';

export class ScriptedGateway implements GatewayView {
  readonly asked: unknown[][] = [];
  readiness = { ready: true, why: [] as string[] };
  explanation: RouteExplanation = {
    steps: ['tel:+447700900123 is meant', 'rule "tel:*" names carrier (failover)'],
    instances: ['carrier'],
    from: 'tel:+447700900001',
    to: 'tel:+447700900123',
  };
  letters: DeadLetter[] = [
    { id: 'e1', instance: 'carrier', at, reason: 'internal', text: 'codec: \x1b[31mboom', event: { id: 'e1' } },
    { id: 'e2', instance: 'jabber', at, reason: 'malformed', text: 'no type', event: 'rubbish' },
  ];
  hops: HopView[] = [
    { at, instance: 'jabber', direction: 'inbound', what: 'message', wire: '<body>[5 hidden]</body>' },
    { at: '2026-01-02T03:04:05.690Z', instance: 'carrier', direction: 'outbound', what: 'submit_sm', wire: '00ff' },
  ];
  tables: Record<string, ViewRow[]> = {
    peers: [
      { instance: 'jabber', peer: 'example.org', isUp: true },
      { instance: 'carrier', peer: '192.0.2.1:2775', window: 10 },
    ],
    subscriptions: [],
  };
  /** Thrown by every question while set. */
  failure: Error | undefined;

  async status(): Promise<StatusView> {
    this.#note('status');
    const common = { since: at, held: 0, inFlight: 0, breakers: [], views: Object.keys(this.tables) };
    return {
      version: '9.9.9',
      uptimeMs: 3_723_000,
      instances: [
        { ...common, name: 'jabber', protocol: 'xmpp', network: 'xmpp', state: 'up', depth: 3 },
        {
          ...common,
          name: 'carrier',
          protocol: 'smpp',
          network: 'tel',
          state: 'down',
          why: 'connection refused',
          depth: 0,
          breakers: ['example.org'],
        },
      ],
      dead: this.letters.length,
      store: 'ok',
    };
  }

  async ready() {
    this.#note('ready');
    return this.readiness;
  }

  async route(from: string, to: string): Promise<RouteExplanation> {
    this.#note('route', from, to);
    return this.explanation;
  }

  async send(...all: Parameters<GatewayView['send']>): Promise<{ id: string }> {
    this.#note('send', ...all);
    return { id: 'e12345678' };
  }

  async view(topic: string, { limit, instance }: ViewOptions): Promise<ViewRow[]> {
    this.#note('view', topic, limit, instance);
    const rows = this.tables[topic];
    if (!rows) throw new GatewayError('not-found', `there is no table "${topic}"; there are: peers, subscriptions`);
    return rows.filter((row) => instance === undefined || row.instance === instance).slice(0, limit);
  }

  trace(id: string, showBodies: boolean) {
    this.#note('trace', id, showBodies);
    return id === 'e12345678' ? { id, hops: this.hops } : undefined;
  }

  traces(limit: number): string[] {
    this.#note('traces', limit);
    return ['e12345678'];
  }

  capture(...all: Parameters<GatewayView['capture']>): Readable {
    this.#note('capture', ...all);
    return Readable.from([Buffer.from('a capture file')]);
  }

  readonly dead: GatewayView['dead'] = {
    list: async (limit, instance) => {
      this.#note('list', limit, instance);
      return this.letters.filter((letter) => instance === undefined || letter.instance === instance);
    },
    get: async (id) => this.letters.find((letter) => letter.id === id),
    replay: async (id) => this.#remove('replay', id),
    discard: async (id) => this.#remove('discard', id),
  };

  async reload(): Promise<string[]> {
    return [];
  }

  #remove(what: string, id: string): boolean {
    this.#note(what, id);
    const before = this.letters.length;
    this.letters = this.letters.filter((letter) => letter.id !== id);
    return this.letters.length < before;
  }

  #note(...question: unknown[]): void {
    this.asked.push(question);
    if (this.failure) throw this.failure;
  }
}

const at = '2026-01-02T03:04:05.678Z';

export function keptLog(): Log & { lines: Array<{ fields: LogFields; message: string }> } {
  const lines: Array<{ fields: LogFields; message: string }> = [];
  const keep = (fields: LogFields, message: string) => void lines.push({ fields, message });
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}
