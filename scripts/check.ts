// Biome, tsc, unit tests: under 30 s for ever.
import { spawnSync } from 'node:child_process';

const steps: readonly (readonly string[])[] = [
  ['node_modules/.bin/biome', 'ci', '--error-on-warnings', '.'],
  ['node_modules/.bin/tsc', '--noEmit'],
  [process.execPath, '--disable-warning=ExperimentalWarning', 'scripts/test-unit.ts'],
];
for (const [program, ...args] of steps) {
  const ended = spawnSync(program!, args, { stdio: 'inherit' });
  if (ended.status !== 0) process.exit(ended.status ?? 1);
}
