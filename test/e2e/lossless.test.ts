// The first promise, in short: bench/lossless.ts says more, and at length.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startFlotillaWorld } from '../../bench/lossless/flotilla-world.ts';
import { type Collector, startCollector } from '../../bench/lossless/load.ts';
import { measureLossless } from '../../bench/lossless/measure.ts';
import { whatWasLost } from '../../bench/lossless/summary.ts';
import { phaseNames, type World } from '../../bench/lossless/world.ts';

const requests = 20_000;

describe('everything planned happens, and nothing is lost', { timeout: 200_000 }, () => {
  let collector: Collector;
  let world: World | undefined;
  before(async () => {
    world = await startFlotillaWorld({
      ...{ name: 'e2elossl', octet: 126, instances: 3, onTerm: 'close', through: 'ingress', log: () => {} },
      collector: async (address) => {
        collector = await startCollector(address);
        return `${address}:${collector.port}`;
      },
    });
  });
  after(async () => {
    await world?.down();
    await collector?.stop();
  });

  it(`${requests} requests through two proxies: each is answered, and done once`, async (test) => {
    assert.ok(world);
    const options = { requests, rate: 600, isShort: true, only: phaseNames };
    const summary = await measureLossless(world, collector, { ...options, log: (line) => test.diagnostic(line) });
    assert.deepEqual(summary.problems, []);
    assert.equal(whatWasLost(summary), undefined);
    assert.ok(summary.requests >= requests);
    assert.equal(summary.log.lines, summary.requests - summary.refused);
    for (const phase of ['rolling updates', 'scale-ups and -downs', 'drains'])
      assert.ok((summary.phases[phase]?.requests ?? 0) > 0, phase);
    assert.equal(Object.keys(summary.kinds).length, 6, 'each kind of connection was used');
    assert.equal(summary.webSockets.cut, 0);
    assert.equal(summary.connections.resetIdle, 0);
    assert.ok(summary.connections.certificates >= 2, 'the new certificate was seen by those who connected');
  });
});
