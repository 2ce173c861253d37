// `dragoman status`: every instance, what waits for it, and why it is down.
import type { Command } from 'commander';
import type { StatusView } from '../admin/view.ts';
import { asking, asks } from './asks.ts';
import { table } from './table.ts';

export function addStatus(program: Command): void {
  asks(program.command('status').description('show every instance, what waits for it and why it is down')).action(
    async (_options, command: Command) => {
      const { client, print } = asking(command);
      const status = await client.get<StatusView>('/api/status');
      print(status, () => describe(status));
    },
  );
}

function describe({ version, uptimeMs, instances, dead, store }: StatusView): string {
  const rows = instances.map(({ name, protocol, state, depth, held, inFlight, breakers, why }) => [
    name,
    protocol,
    state,
    String(depth),
    String(held),
    String(inFlight),
    [why, ...breakers.map((destination) => `resting: ${destination || 'all of it'}`)].filter(Boolean).join('; '),
  ]);
  const minutes = Math.floor(uptimeMs / 60_000);
  const heading = `dragoman ${version}, up ${Math.floor(minutes / 60)} h ${minutes % 60} min; store ${store}; ${dead} dead letters\n`;
  return heading + table(['instance', 'protocol', 'state', 'waiting', 'held', 'in flight', 'why'], rows);
}
