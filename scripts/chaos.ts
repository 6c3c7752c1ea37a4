// Chaos on a lab of its own, one run a seed; the report as a line of JSON each.
//   node scripts/chaos.ts [--seeds 1,2,3] [--minutes 1] [--servers 3] [--lab chaos] [--octet 239]
import { parseArgs } from 'node:util';
import { runChaos } from '../test/chaos/run-chaos.ts';
import { startLab } from '../test/e2e/lab.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '1' },
    servers: { type: 'string', default: '3' },
    lab: { type: 'string', default: 'chaos' },
    octet: { type: 'string', default: '239' },
  },
});
const name = values.lab;
const servers = Number(values.servers);
let isBad = false;
for (const seed of values.seeds.split(',').map(Number)) {
  const lab = await startLab({ name, octet: Number(values.octet), servers });
  let isKept = false;
  try {
    const report = await runChaos({
      ...{ lab, seed, durationMs: Number(values.minutes) * 60_000, hosts: ['h1', 'h2', 'h3'] },
      servers: Array.from({ length: servers }, (_, index) => `s${index + 1}`),
      say: (line) => console.log(line),
    });
    console.log(JSON.stringify(report));
    isKept = report.violations.length > 0;
  } finally {
    if (!isKept) await lab.down();
  }
  if (isKept) {
    isBad = true;
    console.log(`the lab "${name}" is kept for a look; afterwards: flotilla lab down --name ${name}`);
    console.log(
      `  FLOTILLA_CONFIG=${lab.env.FLOTILLA_CONFIG} flotilla ps; flotilla lab exec --name ${name} h1 -- docker ps`,
    );
    break;
  }
}
process.exitCode = isBad ? 1 : 0;
