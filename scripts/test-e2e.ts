// Tests on a lab of several hosts; files named in part as arguments. Two labs side by side, since most of a test is waiting;
// what injects faults, loads the machine, or looks at all of it, has it alone. What runs is what people install: the package,
// built from this checkout.
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { installPackage } from './install-package.ts';
import { runTests } from './run-tests.ts';

const alone = [
  'agent-faults',
  'chaos',
  'crowd',
  'failure',
  'host-faults',
  'lab',
  'lossless',
  'network-faults',
  'servers',
  'up',
].map((name) => `test/e2e/${name}.test.ts`);

/** What takes longest begins first, so that none runs on by itself in the end. */
const first = ['bad-input', 'transcripts'].map((name) => `test/e2e/${name}.test.ts`);

const wanted = process.argv.slice(2);
const files = [...first, ...globSync('test/e2e/**/*.test.ts').sort()].filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
if (process.env.FLOTILLA_TEST_BIN === undefined) {
  const directory = resolve('.cache/package');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', 'scripts/build.ts'], { stdio: 'inherit' });
  process.env.FLOTILLA_TEST_BIN = installPackage(directory).bin;
}
process.env.FLOTILLA_NODE ??= process.execPath;
await runTests([...new Set(files)], {
  isolation: 'process',
  concurrency: 2,
  alone,
  timeoutMs: 300_000,
  totalTimeoutMs: 1_800_000,
});
