import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerStatus } from 'kubernetes-types/core/v1.js';
import type { Pod } from '../../resources/kinds.ts';
import { podTrouble } from '../pod-trouble.ts';
import { type SamplePod, samplePod } from '../sample-objects.ts';
import { serviceState } from './service-state.ts';

function pod(given: Omit<SamplePod, 'name'>, container?: Partial<ContainerStatus>, status: Pod['status'] = {}): Pod {
  const made = samplePod({ name: 'web-1', ...given });
  const containerStatuses = container
    ? [{ name: 'web', image: 'web:9', imageID: '', ready: false, restartCount: 0, ...container }]
    : [];
  return { ...made, status: { ...made.status, ...status, containerStatuses } };
}

const placed = { nodeName: 'h1' };
const unschedulable = {
  conditions: [
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0 of 1 node can run it: 1 is cordoned',
    },
  ],
};
const crashed = { terminated: { exitCode: 3 } };

describe('what keeps an instance from being ready', () => {
  const cases: [string, Pod, string, string][] = [
    ['no node yet', pod({}), 'Starting', 'instance web-1 waits for a node'],
    [
      'no node can',
      pod({}, undefined, unschedulable),
      'Unschedulable',
      'instance web-1 has no node: 0 of 1 node can run it: 1 is cordoned',
    ],
    [
      'image',
      pod(placed, { state: { waiting: { reason: 'ErrImagePull', message: 'manifest unknown' } } }),
      'ImagePullFailed',
      'instance web-1 cannot get its image: manifest unknown',
    ],
    [
      'image name that cannot be pulled, without words',
      pod(placed, { state: { waiting: { reason: 'InvalidImageName' } } }),
      'ImagePullFailed',
      'instance web-1 cannot get its image: web:9',
    ],
    [
      'crash loop',
      pod(placed, { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: crashed, restartCount: 2 }),
      'CrashLoop',
      'instance web-1 ended with exit code 3 and is restarted (2 times so far)',
    ],
    [
      'pulling',
      pod(placed, { state: { waiting: { reason: 'ContainerCreating', message: 'pulling image "web:9", 40 %' } } }),
      'Starting',
      'instance web-1 is being started on h1: pulling image "web:9", 40 %',
    ],
    [
      'missing secret',
      pod(placed, { state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "x" not found' } } }),
      'CreateContainerConfigError',
      'instance web-1 cannot start: secret "x" not found',
    ],
    [
      'memory',
      pod({ ...placed, phase: 'Failed' }, { state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }),
      'Failed',
      'instance web-1 used more memory than its limit and was killed',
    ],
    [
      'refused by its node',
      pod({ ...placed, phase: 'Failed' }, undefined, { phase: 'Failed', message: 'host port 80 is in use' }),
      'Failed',
      'instance web-1 failed: host port 80 is in use',
    ],
    ['probe', pod({ ...placed, isReady: false, phase: 'Running' }), 'NotReady', 'instance web-1 runs and is not ready'],
    ['lost', pod({ ...placed, isReady: true, isLost: true }), 'NodeLost', 'instance web-1 is on h1, which is silent'],
  ];
  for (const [name, one, reason, message] of cases) {
    it(name, () => {
      const trouble = podTrouble(one, false);
      assert.deepEqual([trouble?.reason, trouble?.message], [reason, message]);
    });
  }
});

describe('state of a service', () => {
  const ready = samplePod({ name: 'a', ...placed, isReady: true });
  it('is healthy when all instances of the newest template are ready', () => {
    const state = serviceState({ instances: 1, newest: [ready], mayEnd: false, olderCount: 0 });
    assert.deepEqual(state, {
      instances: 1,
      updated: 1,
      ready: 1,
      isStarted: true,
      isHealthy: true,
      isCompleted: false,
    });
  });
  it('is still rolling while earlier instances are there', () => {
    const state = serviceState({ instances: 1, newest: [ready], mayEnd: false, olderCount: 1 });
    assert.equal(state.trouble?.message, '1 instance of the earlier version is still there');
  });
  it('is not there before every node sends it requests', () => {
    const given = { instances: 1, newest: [ready], mayEnd: false, olderCount: 0 };
    const { trouble, isHealthy } = serviceState({ ...given, available: 0 });
    assert.deepEqual([trouble?.reason, trouble?.isStuck, isHealthy], ['Routing', false, true]);
    assert.equal(serviceState({ ...given, available: 1 }).trouble, undefined);
  });
  it('does not complain of a lost instance that has been replaced', () => {
    const lost = samplePod({ name: 'b', ...placed, isReady: true, isLost: true });
    assert.equal(
      serviceState({ instances: 1, newest: [ready, lost], mayEnd: false, olderCount: 0 }).trouble,
      undefined,
    );
  });
  it('is completed when all that may end ended well', () => {
    const done = samplePod({ name: 'a', ...placed, phase: 'Succeeded' });
    const state = serviceState({ instances: 1, newest: [done], mayEnd: true, olderCount: 0 });
    assert.deepEqual([state.isCompleted, state.isHealthy, state.trouble], [true, true, undefined]);
  });
});
