// `dragoman check`: reads the configuration as `start` would and says what is wrong with it.
import type { Command } from 'commander';
import { ConfigError, loadConfig } from '../config/config.ts';
import { loadAdapter } from '../loader.ts';
import { exitCodes } from './exit-codes.ts';

export function addCheck(program: Command): void {
  program
    .command('check')
    .description('say what is wrong with the configuration: key, line, and what would be right')
    .option('--json', 'faults as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const { config: file } = program.opts<{ config: string }>();
      try {
        const { instances } = await loadConfig(file, loadAdapter);
        const names = instances.map(({ name, protocol }) => `${name} (${protocol})`).join(', ');
        const none = 'no instances yet: name at least one under "instances"';
        process.stdout.write(json ? '[]\n' : `${file} is right: ${names || none}\n`);
      } catch (error) {
        if (!json || !(error instanceof ConfigError)) throw error;
        process.stdout.write(`${JSON.stringify(error.faults, null, 2)}\n`);
        process.exitCode = exitCodes.usage;
      }
    });
}
