import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NodeRanking } from './node-ranking.ts';
import type { NodeState } from './node-state.ts';

function node(name: string): NodeState {
  return {
    name,
    isReady: true,
    isCordoned: false,
    isGone: false,
    taints: [],
    labels: {},
    allocatable: { cpuMillis: 0, memoryBytes: 0, pods: 0 },
    used: { cpuMillis: 0, memoryBytes: 0, pods: 0 },
    hostPorts: new Map(),
    groups: new Map(),
  };
}

describe('a ranking of nodes', () => {
  it('is the sorted list, whatever changes came before', () => {
    const changes = fc.array(fc.tuple(fc.nat(19), fc.option(fc.tuple(fc.nat(3), fc.nat(3)), { nil: undefined })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(changes, fc.nat(20), (steps, known) => {
        const nodes = Array.from({ length: 20 }, (_, at) => node(`n${at}`));
        const ranks = new Map(nodes.slice(0, known).map((one, at) => [one, [at % 3, at % 2]]));
        const ranking = new NodeRanking((one) => ranks.get(one), nodes);
        for (const [at, rank] of steps) {
          const one = nodes[at]!;
          if (rank) ranks.set(one, rank);
          else ranks.delete(one);
          ranking.update(one);
        }
        const sorted = [...ranks.keys()].sort((a, b) => {
          const [[a0 = 0, a1 = 0], [b0 = 0, b1 = 0]] = [ranks.get(a)!, ranks.get(b)!];
          return a0 - b0 || a1 - b1 || (a.name < b.name ? -1 : 1);
        });
        assert.equal(ranking.best, sorted[0]);
        const walked: NodeState[] = [];
        assert.equal(
          ranking.first(100, (one) => {
            walked.push(one);
            return false;
          }),
          undefined,
        );
        assert.deepEqual(walked, sorted);
        assert.equal(
          ranking.first(3, (one) => one === sorted[3]),
          undefined,
        );
      }),
    );
  });
});
