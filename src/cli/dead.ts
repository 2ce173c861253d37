// `dragoman dead ...`: events that could not end well by themselves.
import type { Command } from 'commander';
import type { DeadLetter } from '../queue/queue.ts';
import { asking, asks, asksForSome, type Some, someQuery } from './asks.ts';
import { table } from './table.ts';

export function addDead(program: Command): void {
  const dead = program.command('dead').description('events that could not end well by themselves');
  asksForSome(dead.command('list').description('newest first')).action(async (some: Some, command: Command) => {
    const { client, print } = asking(command);
    const letters = await client.get<DeadLetter[]>(`/api/dead?${someQuery(some)}`);
    print(letters, () => describe(letters));
  });
  asks(dead.command('show <id>').description('all of one')).action(async (id: string, _options, command: Command) => {
    const { client, print } = asking(command);
    const letter = await client.get<DeadLetter>(`/api/dead/${encodeURIComponent(id)}`);
    print(letter, () => `${JSON.stringify(letter, null, 2)}\n`);
  });
  asks(dead.command('replay <id>').description('put it back in its queue')).action(
    async (id: string, _options, command: Command) => {
      const { client, print } = asking(command);
      print(await client.post(`/api/dead/${encodeURIComponent(id)}/replay`), () => `${id} is in its queue again\n`);
    },
  );
  asks(dead.command('discard <id>').description('forget it')).action(async (id: string, _options, command: Command) => {
    const { client, print } = asking(command);
    print(await client.delete(`/api/dead/${encodeURIComponent(id)}`), () => `${id} is forgotten\n`);
  });
}

function describe(letters: readonly DeadLetter[]): string {
  if (letters.length === 0) return 'no dead letters\n';
  const rows = letters.map(({ id, instance, at, reason, text }) => [id, instance, at, reason, text]);
  return table(['id', 'instance', 'since', 'reason', 'why'], rows);
}
