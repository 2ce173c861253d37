// `npm run bench:sip`: MESSAGE in and out of the SIP adapter with full transactions, in one run with a canned echo that reads
// nothing (what the sockets cost) and with Kamailio's tm on one child. Processor time counts until the last transaction is
// forgotten, and is that of the process alone: the load is another one, the same for all. Prints a table, asserts nothing.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { missingPeer } from '../test/servers/debian.ts';
import { startKamailio } from '../test/servers/kamailio.ts';
import { cpuOf } from './child.ts';
import { whereTimeGoes } from './profile.ts';

const { values: options } = parseArgs({
  options: {
    /** Of one run. */
    messages: { type: 'string', default: '25000' },
    /** Unanswered at once. */
    window: { type: 'string', default: '64' },
    /** Only rows whose name holds this. */
    only: { type: 'string', default: '' },
    /** A folder for the adapter's profile. */
    profile: { type: 'string' },
  },
});
const count = Number(options.messages);
const window = Number(options.window);
const domain = 'gw.example';
const uri = `sip:alice#%40xmpp.example@${domain}`;
/** Longer than the adapter's timers J and K (bench/peers/sip-adapter.ts), and than Kamailio's wt_timer. */
const lingerMs = { canned: 0, adapter: 3500, kamailio: 6000 };

interface Child {
  process: ChildProcess;
  port: number;
}

interface Figure {
  what: string;
  direction: string;
  perSecond: number;
  /** Microseconds a message. */
  cpu: number;
}

async function start(file: string, args: readonly string[] = [], execArgv: string[] = []): Promise<Child> {
  const child = fork(join(import.meta.dirname, 'peers', file), args, { execArgv });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { process: child, port };
}

/** Has it pour, and resolves when all was answered. */
async function pour({ process: child }: Child, order: object): Promise<number> {
  const signal = AbortSignal.timeout(60_000);
  const startedAt = performance.now();
  child.send(order);
  await once(child, 'message', { signal });
  return performance.now() - startedAt;
}

/** Once to warm up, once to measure. */
async function measure(
  pids: readonly number[],
  what: string,
  direction: string,
  run: () => Promise<number>,
): Promise<Figure> {
  const awake = async () => {
    load.process.send({ isAwake: true });
    const tookMs = await run();
    load.process.send({ isAwake: false });
    await pause(
      what.startsWith('canned') ? lingerMs.canned : what.startsWith('Kam') ? lingerMs.kamailio : lingerMs.adapter,
    );
    return tookMs;
  };
  const used = () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0);
  await awake();
  const before = used();
  const tookMs = await awake();
  const figure = { what, direction, perSecond: (count / tookMs) * 1000, cpu: (used() - before) / count };
  process.stderr.write(`${what}, ${direction}: ${figure.cpu.toFixed(1)} us, ${figure.perSecond.toFixed(0)}/s\n`);
  return figure;
}

const isWanted = (name: string) => name.includes(options.only);
const load = await start('sip-load.ts');
const towards = (to: number) => () => pour(load, { to, count, window, uri });

async function canned(): Promise<Figure[]> {
  const one = await start('sip-load.ts');
  const pids = [one.process.pid ?? 0];
  const figures = [
    await measure(pids, 'canned echo', 'in', towards(one.port)),
    await measure(pids, 'canned echo', 'out', () => pour(one, { to: load.port, count, window, uri })),
  ];
  one.process.disconnect();
  return figures;
}

async function adapter(): Promise<Figure[]> {
  // As bin/dragoman starts the gateway.
  const flags = ['--max-semi-space-size=32'];
  if (options.profile) flags.push('--cpu-prof', `--cpu-prof-dir=${options.profile}`);
  const figures: Figure[] = [];
  const with_ = async (mode: string, run: (child: Child) => Promise<Figure>) => {
    const child = await start('sip-adapter.ts', [String(load.port), mode], flags);
    figures.push(await run(child));
    child.process.disconnect();
    await once(child.process, 'exit');
    if (options.profile) process.stdout.write(`${whereTimeGoes(options.profile)}\n`);
  };
  const ours = 'the SIP adapter';
  const out = (child: Child, wantsReceipts: boolean) => () => pour(child, { count, window, wantsReceipts });
  const pid = ({ process: child }: Child) => [child.pid ?? 0];
  if (isWanted('in')) await with_('', (child) => measure(pid(child), ours, 'in', towards(child.port)));
  if (isWanted('out')) await with_('', (child) => measure(pid(child), ours, 'out', out(child, false)));
  if (isWanted('cpim'))
    await with_('', (child) => measure(pid(child), ours, 'out, with CPIM and IMDN', out(child, true)));
  if (isWanted('relay')) await with_('relay', (child) => measure(pid(child), ours, 'in and out', towards(child.port)));
  return figures;
}

async function kamailio(): Promise<Figure[]> {
  const missing = missingPeer('kamailio');
  if (missing !== undefined) {
    process.stderr.write(`${missing}\n`);
    return [];
  }
  const figures: Figure[] = [];
  for (const [direction, lines] of [
    ['in', 't_newtran(); t_reply("200", "OK"); exit;'],
    ['in and out', `$du = "sip:127.0.0.1:${load.port}"; t_relay(); exit;`],
  ] as const) {
    const server = await startKamailio({
      ...{ domain: 'bench.example', password: 'bench', gateway: { domain, uri: '' } },
      ...{ lines, megabytes: 1024 },
    });
    const pids = [server.process.pid, ...childrenOf(server.process.pid)];
    figures.push(await measure(pids, 'Kamailio, tm, one child', direction, towards(server.port)));
    await server.stop();
  }
  return figures;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

function tableOf(figures: readonly Figure[]): string {
  const neighbour = (direction: string) =>
    figures.find((figure) => figure.what.startsWith('Kamailio') && figure.direction === direction);
  const rows = figures.map(({ what, direction, perSecond, cpu }) => {
    const tm = neighbour(direction);
    const ratio = tm ? `${(cpu / tm.cpu).toFixed(1)}x` : '-';
    return `| ${what} | ${direction} | ${cpu.toFixed(1)} | ${ratio} | ${Math.round(1e6 / cpu)} | ${Math.round(perSecond)} |\n`;
  });
  return `| what | MESSAGE | CPU us | against tm | a core | in this run, a second |\n|---|---|--:|--:|--:|--:|\n${rows.join('')}`;
}

const figures = [
  ...(isWanted('canned') ? await canned() : []),
  ...(await adapter()),
  ...(isWanted('kamailio') ? await kamailio() : []),
];
process.stdout.write(tableOf(figures));
load.process.disconnect();
