// `dragoman start`: runs the gateway until it is told to stop.
import type { Command } from 'commander';
import { serveAdmin } from '../admin/server.ts';
import { type Config, ConfigError, loadConfig } from '../config/config.ts';
import { Gateway } from '../gateway.ts';
import { loadAdapter } from '../loader.ts';
import { openLog, type RootLog } from '../log.ts';
import { MetricsRegistry } from '../metrics.ts';
import { version } from '../version.ts';
import { CommandError, exitCodes } from './exit-codes.ts';

export function addStart(program: Command): void {
  program
    .command('start')
    .description('run the gateway; SIGHUP reloads routes, people, accounts and limits, SIGTERM stops it gracefully')
    .action(async () => start(program.opts<{ config: string }>().config));
}

async function start(file: string): Promise<void> {
  const config = await loadConfig(file, loadAdapter);
  const log = openLog(config.log.level, config.secrets);
  const metrics = new MetricsRegistry();
  const gateway = await Gateway.open(config, log, metrics);
  const admin = await serveAdmin(gateway, metrics, config.admin, log).catch(async (error: Error) => {
    await gateway.stop();
    throw new CommandError(`the admin side cannot listen: ${error.message}`, exitCodes.failed);
  });
  log.info({ version, config: file, admin: admin.url, store: config.redis ? 'redis' : config.data }, 'starting');
  watchSignals(gateway, file, log, () => admin.close());
  process.on('uncaughtException', (error) => {
    log.error({ error: error.stack }, 'a fault that nothing caught; stopping, so that a clean process goes on');
    process.exit(exitCodes.failed);
  });
  await gateway.start();
  log.info({ instances: config.instances.map(({ name }) => name) }, 'started');
}

function watchSignals(gateway: Gateway, file: string, log: RootLog, closeAdmin: () => Promise<void>): void {
  let isStopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(exitCodes.failed);
    isStopping = true;
    log.info({ signal }, 'stopping; a second signal stops at once');
    await gateway.stop();
    await closeAdmin();
    log.info({}, 'stopped');
    process.exit(exitCodes.ok);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  let reloading = Promise.resolve();
  process.on('SIGHUP', () => {
    // One after the other: two signals in a row end with the newer file.
    reloading = reloading.then(() => reload(gateway, file, log));
  });
}

async function reload(gateway: Gateway, file: string, log: RootLog): Promise<void> {
  let config: Config;
  try {
    config = await loadConfig(file, loadAdapter);
  } catch (error) {
    const faults = error instanceof ConfigError ? error.message.split('\n') : [String(error)];
    for (const fault of faults) log.error({ fault }, 'not reloaded: the old configuration stays');
    return;
  }
  log.hide(config.secrets);
  const changes = await gateway.reload(config);
  log.info({ changes }, changes.length > 0 ? 'reloaded' : 'reloaded: nothing had changed');
}
