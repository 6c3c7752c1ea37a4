// Adapters against their real daemons; files named in part as arguments. Two files at a time, since most of a test is waiting;
// what loads the machine, or has to do with its kernel, its engine or a flood of requests, has it alone.
import { globSync } from 'node:fs';
import { runTests } from './run-tests.ts';

/** How the names of those begin. */
const alone = [
  'agent-pods',
  'container-rights',
  'dns',
  'docker',
  'grid-network',
  'half-started',
  'haproxy',
  'long-lists',
  'lossless',
  'node-ingress',
  'overlay',
  'policy.test',
  'pod-containers',
  'robustness',
  'services.test',
  'sqlite',
  'streams',
  'systemd',
];

const wanted = process.argv.slice(2);
const files = globSync('test/integration/**/*.test.ts')
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
await runTests(files, {
  isolation: 'process',
  concurrency: 2,
  alone: files.filter((file) => alone.some((name) => file.startsWith(`test/integration/${name}`))),
  timeoutMs: 120_000,
  totalTimeoutMs: 1_200_000,
});
