// SIP watchers: memory and CPU of live subscriptions, of refreshes and of NOTIFY, a presence storm, and a restart, on the
// embedded store. The watchers' phones are a process of their own. Prints figures, asserts nothing:
// node --expose-gc bench/sip-subscriptions.ts [subscriptions]
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { decodeMessage } from '../adapters/sip/codec/message.ts';
import { options } from '../adapters/sip/config.ts';
import { Notifier } from '../adapters/sip/presence/notifier/notifier.ts';
import { PresencePackage } from '../adapters/sip/presence/notifier/presence-package.ts';
import { Session } from '../adapters/sip/session.ts';
import { sessionOptions } from '../adapters/sip/session-options.ts';
import { type EventOf, type Hub, parseAddress, type State } from '../src/contract/index.ts';
import { openSqlite, SqliteState } from '../src/state/sqlite.ts';

const subscriptions = Number(process.argv[2] ?? 100_000);
const watchersEach = 10;
/** As many as come in one turn through a socket (libuv). */
const stepsATurn = 32;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Site {
  notifier: Notifier;
  watched: PresencePackage;
  session: Session;
  phonesPort: number;
}

if (process.send) await phones();
else await bench();

async function bench(): Promise<void> {
  const far: ChildProcess = fork(import.meta.filename);
  const [phonesPort] = (await once(far, 'message')) as [number];
  const folder = mkdtempSync(join(tmpdir(), 'dragoman-bench-'));
  const store = new SqliteState(openSqlite(folder));
  const state = store.namespace('bench');
  const tags: string[] = [];
  const site = await open(phonesPort, state);
  const tenth = Math.floor(subscriptions / 10);
  await phase('subscribe, the first tenth', far, range(0, tenth), (each) => subscribe(site, each, tags));
  await phase('refresh with a tenth live', far, range(0, tenth), (each) => subscribe(site, each, tags));
  await pause(3000);
  const before = liveBytes();
  await phase('subscribe, all others', far, range(tenth, subscriptions), (each) => subscribe(site, each, tags));
  await phase('first state of each', far, range(tenth, subscriptions), (each) => tell(site, each, 'at my desk'));
  await pause(3000);
  const bytes = (liveBytes() - before) / (subscriptions - tenth);
  print(`${subscriptions} live: ${bytes.toFixed(0)} bytes each, with what the watcher knows`);
  await phase('refresh with all live', far, range(0, tenth), (each) => subscribe(site, each, tags));
  await phase(
    `storm: ${subscriptions / watchersEach} people change three times each`,
    far,
    range(0, subscriptions),
    async (each) => {
      for (const note of ['at lunch', 'back', 'in a meeting']) await tell(site, each, note);
    },
  );
  site.notifier.stop();
  await site.session.stop();
  await restart(phonesPort, state);
  far.kill();
  await store.close();
  rmSync(folder, { recursive: true });
}

/** Each step ends in one NOTIFY: the phase is over when so many were answered. */
async function phase(
  name: string,
  far: ChildProcess,
  steps: Iterable<number>,
  step: (each: number) => Promise<void>,
): Promise<void> {
  const all = [...steps];
  far.send(all.length);
  const finished = once(far, 'message');
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let first = 0; first < all.length; first += stepsATurn) {
    await Promise.all(all.slice(first, first + stepsATurn).map(step));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const stepsMs = performance.now() - start;
  const [copies] = (await finished) as [number];
  const { user, system } = process.cpuUsage(cpu);
  const tookMs = performance.now() - start;
  print(
    `${name}: ${((user + system) / all.length).toFixed(1)} us CPU each, ${Math.round((all.length / tookMs) * 1000)}/s` +
      `, taken in after ${(stepsMs / 1000).toFixed(1)} s, told after ${(tookMs / 1000).toFixed(1)} s, ${copies} sent twice`,
  );
}

async function open(phonesPort: number, state: State): Promise<Site> {
  const settings = options.parse({
    listen: [{ transport: 'udp', port: 0 }],
    t4Ms: 500,
    watchers: { notifyPauseMs: 0 },
  });
  const now = () => performance.now();
  const user = { onRequest: () => {}, onClosed: () => {}, onBroken: () => {}, count: () => {} };
  const session = new Session(sessionOptions(settings, now), user, now);
  const shown = [{ domain: 'gw.example', shows: ['xmpp' as const] }];
  const domains = new Set(['gw.example']);
  const { wheel, transports, requester } = session;
  const hub = hubOf(state);
  const notifier = new Notifier(
    { ...settings, ...settings.watchers, domains, nativeDomains: new Set() },
    { hub, wheel, transports, requester },
  );
  const expires = { least: 60, usual: 3600, most: 3600 };
  const watched = new PresencePackage({ domains: shown, pauseMs: 0, expires }, { hub, notifications: notifier });
  notifier.add(watched);
  await notifier.start();
  await session.listen();
  return { notifier, watched, session, phonesPort };
}

/** Ten watchers to one presentity, each let in long ago. A tag that is known makes it a refresh. */
async function subscribe({ notifier, session, phonesPort }: Site, each: number, tags: string[]): Promise<void> {
  const { watcher, presentity } = peopleOf(each);
  const tag = tags[each];
  const text = [
    `SUBSCRIBE ${presentity} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${phonesPort};branch=z9hG4bKbench${each}.${tag ?? ''};rport`,
    'Max-Forwards: 70',
    `From: "Watcher ${each}" <${watcher}>;tag=f${each}`,
    `To: <${presentity}>${tag === undefined ? '' : `;tag=${tag}`}`,
    `Call-ID: bench-${each}-0123456789abcdef@127.0.0.1`,
    `CSeq: ${Math.floor(performance.now() * 1000)} SUBSCRIBE`,
    `Contact: <sip:w${each}@127.0.0.1:${phonesPort}>`,
    'Event: presence',
    'Accept: application/pidf+xml',
    'Expires: 3600',
    'User-Agent: a phone of some maker, version 1.2.3',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
  const request = decodeMessage(Buffer.from(text));
  if (request.kind !== 'request') throw new Error('no request');
  const flow = await session.transports.flowTo({
    ...{ transport: 'UDP', address: '127.0.0.1', port: phonesPort, name: '127.0.0.1' },
  });
  const answer = await notifier.handle({ request, flow, isTrusted: true });
  if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
  tags[each] = answer.toTag ?? '';
  answer.afterwards?.();
}

async function tell({ watched }: Site, each: number, note: string): Promise<void> {
  const { watcher, presentity } = peopleOf(each);
  const [from, to] = [parseAddress(`${presentity};gr=desktop`), parseAddress(watcher)];
  const at = new Date().toISOString();
  const event: EventOf<'presence'> = {
    ...{ v: 1, id: `e${each}`, origin: 'bench', trace: `e${each}`, at, from, to, source: { from, to } },
    ...{ conversation: 'c', hops: 1, type: 'presence', availability: 'away', notes: { en: note }, priority: 5 },
  };
  watched.hear(JSON.parse(JSON.stringify(event)) as EventOf<'presence'>);
}

async function restart(phonesPort: number, state: State): Promise<void> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { notifier, session } = await open(phonesPort, state);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - start) / 1000;
  print(
    `restart: ${subscriptions} read in ${seconds.toFixed(1)} s, ${((user + system) / subscriptions).toFixed(1)} us CPU each`,
  );
  notifier.stop();
  await session.stop();
}

function peopleOf(each: number): { watcher: string; presentity: string } {
  const presentity = `sip:person${Math.floor(each / watchersEach)}%40xmpp.example@gw.example`;
  return { watcher: `sip:w${each}@other.example`, presentity };
}

/** Everybody may watch everybody. */
function hubOf(state: State): Hub {
  const permitting: State = Object.create(state, {
    get: { value: async (key: string) => (key.startsWith('permission/') ? '1' : state.get(key)) },
    set: { value: (key: string, value: string, ttlMs?: number) => state.set(key, value, ttlMs) },
    delete: { value: (key: string) => state.delete(key) },
    scan: { value: (prefix: string) => state.scan(prefix) },
  });
  return {
    ...{ instance: 'bench', state: permitting, log: silent, trace: { hop: () => {} }, status: () => {} },
    metrics: { count: () => {}, gauge: () => {}, observe: () => {} },
    publish: async () => ({ id: 'e1', isRepeat: false }),
    withdraw: async () => false,
    reachable: () => {},
    people: { enter: async () => {}, remove: async () => {} },
    now: () => Date.now(),
  };
}

function range(first: number, end: number): Iterable<number> {
  return Array.from({ length: end - first }, (_, index) => first + index);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Exact only with --expose-gc. */
function liveBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Answers each NOTIFY with 200, and says when as many as it was told of have come, and how many copies. */
async function phones(): Promise<void> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let seen = new Set<string>();
  let goal = Number.POSITIVE_INFINITY;
  let copies = 0;
  socket.on('message', (bytes, { port, address }) => {
    const head = bytes.toString('latin1').split('\r\n\r\n')[0] ?? '';
    const copied = head.match(/^(?:Via|From|To|Call-ID|CSeq):.*$/gm)?.join('\r\n') ?? '';
    socket.send(`SIP/2.0 200 OK\r\n${copied}\r\nContent-Length: 0\r\n\r\n`, port, address);
    const branch = /branch=([^;\r]+)/.exec(head)?.[1] ?? '';
    if (seen.has(branch)) copies++;
    else seen.add(branch);
    if (seen.size !== goal) return;
    goal = Number.POSITIVE_INFINITY;
    process.send?.(copies);
  });
  process.on('message', (count: number) => {
    seen = new Set();
    copies = 0;
    goal = count;
  });
  process.send?.(socket.address().port);
}
