// `dragoman dead ...`: events that could not end well by themselves.
import { type Command, InvalidArgumentError } from 'commander';
import type { DeadLetter } from '../queue/queue.ts';
import { asking, asks } from './asks.ts';
import { table } from './table.ts';

export function addDead(program: Command): void {
  const dead = program.command('dead').description('events that could not end well by themselves');
  asks(dead.command('list').description('newest first'))
    .option('--instance <name>', 'only of this instance')
    .option('--limit <count>', 'how many, up to 1000', toLimit, 50)
    .action(async (options: { instance?: string; limit: number }, command: Command) => {
      const { client, print } = asking(command);
      const query = new URLSearchParams({
        limit: String(options.limit),
        ...(options.instance ? { instance: options.instance } : {}),
      });
      const letters = await client.get<DeadLetter[]>(`/api/dead?${query}`);
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

function toLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit;
  throw new InvalidArgumentError('write a number from 1 to 1000');
}

function describe(letters: readonly DeadLetter[]): string {
  if (letters.length === 0) return 'no dead letters\n';
  const rows = letters.map(({ id, instance, at, reason, text }) => [id, instance, at, reason, text]);
  return table(['id', 'instance', 'since', 'reason', 'why'], rows);
}
