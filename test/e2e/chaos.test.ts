// Two short runs with seeds of their own; longer ones: scripts/chaos.ts. A failure is replayed with the seed it names.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runChaos } from '../chaos/run-chaos.ts';
import { startLab } from './lab.ts';

describe('chaos', () => {
  for (const [seed, octet, servers] of [
    [3, 237, ['s1', 's2', 's3']],
    [2, 238, ['s1']],
  ] as const) {
    it(`leaves everything as asked for, seed ${seed}, ${servers.length} servers`, async () => {
      const lab = await startLab({ name: `chaos${servers.length}`, octet, servers: servers.length });
      try {
        const report = await runChaos({
          ...{ lab, seed, servers, durationMs: 60_000, hosts: ['h1', 'h2', 'h3'] },
          calmMs: 60_000, // as long as it takes a machine that is busy with other things
          say: (line) => console.log(line),
        });
        console.log(JSON.stringify(report));
        assert.deepEqual(report.violations, []);
        assert.ok(report.faults >= 14, `${report.faults} faults; ${report.notDone.join('; ')}`);
        assert.ok(report.acknowledgedWrites >= 50, `${report.acknowledgedWrites} writes`);
      } finally {
        await lab.down();
      }
    });
  }
});
