// Where the time goes: the newest CPU profile of a folder, by the part of the program that spent it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

interface Profile {
  nodes: Array<{ id: number; callFrame: { functionName: string; url: string; lineNumber: number } }>;
  samples: number[];
  timeDeltas: number[];
}

/** Shares of the time that was not idle, by folder of ours, package, or part of Node. */
export function whereTimeGoes(folder: string, most = 24): string {
  const files = readdirSync(folder).map((name) => join(folder, name));
  const newest = files.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (newest === undefined) return 'no profile was written\n';
  const profile = JSON.parse(readFileSync(newest, 'utf8')) as Profile;
  const parts = new Map(profile.nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const spent = new Map<string, number>();
  let total = 0;
  profile.samples.forEach((sample, i) => {
    const part = parts.get(sample) ?? '';
    const delta = profile.timeDeltas[i] ?? 0;
    if (part === '(idle)') return;
    spent.set(part, (spent.get(part) ?? 0) + delta);
    total += delta;
  });
  const rows = [...spent].sort(([, a], [, b]) => b - a).slice(0, most);
  return rows.map(([part, time]) => `${((time / total) * 100).toFixed(1).padStart(5)} %  ${part}\n`).join('');
}

function partOf({ functionName, url }: Profile['nodes'][number]['callFrame']): string {
  const ours = /\/((?:src|adapters)\/[^/]+(?:\/[^/]+)?)/.exec(url)?.[1];
  if (ours !== undefined && !url.includes('node_modules')) return ours;
  const library = url.includes('node_modules/') ? url.split('node_modules/').at(-1)?.split('/')[0] : undefined;
  if (library !== undefined) return `${library} (library)`;
  if (url.startsWith('node:')) return `${url.split('/')[0]} (Node)`;
  return functionName.startsWith('(') ? functionName : `${functionName} (native)`;
}
