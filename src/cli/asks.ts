// What all commands have in common that ask a running gateway: where it is, and how to print its answer.
import { type Command, InvalidArgumentError } from 'commander';
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

/** Which rows of a long list. */
export interface Some {
  instance?: string;
  limit: number;
}

/** The same for a question that is answered with rows. */
export function asksForSome(command: Command): Command {
  return asks(command)
    .option('--instance <name>', 'only of this instance')
    .option('--limit <count>', 'how many, up to 1000', toLimit, 50);
}

export function someQuery({ instance, limit }: Some): URLSearchParams {
  return new URLSearchParams({ limit: String(limit), ...(instance ? { instance } : {}) });
}

function toLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit;
  throw new InvalidArgumentError('write a number from 1 to 1000');
}

export function asking(command: Command): Asking {
  const options = command.optsWithGlobals<ClientOptions>();
  return {
    client: new AdminClient(options),
    print: (answer, inWords) => process.stdout.write(options.json ? `${JSON.stringify(answer, null, 2)}\n` : inWords()),
  };
}
