// What Kubernetes' conformance tests ask of the API and of controllers, re-expressed; files named in part as arguments.
// One server process and one set of simulated agents for all of them.
import { globSync } from 'node:fs';
import { runTests } from './run-tests.ts';

const wanted = process.argv.slice(2);
const files = globSync('test/conformance/**/*.test.ts').filter(
  (file) => wanted.length === 0 || wanted.some((part) => file.includes(part)),
);
await runTests(files.sort(), { isolation: 'none', timeoutMs: 60_000, totalTimeoutMs: 240_000 });
