import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerObservation } from '../../adapters/runtime/port.ts';
import type { ContainerFacts } from './container-status.ts';
import { type PodStatusInput, renderPodStatus } from './status.ts';
import { containerOf, podOf } from './test-objects.ts';

const render = (containers: ContainerObservation[], more: Partial<PodStatusInput & ContainerFacts> = {}) =>
  renderPodStatus({
    pod: podOf(),
    containers,
    podAddresses: ['10.80.0.2'],
    hostAddresses: ['192.0.2.1'],
    factsOf: () => ({ isProbedReady: true, isStarted: true, crashes: 0, lastAttempt: containers.length - 1, ...more }),
    messages: new Map(),
    wallMs: Date.UTC(2026, 0, 1, 12),
    ...more,
  });
const conditionOf = (status: ReturnType<typeof render>, type: string) =>
  status.conditions?.find((one) => one.type === type);

describe('status of a pod', () => {
  it('is Pending with a reason before anything runs', () => {
    const status = render([], { podAddresses: [] });
    assert.equal(status.phase, 'Pending');
    assert.equal(status.containerStatuses?.[0]?.state?.waiting?.reason, 'ContainerCreating');
    assert.equal(status.podIP, undefined);
  });
  it('says why it waits', () => {
    const waiting = { reason: 'ErrImagePull', message: 'image "acme/web:9" not found' };
    assert.deepEqual(render([], { waiting }).containerStatuses?.[0]?.state, { waiting });
  });
  it('is Running and Ready with addresses as lists', () => {
    const status = render([containerOf(0, 'running')]);
    assert.equal(status.phase, 'Running');
    assert.equal(conditionOf(status, 'Ready')?.status, 'True');
    assert.deepEqual(status.podIPs, [{ ip: '10.80.0.2' }]);
    assert.deepEqual(status.containerStatuses?.[0]?.state, { running: { startedAt: '2026-01-01T00:00:01Z' } });
    assert.equal(status.containerStatuses?.[0]?.containerID, 'docker://c0');
  });
  it('is not Ready while the probe fails', () => {
    const status = render([containerOf(0, 'running')], { isProbedReady: false });
    assert.equal(conditionOf(status, 'Ready')?.status, 'False');
    assert.equal(conditionOf(status, 'Ready')?.message, 'containers with unready status: [web]');
  });
  it('shows a crash loop with the last end beside it', () => {
    const status = render([containerOf(3, 'exited', { exitCode: 3 })], { crashes: 3, lastAttempt: 3 });
    const one = status.containerStatuses?.[0];
    assert.equal(status.phase, 'Running');
    assert.equal(one?.state?.waiting?.reason, 'CrashLoopBackOff');
    assert.match(one?.state?.waiting?.message ?? '', /^back-off 4s /);
    assert.equal(one?.lastState?.terminated?.exitCode, 3);
    assert.equal(one?.restartCount, 3);
  });
  it('names what killed a container', () => {
    const oom = containerOf(0, 'exited', { exitCode: 137, wasOomKilled: true });
    const ended = render([oom], { pod: podOf({}, {}, { restartPolicy: 'Never' }) }).containerStatuses?.[0]?.state;
    assert.equal(ended?.terminated?.reason, 'OOMKilled');
    assert.equal(ended?.terminated?.signal, 9);
  });
  it('shows a command that does not exist as such', () => {
    const failed = containerOf(0, 'exited', { exitCode: 127, error: 'exec: "nope": not found' });
    const state = render([failed]).containerStatuses?.[0]?.state;
    assert.deepEqual(state, { waiting: { reason: 'RunContainerError', message: 'exec: "nope": not found' } });
  });
  it('ends as Succeeded or Failed where nothing starts again', () => {
    const pod = podOf({}, {}, { restartPolicy: 'OnFailure' });
    assert.equal(render([containerOf(0, 'exited', { exitCode: 0 })], { pod }).phase, 'Succeeded');
    const never = podOf({}, {}, { restartPolicy: 'Never' });
    assert.equal(render([containerOf(0, 'exited')], { pod: never }).phase, 'Failed');
    assert.equal(render([], { pod: never, lastAttempt: 0 }).containerStatuses?.[0]?.state?.terminated?.exitCode, 137);
  });
  it('never comes back from an end', () => {
    const pod = podOf({}, {}, { restartPolicy: 'Never' }, 'Failed');
    assert.equal(render([], { pod, lastAttempt: -1 }).phase, 'Failed');
  });
  it('is Failed with the reason when the node has no room', () => {
    const refusal = { reason: 'OutOfcpu', message: 'too much' };
    const status = render([], { refusal });
    assert.deepEqual([status.phase, status.reason, status.containerStatuses], ['Failed', 'OutOfcpu', []]);
  });
  it('keeps the time of a condition that did not change, and writes only its own', () => {
    const before = { type: 'Ready', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' };
    const foreign = { type: 'PodScheduled', status: 'True' };
    const pod = { ...podOf(), status: { conditions: [before, foreign] } };
    const status = render([containerOf(0, 'running')], { pod });
    assert.equal(conditionOf(status, 'Ready')?.lastTransitionTime, '2025-01-01T00:00:00Z');
    assert.equal(conditionOf(status, 'PodScheduled'), undefined);
  });
});
