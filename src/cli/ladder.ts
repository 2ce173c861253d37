// A trace as a ladder: one column an instance, one rung a hop, time from the first.
import type { HopView, TraceView } from '../hub/trace.ts';

export interface LadderOptions {
  /** Shows the bytes on the wire below each rung. */
  wire?: boolean;
  /** Colours for a terminal. */
  colour?: boolean;
}

const gap = 4;

/** Lines ready to print, with a newline at the end. */
export function ladder({ id, hops }: TraceView, options: LadderOptions = {}): string {
  const ordered = [...hops].sort((a, b) => a.at.localeCompare(b.at));
  const columns = ['dragoman', ...new Set(ordered.map(({ instance }) => instance))];
  const widest = Math.max(...columns.map(({ length }) => length), ...ordered.map(({ what }) => what.length));
  const width = Math.min(40, widest) + gap;
  const paint = (code: number, text: string) => (options.colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const start = Date.parse(ordered[0]?.at ?? '') || 0;
  const lines = [paint(2, `trace ${id}, ${ordered[0]?.at ?? 'empty'}`)];
  lines.push(`${' '.repeat(10)}${columns.map((name) => paint(1, name.padEnd(width))).join('')}`.trimEnd());
  for (const hop of ordered) {
    const time = `+${Date.parse(hop.at) - start} ms`.padStart(9);
    lines.push(`${paint(2, time)} ${rung(hop, columns.indexOf(hop.instance), width, paint)}`);
    if (options.wire && hop.wire !== undefined)
      lines.push(paint(2, hop.wire.trimEnd().replace(/^/gm, `${' '.repeat(10)}| `)));
  }
  return `${lines.join('\n')}\n`;
}

// An arrow between the gateway's own column and the instance's: towards it for inbound, from it for outbound.
function rung(hop: HopView, column: number, width: number, paint: (code: number, text: string) => string): string {
  const span = Math.max(1, column) * width - 2;
  const what = hop.what.length > span - 6 ? `${hop.what.slice(0, span - 7)}…` : hop.what;
  const line = ` ${what} `.padStart(Math.floor((span + what.length) / 2), '─').padEnd(span - 1, '─');
  return hop.direction === 'inbound' ? `│${paint(36, `◀${line}`)}│` : `│${paint(32, `${line}▶`)}│`;
}
