// 200 pods at once on one host: all of them run, each once, and all of them go.
import { after, before, describe, it } from 'node:test';
import { type FaultHost, startFaultHost } from './fault-host.ts';
import { assertOneToOne } from './invariants.ts';
import { eventually } from './lab.ts';

const count = 200;

describe('a crowd of pods', { timeout: 290_000 }, () => {
  let one: FaultHost;
  before(async () => {
    one = await startFaultHost('crowd', 228);
    await one.restartAgent({ args: ['--max-pods', String(count + 10)] });
  });
  after(() => one?.end());

  it(`${count} start together and end together`, async () => {
    const names = Array.from({ length: count }, (_, index) => `crowd-${index}`);
    const startedMs = performance.now();
    await Promise.all(names.map((name) => one.create(name, { volumeMounts: [] })));
    await eventually('all to be ready', async () => (await one.readyPods()).length === count, 180_000).catch(
      async (error) => {
        const ready = new Set((await one.readyPods()).map(({ metadata }) => metadata.name));
        const late = await Promise.all(names.filter((name) => !ready.has(name)).map(one.get));
        console.log(JSON.stringify(late.map(({ metadata, status }) => [metadata.name, status])));
        throw error;
      },
    );
    console.log(`${count} pods ready after ${Math.round(performance.now() - startedMs)} ms`);
    await assertOneToOne(one.lab, ['h1']);
    const removedMs = performance.now();
    await one.clean();
    console.log(`${count} pods gone after ${Math.round(performance.now() - removedMs)} ms`);
  });
});
