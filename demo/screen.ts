// How the demo looks on a terminal: headings, steps, and what was said and heard.
import type { Exchange } from './conversation.ts';

const isColoured = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code: number, text: string) => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = (text: string) => paint(1, text);
export const faint = (text: string) => paint(2, text);
export const good = (text: string) => paint(32, text);
export const bad = (text: string) => paint(31, text);
export const hasColour = isColoured;

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** One step of the start, with how long it took. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  say(`  ${good('✔')} ${what} ${faint(duration(performance.now() - startedAt))}`);
  return result;
}

export function heading(text: string): void {
  say(`\n${bold(text)} ${faint('─'.repeat(Math.max(3, 96 - text.length)))}`);
}

/** What was said, as what it arrived, and what the sender was told. */
export function bubble({ from, to, text, heard, receipts, deliveredMs, confirmedMs, faults }: Exchange): void {
  const line = (who: string, verb: string, what: string) => say(`  ${bold(who.padEnd(5))} ${verb.padEnd(8)} ${what}`);
  line(from, 'says', text);
  if (heard && deliveredMs !== undefined) {
    const seen = heard.text === text ? good('every character of it') : heard.text;
    line(to, 'reads', `${seen}, from ${heard.from} ${faint(duration(deliveredMs))}`);
  }
  if (receipts.length > 0 && confirmedMs !== undefined) {
    const told = receipts.map((state) => `✓ ${state}`).join('  ');
    line(from, 'is told', `${good(told)} ${faint(duration(confirmedMs))}`);
  }
  for (const fault of faults) say(`  ${bad(`✘ ${fault}`)}`);
}

export function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
