// `dragoman trace <id>`: what happened to a message, hop by hop.
import type { Command } from 'commander';
import type { TraceView } from '../hub/trace.ts';
import { asking, asks } from './asks.ts';
import { ladder } from './ladder.ts';

export function addTrace(program: Command): void {
  asks(program.command('trace <id>').description('what happened to a message, hop by hop, as a ladder'))
    .option('--wire', 'show the bytes on the wire, what people wrote blotted out')
    .option('--bodies', 'show what people wrote as well')
    .action(async (id: string, options: { wire?: boolean; bodies?: boolean }, command: Command) => {
      const { client, print } = asking(command);
      const trace = await client.get<TraceView>(
        `/api/trace/${encodeURIComponent(id)}?bodies=${options.bodies === true}`,
      );
      const wire = options.wire === true || options.bodies === true;
      print(trace, () => ladder(trace, { wire, colour: process.stdout.isTTY === true && !process.env.NO_COLOR }));
    });
}
