// `npm test`: types, style, then every test. Real servers are installed first where we may; under CI=true a missing one fails.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { installAll } from './servers/debian.ts';

// Tests that share the processor with nobody: they start servers and count what gets lost, not how fast it goes.
const phases = [
  {
    name: 'unit',
    files: [
      'test/contract/*.test.ts',
      'test/hub/*.test.ts',
      'test/formats/*.test.ts',
      'test/guards/*.test.ts',
      'test/adapters/**/*.test.ts',
      'test/cli/*.test.ts',
      'test/admin/*.test.ts',
    ],
    concurrency: 2,
    // They end by themselves: an exit by force may cut off what a file still had to report.
    options: ['--test-timeout=300000'],
  },
  {
    name: 'real servers',
    files: ['test/interop/**/*.test.ts', 'test/scenarios/*.test.ts', 'test/*.test.ts'],
    concurrency: 1,
    options: ['--test-timeout=1200000', '--test-force-exit'],
  },
];

installAll();
run('tsc', ['node_modules/typescript/bin/tsc']);
run('biome', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']);
for (const { name, files, concurrency, options } of phases) {
  const found = globSync(files).sort();
  run(name, ['--test', `--test-concurrency=${concurrency}`, ...options, ...found]);
}

function run(name: string, args: string[]): void {
  process.stdout.write(`\n== ${name}\n`);
  const { status, error } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status === 0) return;
  process.stderr.write(`${name} failed${error ? `: ${error.message}` : ''}\n`);
  process.exit(1);
}
