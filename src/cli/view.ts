// `dragoman view [topic]`: a table that the adapters keep for operators; `peers` and `subscriptions` by their own names.
import type { Command } from 'commander';
import type { StatusView } from '../admin/view.ts';
import type { ViewRow } from '../contract/index.ts';
import { asking, asksForSome, type Some, someQuery } from './asks.ts';
import { table } from './table.ts';

export function addViews(program: Command): void {
  asksForSome(
    program.command('view [topic]').description('show a table of the adapters; without a topic, which there are'),
  ).action((topic: string | undefined, some: Some, command: Command) =>
    topic === undefined ? listTopics(command) : show(topic, some, command),
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

async function listTopics(command: Command): Promise<void> {
  const { client, print } = asking(command);
  const { instances } = await client.get<StatusView>('/api/status');
  const topics = [...new Set(instances.flatMap(({ views }) => views))].sort();
  print(topics, () => (topics.length === 0 ? 'there are no tables\n' : `${topics.join('\n')}\n`));
}

async function show(topic: string, some: Some, command: Command): Promise<void> {
  const { client, print } = asking(command);
  const rows = await client.get<ViewRow[]>(`/api/views/${encodeURIComponent(topic)}?${someQuery(some)}`);
  print(rows, () => describe(rows, some.limit));
}

function describe(rows: readonly ViewRow[], limit: number): string {
  if (rows.length === 0) return 'nothing to show\n';
  const more = rows.length < limit ? '' : `the first ${limit}; --limit shows more\n`;
  return (
    byColumns(rows)
      .map(([columns, some]) =>
        table(
          columns,
          some.map((row) => columns.map((column) => String(row[column] ?? ''))),
        ),
      )
      .join('\n') + more
  );
}

/** Adapters say different things under one topic: each table has only the columns of its own instances. */
function byColumns(rows: readonly ViewRow[]): Array<[columns: string[], rows: ViewRow[]]> {
  const tables = new Map<string, [columns: string[], rows: ViewRow[]]>();
  for (const some of Map.groupBy(rows, ({ instance }) => instance).values()) {
    const columns = [...new Set(some.flatMap((row) => Object.keys(row)))];
    const name = columns.join();
    const [, others] = tables.get(name) ?? [columns, []];
    tables.set(name, [columns, [...others, ...some]]);
  }
  return [...tables.values()];
}
