// `npm run demo`: starts a whole site, lets three people write to each other in all six directions, and leaves it running to
// play with. `-- --once` ends with 0 when everything arrived and was confirmed, 1 otherwise, 2 when servers are missing.
import { parseArgs } from 'node:util';
import { ladder } from '../src/cli/ladder.ts';
import { table } from '../src/cli/table.ts';
import type { TraceView } from '../src/hub/trace.ts';
import { directions, type Exchange, exchange } from './conversation.ts';
import { play } from './prompt.ts';
import { bad, bold, bubble, duration, faint, good, hasColour, heading, say } from './screen.ts';
import { ServersMissing } from './servers.ts';
import { type Site, Stage } from './site.ts';

const help = `npm run demo [-- --once] [--embedded] [--wire]
  --once       end after the demonstration; exit code 0 when all six directions and their receipts were right
  --embedded   keep the queue in SQLite and need no Redis
  --wire       show the bytes of every hop under its rung
`;

interface Shown {
  message: Exchange;
  reply: Exchange;
}

async function main(): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const options = { once: flag, embedded: flag, wire: flag, help: flag };
  const { once, embedded, wire, help: wantsHelp } = parseArgs({ options }).values;
  if (wantsHelp) {
    say(help);
    return 0;
  }
  const stage = new Stage();
  const end = (code: number) => stage.stop().then(() => process.exit(code));
  process.once('SIGINT', () => end(130));
  process.once('SIGTERM', () => end(143));
  // A library that throws out of its own event must not leave servers behind.
  process.once('uncaughtException', (error) => {
    say(bad(error.stack ?? error.message));
    void end(1);
  });
  try {
    const startedAt = performance.now();
    heading('Dragoman: one conversation, three networks');
    const site = await stage.start({ embedded });
    const shown = await demonstrate(site, wire);
    summarize(shown, performance.now() - startedAt);
    if (!once) await stay(site);
    return shown.every(({ message, reply }) => message.faults.length + reply.faults.length === 0) ? 0 : 1;
  } finally {
    await stage.stop();
  }
}

async function demonstrate(site: Site, wire: boolean): Promise<Shown[]> {
  const shown: Shown[] = [];
  for (const { from, to, text, reply } of directions) {
    const { people } = site;
    heading(`${shown.length + 1}/6  ${people[from].network} → ${people[to].network}`);
    const known = new Set(await traces(site));
    const message = await exchange(people, from, to, text);
    const trace = (await traces(site)).find((id) => !known.has(id));
    if (trace === undefined) message.faults.push('left no trace');
    bubble(message);
    if (trace !== undefined) say(`\n${(await story(site, trace, wire)).replace(/^/gm, '  ').trimEnd()}\n`);
    const answer = await exchange(people, to, from, reply, message.heard?.from);
    bubble(answer);
    shown.push({ message, reply: answer });
  }
  return shown;
}

function summarize(shown: readonly Shown[], tookMs: number): void {
  heading('All six directions');
  const rows = shown.flatMap(({ message, reply }) => [message, reply]).map(row);
  say(
    table(['', 'direction', 'arrives', 'confirmed', 'receipts', 'what is wrong'], rows).trimEnd().replace(/^/gm, '  '),
  );
  const wrong = rows.filter(([mark]) => mark !== '✔').length;
  const verdict =
    wrong === 0 ? good('everything arrived and was confirmed') : bad(`${wrong} of ${rows.length} went wrong`);
  say(`\n  ${verdict}, ${duration(tookMs)} from the first line to this one`);
}

function row({ from, to, deliveredMs, confirmedMs, receipts, faults }: Exchange): string[] {
  const time = (ms: number | undefined) => (ms === undefined ? '-' : duration(ms));
  const mark = faults.length === 0 ? '✔' : '✘';
  return [mark, `${from} → ${to}`, time(deliveredMs), time(confirmedMs), receipts.join(', ') || '-', faults.join('; ')];
}

async function stay(site: Site): Promise<void> {
  const { people, adminUrl, configFile, logFile } = site;
  heading('It keeps running');
  const command = `node_modules/.bin/node src/cli/main.ts --config ${configFile}`;
  say(`  console   ${bold(adminUrl)}`);
  say(`  commands  ${command} status`);
  say(faint(`            ... trace <id> --bodies · route <from> <to> · dead list · doctor`));
  say(`  log       tail -f ${logFile}`);
  say(`  Ctrl-C stops everything.\n`);
  await play(people, async () => {
    const [last] = await traces(site);
    return last === undefined ? 'nothing was said yet' : story(site, last, false);
  });
}

async function traces({ adminUrl }: Site): Promise<string[]> {
  return (await (await fetch(`${adminUrl}/api/traces?limit=1000`)).json()) as string[];
}

async function story({ adminUrl }: Site, id: string, wire: boolean): Promise<string> {
  const trace = (await (await fetch(`${adminUrl}/api/trace/${id}?bodies=true`)).json()) as TraceView;
  return ladder(trace, { wire, colour: hasColour });
}

try {
  process.exitCode = await main();
} catch (error) {
  say(bad(error instanceof Error ? error.message : String(error)));
  const isWrongUse = error instanceof TypeError && 'code' in error && `${error.code}`.startsWith('ERR_PARSE_ARGS');
  process.exitCode = isWrongUse || error instanceof ServersMissing ? 2 : 1;
}
