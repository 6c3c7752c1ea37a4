// Does anybody lose a request while a cluster is changed under load? Flotilla, and Docker Swarm on hosts of the same kind.
// As root, with the lab's images made (node scripts/images/build.ts):
//   node bench/lossless.ts [--requests 1000000] [--rate 1000] [--short] [--through ingress|ports] [--octet 126]
//                          [--no-swarm | --only-swarm | --swarm-requests 200000] [--no-faults] [--only PHASE,PHASE] [--on-term close|die]
// JSON: bench/results/lossless.json
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startFlotillaWorld } from './lossless/flotilla-world.ts';
import type { Collector } from './lossless/load.ts';
import { startCollector } from './lossless/load.ts';
import { measureFaults, measureLossless } from './lossless/measure.ts';
import { startSwarmWorld } from './lossless/swarm-world.ts';
import { phaseNames, type World } from './lossless/world.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string' },
    rate: { type: 'string', default: '1000' },
    'swarm-requests': { type: 'string' },
    short: { type: 'boolean', default: false },
    through: { type: 'string', default: 'ingress' },
    octet: { type: 'string', default: '126' },
    only: { type: 'string', default: '' },
    'on-term': { type: 'string', default: 'close' },
    'no-swarm': { type: 'boolean', default: false },
    'only-swarm': { type: 'boolean', default: false },
    'no-faults': { type: 'boolean', default: false },
  },
});
const log = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
const only = values.only.split(',').filter(Boolean);
const unknown = only.filter((name) => !(phaseNames as readonly string[]).includes(name));
if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: phases are ${phaseNames.join(', ')}`);
const options = {
  requests: Number(values.requests ?? (values.short ? 20_000 : 1_000_000)),
  rate: Number(values.rate),
  isShort: values.short,
  only: phaseNames.filter((name) => only.length === 0 || only.includes(name)),
  log,
};
const through = values.through === 'ports' ? 'ports' : 'ingress';
const instances = values.short ? 3 : 4;
const octet = Number(values.octet);
const onTerm = values['on-term'] === 'die' ? 'die' : 'close';
const report: Record<string, unknown> = {
  ...{
    at: new Date().toISOString(),
    node: process.version,
    loadBefore: loadavg()[0],
    through,
    instances,
    onTerm,
    ...options,
  },
};

/** Brings a cluster up, measures, takes it down; why not, where that did not work. */
async function measureWorld(
  start: (collectorOf: (address: string) => Promise<string>) => Promise<World>,
  requests = options.requests,
): Promise<object> {
  let collector: Collector | undefined;
  let world: World | undefined;
  try {
    world = await start(async (address) => {
      collector = await startCollector(address);
      return `${address}:${collector.port}`;
    });
    const planned = await measureLossless(world, collector!, { ...options, requests });
    const faults = values['no-faults'] ? {} : await measureFaults(world, collector!, options);
    return { planned, faults };
  } catch (error) {
    return { notMeasured: error instanceof Error ? `${error.stack}`.slice(0, 1_000) : String(error) };
  } finally {
    // What was measured is not lost because the lab is still there.
    await world?.down().catch((error: unknown) => log(`${world?.name}: not taken down: ${String(error)}`));
    await collector?.stop();
  }
}

/** What was measured is kept, whatever becomes of the next one. */
function keep(): void {
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  const file = values.short ? 'lossless-short.json' : 'lossless.json';
  writeFileSync(join(import.meta.dirname, 'results', file), `${JSON.stringify(report, undefined, 2)}\n`);
}

if (!values['only-swarm']) {
  const base = { name: 'lossless', octet, instances, onTerm, log } as const;
  report.flotilla = await measureWorld((collector) => startFlotillaWorld({ ...base, collector, through }));
  keep();
}
if (!values['no-swarm']) {
  const base = { name: 'losslesssw', octet: octet + 1, instances, onTerm, log } as const;
  const requests = Number(values['swarm-requests'] ?? options.requests);
  for (const [name, goodbyeMs] of [
    ['swarm', 0],
    ['swarmWithGoodbye', 5_000],
  ] as const) {
    report[name] = await measureWorld((collector) => startSwarmWorld({ ...base, collector, goodbyeMs }), requests);
    keep();
  }
}
console.log(JSON.stringify(report, undefined, 2));
