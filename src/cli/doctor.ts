// `dragoman doctor`: connects to every peer as configured, says what it finds and what to do about it.
import type { Command } from 'commander';
import type { StatusView } from '../admin/view.ts';
import { type Config, loadConfig } from '../config/config.ts';
import type { Finding, Log } from '../contract/index.ts';
import { loadAdapter } from '../loader.ts';
import { redact } from '../secrets.ts';
import { openStores } from '../stores.ts';
import { AdminClient } from './client.ts';
import { exitCodes } from './exit-codes.ts';
import { printable } from './printable.ts';

const patienceMs = 15_000;
const marks = { ok: '✔', warning: '!', failed: '✘' } as const;

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('connect to every peer and say what is wrong, with the lines to add')
    .option('--json', 'findings as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const findings = await examine(program.opts<{ config: string }>().config, json ? undefined : print);
      if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
      if (findings.some(({ state }) => state === 'failed')) process.exitCode = exitCodes.failed;
    });
}

type Found = Finding & { instance: string };

async function examine(file: string, tell: ((found: Found) => void) | undefined): Promise<Found[]> {
  const config = await loadConfig(file, loadAdapter);
  const findings: Found[] = [];
  const note = (raw: Found) => {
    const found = { ...raw, what: redact(raw.what, config.secrets) };
    findings.push(found);
    tell?.(found);
  };
  note({ instance: 'configuration', state: 'ok', what: `${file} is right` });
  for await (const finding of examineStore(config, file)) note({ instance: 'store', ...finding });
  for (const { name: instance, module, options } of config.instances) {
    if (!module.diagnose) {
      note({ instance, state: 'ok', what: `${module.protocol} has nothing to look at` });
      continue;
    }
    try {
      for await (const finding of module.diagnose(options, AbortSignal.timeout(patienceMs)))
        note({ instance, ...finding });
    } catch (error) {
      note({ instance, state: 'failed', what: error instanceof Error ? error.message : String(error) });
    }
  }
  return findings;
}

async function* examineStore(config: Config, file: string): AsyncIterable<Finding> {
  const where = config.redis ? 'Redis' : `the embedded store in ${config.data}`;
  const warnings: Finding[] = [];
  const warn: Log['warn'] = ({ advice }, what) =>
    void warnings.push({ state: 'warning', what, ...(typeof advice === 'string' ? { advice } : {}) });
  try {
    const stores = await openStores(config, { ...silent, warn });
    await stores.state.ping();
    await stores.close();
    yield { state: 'ok', what: `${where} answers` };
  } catch (error) {
    if (!config.redis && (await isHeldByGateway(file))) {
      yield { state: 'ok', what: `${where} serves the gateway that runs with this configuration` };
      return;
    }
    const advice = config.redis
      ? 'is it running, and are address, user and password right?'
      : 'may this user write there? One process has it for itself: is there another gateway on the same folder?';
    yield { state: 'failed', what: error instanceof Error ? error.message : String(error), advice };
  }
  yield* warnings;
}

async function isHeldByGateway(config: string): Promise<boolean> {
  try {
    return (await new AdminClient({ config }).get<StatusView>('/api/status')).store === 'ok';
  } catch {
    return false;
  }
}

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function print({ instance, state, what, advice }: Found): void {
  process.stdout.write(`${marks[state]} ${instance}: ${printable(what)}\n`);
  if (advice === undefined) return;
  process.stdout.write(`${printable(advice).trimEnd().replace(/^/gm, '    ')}\n`);
}
