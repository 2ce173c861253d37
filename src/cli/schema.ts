// `dragoman config schema`: JSON Schema of the configuration, for editors.
import type { Command } from 'commander';
import { jsonSchema } from '../config/config.ts';
import { builtInProtocols, loadAdapter } from '../loader.ts';

export function addSchema(program: Command): void {
  program
    .command('config')
    .description('about the configuration file')
    .command('schema')
    .description('print its JSON Schema, for editors')
    .action(async () => {
      const modules = await Promise.all(builtInProtocols().map(loadAdapter));
      process.stdout.write(`${JSON.stringify(jsonSchema(modules), null, 2)}\n`);
    });
}
