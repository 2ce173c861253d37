// What all commands have in common that ask a running gateway: where it is, and how to print its answer.
import type { Command } from 'commander';
import { AdminClient, type ClientOptions } from './client.ts';

export interface Asking {
  client: AdminClient;
  /** The answer as JSON where asked for, else in words. */
  print(answer: unknown, inWords: () => string): void;
}

/** Adds the options; `asking(command)` reads them. */
export function asks(command: Command): Command {
  return command
    .option('--url <url>', 'where the gateway listens, when not as the configuration says')
    .option('--token <token>', 'its token, when not as the configuration says')
    .option('--json', 'print the answer as JSON');
}

export function asking(command: Command): Asking {
  const options = command.optsWithGlobals<ClientOptions>();
  return {
    client: new AdminClient(options),
    print: (answer, inWords) => process.stdout.write(options.json ? `${JSON.stringify(answer, null, 2)}\n` : inWords()),
  };
}
