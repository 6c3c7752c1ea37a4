// Adapters against their real daemons, one file after the other; files named in part as arguments.
import { globSync } from 'node:fs';
import { runTests } from './run-tests.ts';

const wanted = process.argv.slice(2);
const files = globSync('test/integration/**/*.test.ts').filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
await runTests(files.sort(), { isolation: 'process', timeoutMs: 120_000, totalTimeoutMs: 900_000 });
