// Simulated nodes in a process of their own, until SIGTERM:
//   node bench/simulator/main.ts --data DIR --server https://127.0.0.1:7443 --nodes 1000 [--no-liveness] [--prefix sim]
// DIR is the server's data directory: the admin's token and the CA's certificate are read from it.
// Writes one JSON line when all nodes are Ready, and one at the end.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startNodeSimulator } from './node-simulator.ts';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    server: { type: 'string', multiple: true, default: ['https://127.0.0.1:7443'] },
    nodes: { type: 'string', default: '100' },
    prefix: { type: 'string', default: 'sim' },
    liveness: { type: 'boolean', default: true },
    'start-delay-ms': { type: 'string', default: '0' },
  },
  allowNegative: true,
});
if (flags.data === undefined) throw new Error('--data is the data directory of the server');

const startedMs = performance.now();
const simulator = await startNodeSimulator({
  servers: flags.server,
  caCertificate: readFileSync(join(flags.data, 'identity', 'ca.crt'), 'utf8'),
  adminToken: readFileSync(join(flags.data, 'admin.token'), 'utf8').trim(),
  count: Number(flags.nodes),
  namePrefix: flags.prefix,
  liveness: flags.liveness,
  startDelayMs: Number(flags['start-delay-ms']),
});
console.log(JSON.stringify({ ready: simulator.nodes.length, seconds: (performance.now() - startedMs) / 1000 }));
const keepAlive = setInterval(() => {}, 60_000);
await new Promise((resolve) => process.once('SIGTERM', resolve));
clearInterval(keepAlive);
console.log(JSON.stringify({ podsStarted: simulator.podsStarted }));
await simulator.stop();
