// A trace as a ladder: one column an instance, one rung a hop, time from the first.
import type { HopView, TraceView } from '../hub/trace.ts';
import { oneLine, printable } from './printable.ts';

export interface LadderOptions {
  /** Shows the bytes on the wire below each rung. */
  wire?: boolean;
  /** Colours for a terminal. */
  colour?: boolean;
}

const us = 'dragoman';
const timeWidth = 11;
const leastWidth = 18;
const mostWidth = 34;
const wireWidth = 100;

type Paint = (code: number, text: string) => string;

/** Lines ready to print, with a newline at the end. */
export function ladder({ id, hops }: TraceView, options: LadderOptions = {}): string {
  const paint: Paint = (code, text) => (options.colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const ordered = hops.toSorted((a, b) => a.at.localeCompare(b.at));
  const [first] = ordered;
  if (!first) return `trace ${id}: no hop yet\n`;
  const columns = columnsOf(ordered);
  const widest = Math.max(...columns.map(({ length }) => length), ...ordered.map(({ what }) => what.length + 7));
  const width = Math.min(mostWidth, Math.max(leastWidth, widest));
  const lines = [`${paint(1, `trace ${id}`)}  ${paint(2, first.at)}`, '', paint(1, heading(columns, width))];
  for (const hop of ordered) {
    const time = elapsed(Date.parse(hop.at) - Date.parse(first.at)).padStart(timeWidth - 2);
    lines.push(`${paint(2, time)}  ${rung(hop, columns, width, paint)}`);
    if (options.wire && hop.wire !== undefined) lines.push(...wireLines(hop.wire).map((line) => paint(2, line)));
  }
  return `${lines.join('\n')}\n`;
}

// The network that spoke first stands left of us, the others right.
function columnsOf(hops: readonly HopView[]): string[] {
  const names = [...new Set(hops.map(({ instance }) => instance))];
  return hops[0]?.direction === 'inbound' ? [names[0] ?? '', us, ...names.slice(1)] : [us, ...names];
}

function heading(columns: readonly string[], width: number): string {
  let line = ' '.repeat(timeWidth);
  columns.forEach((name, i) => {
    line = line.padEnd(Math.max(line.length, timeWidth + i * width - Math.floor((name.length - 1) / 2)));
    line += name;
  });
  return line;
}

function rung({ what, instance, direction }: HopView, columns: readonly string[], width: number, paint: Paint): string {
  const cells: string[] = Array.from({ length: (columns.length - 1) * width + 1 }, (_, x) =>
    x % width === 0 ? '│' : ' ',
  );
  const [at, home] = [columns.indexOf(instance) * width, columns.indexOf(us) * width];
  const [left, right] = [Math.min(at, home), Math.max(at, home)];
  for (let x = left + 1; x < right; x++) cells[x] = cells[x] === '│' ? '┼' : '─';
  const pointsRight = (direction === 'outbound') === at > home;
  if (pointsRight) cells[right - 1] = '▶';
  else cells[left + 1] = '◀';
  // The words stand beside the network they are of.
  const room = width - 7;
  const words = oneLine(what);
  const label = ` ${words.length > room ? `${words.slice(0, room - 1)}…` : words} `;
  cells.splice((at > home ? at - width : at) + 3, label.length, ...label);
  const arrow = cells.slice(left + 1, right).join('');
  const line = `${cells.slice(0, left + 1).join('')}${paint(pointsRight ? 32 : 36, arrow)}${cells.slice(right).join('')}`;
  return line.trimEnd();
}

function elapsed(ms: number): string {
  return ms < 10_000 ? `+${ms} ms` : `+${(ms / 1000).toFixed(1)} s`;
}

function wireLines(wire: string): string[] {
  return printable(wire)
    .trimEnd()
    .split('\n')
    .flatMap((line) => line.match(new RegExp(`.{1,${wireWidth}}`, 'gu')) ?? [''])
    .map((line) => `${' '.repeat(timeWidth)}┊ ${line}`.trimEnd());
}
