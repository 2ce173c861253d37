// `dragoman route <from> <to>`: which way a message would go, and why.
import type { Command } from 'commander';
import type { RouteExplanation } from '../admin/view.ts';
import { asking, asks } from './asks.ts';
import { exitCodes } from './exit-codes.ts';
import { oneLine } from './printable.ts';

export function addRoute(program: Command): void {
  asks(program.command('route <from> <to>').description('explain which way a message would go, step by step'))
    .addHelpText(
      'after',
      "\nAddresses as the sender's network writes them:\n  dragoman route xmpp:alice@example.org xmpp:+447700900123@sms.example.org",
    )
    .action(async (from: string, to: string, _options, command: Command) => {
      const { client, print } = asking(command);
      const explained = await client.get<RouteExplanation>(`/api/route?${new URLSearchParams({ from, to })}`);
      print(explained, () => describe(explained));
      if (explained.refusal) process.exitCode = exitCodes.failed;
    });
}

function describe({ steps, refusal, from, to, instances }: RouteExplanation): string {
  const lines = steps.map((step, i) => `${i + 1}. ${step}`);
  lines.push(refusal ? `refused, ${refusal.reason}: ${refusal.text}` : `goes by ${instances[0]} from ${from} to ${to}`);
  return `${lines.map(oneLine).join('\n')}\n`;
}
