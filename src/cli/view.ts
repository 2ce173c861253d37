// `dragoman view <topic>`: a table that the adapters keep for operators; `peers` and `subscriptions` by their own names.
import type { Command } from 'commander';
import type { ViewRow } from '../contract/index.ts';
import { asking, asksForSome, type Some, someQuery } from './asks.ts';
import { table } from './table.ts';

export function addViews(program: Command): void {
  asksForSome(program.command('view <topic>').description('show a table of the adapters, such as binds')).action(
    (topic: string, some: Some, command: Command) => show(topic, some, command),
  );
  for (const [topic, description] of [
    ['peers', 'show what was learnt of each peer'],
    ['subscriptions', 'show who watches whom'],
  ] as const) {
    asksForSome(program.command(topic).description(description)).action((some: Some, command: Command) =>
      show(topic, some, command),
    );
  }
}

async function show(topic: string, some: Some, command: Command): Promise<void> {
  const { client, print } = asking(command);
  const rows = await client.get<ViewRow[]>(`/api/views/${encodeURIComponent(topic)}?${someQuery(some)}`);
  print(rows, () => describe(rows, some.limit));
}

function describe(rows: readonly ViewRow[], limit: number): string {
  if (rows.length === 0) return 'nothing to show\n';
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const more = rows.length < limit ? '' : `the first ${limit}; --limit shows more\n`;
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? '')));
  return table(columns, cells) + more;
}
