import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RuntimeInfo } from '../../adapters/runtime/port.ts';
import { type NodeFacts, renderNodeStatus } from './node-status.ts';

const gibibyte = 2 ** 30;
const engine = {
  engine: 'docker',
  version: '26.1',
  cpus: 2,
  memoryBytes: 4 * gibibyte,
  architecture: 'x86_64',
  kernelVersion: '6.1',
  operatingSystem: 'Debian',
} as RuntimeInfo;
const facts: NodeFacts = {
  nodeName: 'h1',
  addresses: ['192.0.2.1', '2001:db8::1'],
  version: '0.1.0',
  engine,
  disk: { totalBytes: 100 * gibibyte, freeBytes: 50 * gibibyte },
  memoryAvailableBytes: gibibyte,
  bootId: 'boot',
  machineId: 'machine',
};
const statusOf = (more: Partial<NodeFacts> = {}, previous = renderNodeStatus(facts, undefined, [], 0).conditions) =>
  renderNodeStatus({ ...facts, ...more }, undefined, previous ?? [], 60_000);
const conditionOf = (status: ReturnType<typeof statusOf>, type: string) =>
  status.conditions?.find((one) => one.type === type);

describe('what a node says of itself', () => {
  it('addresses as a list, capacity, and what is kept back of the memory', () => {
    const { addresses, capacity, allocatable, nodeInfo } = statusOf();
    assert.deepEqual(
      addresses?.map(({ type, address }) => `${type} ${address}`),
      ['InternalIP 192.0.2.1', 'InternalIP 2001:db8::1', 'Hostname h1'],
    );
    assert.deepEqual([capacity?.cpu, capacity?.memory, capacity?.pods], ['2', '4194304Ki', '110']);
    assert.equal(allocatable?.memory, `${Math.floor(4_194_304 * 0.95)}Ki`);
    assert.deepEqual([nodeInfo?.architecture, nodeInfo?.containerRuntimeVersion], ['amd64', 'docker://26.1']);
  });

  it('what was given at start counts, in full', () => {
    const given = { cpuMillis: 1500, memoryBytes: gibibyte, pods: 5 };
    const { capacity, allocatable } = renderNodeStatus(facts, given, [], 0);
    for (const amounts of [capacity, allocatable]) {
      assert.deepEqual([amounts?.cpu, amounts?.memory, amounts?.pods], ['1500m', '1048576Ki', '5']);
    }
  });

  const cases: [what: string, more: Partial<NodeFacts>, expected: Record<string, string>][] = [
    ['all is well', {}, { Ready: 'True', EngineReachable: 'True', NetworkUnavailable: 'False' }],
    [
      'an engine that is away',
      { engineProblem: 'no answer' },
      { Ready: 'False', EngineReachable: 'False', NetworkUnavailable: 'False' },
    ],
    ['a host that goes down', { isEnding: true }, { Ready: 'False', EngineReachable: 'True' }],
    ['no network', { networkProblem: 'no range' }, { Ready: 'False', NetworkUnavailable: 'True' }],
    [
      'a full disk',
      { disk: { totalBytes: 100 * gibibyte, freeBytes: 4 * gibibyte } },
      { Ready: 'True', DiskPressure: 'True', MemoryPressure: 'False' },
    ],
    [
      'no memory left',
      { memoryAvailableBytes: 2 ** 20 },
      { Ready: 'True', DiskPressure: 'False', MemoryPressure: 'True' },
    ],
  ];
  for (const [what, more, expected] of cases) {
    it(what, () => {
      const status = statusOf(more);
      for (const [type, value] of Object.entries(expected))
        assert.equal(conditionOf(status, type)?.status, value, type);
    });
  }

  it('an engine that has never answered: not Ready, no amounts', () => {
    const { engine: _, ...without } = facts;
    const status = renderNodeStatus(without, undefined, [], 0);
    assert.equal(conditionOf(status, 'Ready')?.message, 'the engine has not answered yet');
    assert.equal(status.capacity, undefined);
  });

  it('why it is not Ready is in the message, and only a change has a new time', () => {
    const before = statusOf().conditions;
    const after = renderNodeStatus({ ...facts, engineProblem: 'no answer' }, undefined, before ?? [], 120_000);
    assert.equal(conditionOf(after, 'Ready')?.message, 'no answer');
    assert.equal(conditionOf(after, 'Ready')?.lastTransitionTime, '1970-01-01T00:02:00Z');
    assert.equal(conditionOf(after, 'DiskPressure')?.lastTransitionTime, '1970-01-01T00:00:00Z');
    assert.equal(conditionOf(after, 'DiskPressure')?.lastHeartbeatTime, '1970-01-01T00:02:00Z');
  });
});
