// Columns as wide as what stands in them.
import { oneLine } from './printable.ts';

export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(oneLine));
  const widths = heading.map((title, i) => Math.max(title.length, ...shown.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[line(heading), line(widths.map((width) => '-'.repeat(width))), ...shown.map(line)].join('\n')}\n`;
}
