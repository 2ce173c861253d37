// sipp (Debian sip-tester), which plays a written scenario many times over and says whether each went as written.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const scenarios = join(import.meta.dirname, '../wire/sip/sipp');

export interface Run {
  /** Resolves with the exit code: 0 when every call went as written. */
  finished: Promise<{ code: number | null; output: string }>;
}

/** Runs a scenario of test/wire/sip/sipp to its end. */
export function sipp(t: TestContext, scenario: string, args: readonly string[]): Run {
  const all = [
    ...args,
    '-sf',
    join(scenarios, `${scenario}.xml`),
    '-i',
    '127.0.0.1',
    '-nostdin',
    '-timeout',
    '60',
    '-timeout_error',
  ];
  const child = spawn('/usr/bin/sipp', all, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TERM: 'dumb' },
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    });
  }
  return { finished: once(child, 'exit').then(([code]) => ({ code: code as number | null, output })) };
}
