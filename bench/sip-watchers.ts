// SIP watchers of XMPP people through a gateway as operators run it, on the embedded store: each subscription is asked of the
// other network, approved there and told; then refreshed; then everybody changes three times at once. Prints figures:
// node bench/sip-watchers.ts [watchers] [T1 in ms]
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { GatewayProcess } from '../test/scenarios/gateway-process.ts';
import { freePorts, temporaryFolder, until } from '../test/servers/process.ts';
import { cpuOf, rssOf } from './child.ts';
import { SipWatchers } from './peers/sip-watchers.ts';
import { XmppPeople } from './peers/xmpp-people.ts';

const watchers = Number(process.argv[2] ?? 1000);
const t1Ms = Number(process.argv[3] ?? 500);
const window = 64;
const patienceMs = 100_000;

const [sipPort = 0] = await freePorts(1);
const people = new XmppPeople();
const phones = new SipWatchers();
await phones.listen();
const folder = temporaryFolder('watchers');
const gateway = await GatewayProcess.prepare(folder.path, settings(await people.listen()));
try {
  await gateway.start();
  const pid = gateway.pid ?? 0;
  await inTurns((each) => phones.subscribe(each, sipPort), 0, 100);
  await until(() => phones.knowing('here') === Math.min(100, watchers), 'the first hundred are told', patienceMs);
  const before = rssOf(pid);
  await phase('subscribed, approved and told', watchers - 100, async () => {
    await inTurns((each) => phones.subscribe(each, sipPort), 100, watchers);
    await until(() => phones.knowing('here') === watchers, 'all are told', patienceMs);
  });
  print(
    `${rssOf(pid)} MB, ${before} MB with a hundred: ${perWatcher(rssOf(pid) - before)} kB a watcher, garbage included`,
  );
  await phase('refreshed, with a NOTIFY', watchers, async () => {
    await inTurns((each) => phones.subscribe(each, sipPort), 0, watchers);
    await until(() => phones.notified >= watchers, 'a NOTIFY each', patienceMs);
  });
  await phase('three changes at once', watchers, async () => {
    for (const note of ['at lunch', 'back', 'in a meeting']) await people.say(note);
    await until(() => phones.knowing('in a meeting') === watchers, 'all know the last', patienceMs);
  });
} finally {
  await gateway.stop();
  people.stop();
  phones.stop();
  folder.remove();
}

async function phase(name: string, count: number, work: () => Promise<void>): Promise<void> {
  phones.forgetCounts();
  const pid = gateway.pid ?? 0;
  const [cpu, start] = [cpuOf(pid), performance.now()];
  await work();
  const seconds = (performance.now() - start) / 1000;
  const used = (cpuOf(pid) - cpu) / count;
  // What was answered too late, or not at all, comes again after T1.
  await pause(t1Ms + 1000);
  const { notified, copies, repeats } = phones;
  print(
    `${name}: ${used.toFixed(0)} us CPU each, ${(count / seconds).toFixed(0)}/s; ` +
      `${notified} NOTIFY, ${copies} sent twice, ${repeats} without news`,
  );
}

/** So many at a time. */
async function inTurns(step: (each: number) => Promise<void>, from: number, to: number): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next < to) await step(next++);
  };
  await Promise.all(Array.from({ length: window }, worker));
}

function perWatcher(megabytes: number): string {
  return ((megabytes * 1000) / (watchers - 100)).toFixed(1);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function settings(xmppPort: number): object {
  const domains = [{ domain: 'sip.bench.example', secret: 'bench', shows: ['sip'] }];
  return {
    data: join(folder.path, 'data'),
    log: { level: 'warn' },
    routes: [
      { to: 'xmpp:*', via: 'jabber' },
      { to: 'sip:*', via: 'phones' },
    ],
    instances: {
      jabber: { protocol: 'xmpp', host: '127.0.0.1', port: xmppPort, domains },
      phones: {
        protocol: 'sip',
        listen: [{ transport: 'udp', host: '127.0.0.1', port: sipPort }],
        domains: [{ domain: 'gw.example', shows: ['xmpp'] }],
        trusted: ['127.0.0.1'],
        t1Ms,
        watchers: { notifyPauseMs: 0 },
      },
    },
  };
}
