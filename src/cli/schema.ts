// `dragoman config schema`: JSON Schema of the configuration, for editors.
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
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
      const folders = globSync('*/index.ts', { cwd: new URL('../../adapters/', import.meta.url) }).map(dirname);
      const modules = await Promise.all(folders.sort().map((folder) => loadAdapter(folder)));
      process.stdout.write(`${JSON.stringify(jsonSchema(modules), null, 2)}\n`);
    });
}
