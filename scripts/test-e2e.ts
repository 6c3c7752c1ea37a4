// Tests on a lab of several hosts, one file after the other; files named in part as arguments.
import { globSync } from 'node:fs';
import { runTests } from './run-tests.ts';

const wanted = process.argv.slice(2);
const files = globSync('test/e2e/**/*.test.ts').filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
await runTests(files.sort(), { isolation: 'process', timeoutMs: 300_000, totalTimeoutMs: 1_800_000 });
