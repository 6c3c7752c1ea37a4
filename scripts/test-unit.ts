// All unit tests in one process (a process a file costs 16 s for 60 files). Fails when it finds none.
import { globSync } from 'node:fs';
import { runTests } from './run-tests.ts';

const wanted = process.argv.slice(2);
const files = globSync([
  'src/**/*.test.ts',
  'test/chaos/*.test.ts',
  'test/transcripts/*.test.ts',
  'bench/**/*.test.ts',
]).filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)));
await runTests(files.sort(), { isolation: 'none', timeoutMs: 60_000, totalTimeoutMs: 120_000 });
