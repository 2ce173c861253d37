// The bench's figures as a table with ratios, and as bars.

export interface Row {
  what: string;
  /** Compared are rows of one kind. */
  kind?: string;
  perSecond: number;
  /** Microseconds of processor time a message. */
  cpu: number;
  /** Milliseconds at half load. */
  p50?: number;
  p99?: number;
  /** MB. */
  rssAtRest?: number;
  rssUnderLoad?: number;
}

const kannel = (row: Row) => row.what.includes('Kannel');

export function tableOf(rows: readonly Row[]): string {
  const head =
    '| what | msg/s | against Kannel | CPU us a message | p50 ms | p99 ms (half load) | RSS MB at rest / loaded |\n|---|--:|--:|--:|--:|--:|--:|\n';
  const line = (row: Row) => {
    const neighbour = rows.find((other) => kannel(other) && other.kind === row.kind);
    const ratio = neighbour ? `${(row.perSecond / neighbour.perSecond).toFixed(1)}x` : '-';
    const ms = (value: number | undefined) => value?.toFixed(1) ?? '-';
    const rss = row.rssAtRest === undefined ? '-' : `${row.rssAtRest} / ${row.rssUnderLoad}`;
    return `| ${row.what} | ${Math.round(row.perSecond)} | ${ratio} | ${row.cpu.toFixed(0)} | ${ms(row.p50)} | ${ms(row.p99)} | ${rss} |`;
  };
  return `${head}${rows.map(line).join('\n')}\n`;
}

/** Bars of msg/s as SVG. */
export function plot(rows: readonly Row[]): string {
  const most = Math.max(...rows.map(({ perSecond }) => perSecond));
  const height = 28;
  const bars = rows.map((row, i) => {
    const width = Math.max(1, Math.round((row.perSecond / most) * 420));
    const y = 10 + i * height;
    const fill = kannel(row) ? '#9a6b00' : row.what.includes('bare') ? '#7a7a7a' : '#1f6feb';
    return `<text x="270" y="${y + 15}" text-anchor="end">${row.what.replace('>', '&gt;')}</text><rect x="280" y="${y}" width="${width}" height="20" fill="${fill}"/><text x="${286 + width}" y="${y + 15}">${Math.round(row.perSecond)}/s</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="${20 + rows.length * height}" font-family="sans-serif" font-size="13"><title>Messages a second</title><rect width="100%" height="100%" fill="#fff"/>${bars.join('')}</svg>\n`;
}
