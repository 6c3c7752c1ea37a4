import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { PodStatus } from 'kubernetes-types/core/v1.js';
import { holdsStatus } from './holds-status.ts';

const written = {
  phase: 'Running',
  podIPs: [{ ip: '10.80.0.2' }],
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [{ name: 'main', ready: true, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }],
} as unknown as PodStatus;

it('what others wrote beside it does not count', () => {
  const others = [{ type: 'PodScheduled', status: 'True' }, ...(written.conditions ?? [])];
  const told = { ...written, qosClass: 'Burstable', nominatedNodeName: 'h1', conditions: others } as PodStatus;
  assert.equal(holdsStatus(told, written), true);
});

it('an older word about phase, condition, container or address does', () => {
  const changes: Partial<PodStatus>[] = [
    { phase: 'Pending' },
    { conditions: [{ type: 'Ready', status: 'False' }] },
    { conditions: [] },
    { podIPs: [] },
    {
      containerStatuses: [{ name: 'main', ready: false, state: { waiting: { reason: 'ContainerCreating' } } }] as never,
    },
  ];
  for (const change of changes) assert.equal(holdsStatus({ ...written, ...change }, written), false);
  assert.equal(holdsStatus(undefined, written), false);
});
