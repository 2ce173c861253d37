// `dragoman config schema`: JSON Schema of the configuration, for editors.
import { readdirSync } from 'node:fs';
import type { Command } from 'commander';
import { jsonSchema } from '../config/config.ts';
import { loadAdapter } from '../loader.ts';

export function addSchema(program: Command): void {
  program
    .command('config')
    .description('about the configuration file')
    .command('schema')
    .description('print its JSON Schema, for editors')
    .action(async () => {
      const protocols = readdirSync(new URL('../../adapters/', import.meta.url));
      const modules = await Promise.all(protocols.map((protocol) => loadAdapter(protocol)));
      process.stdout.write(`${JSON.stringify(jsonSchema(modules), null, 2)}\n`);
    });
}
