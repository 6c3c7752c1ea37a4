import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hostLabels } from '../../resources/names.ts';
import { PodRecord } from './pod-record.ts';
import { containerOf } from './test-objects.ts';

describe('what an agent knows of a pod after its own restart', () => {
  it('goes on counting crashes where the container says, not by all attempts ever made', () => {
    const record = new PodRecord('u');
    const container = containerOf(9, 'running');
    record.observe({ ...container, labels: { ...container.labels, [hostLabels.crashes]: '2' } }, 0);
    const { lastAttempt, crashes } = record.member('web');
    assert.deepEqual([lastAttempt, crashes], [9, 2]);
  });

  it('a container that the engine lost while both were off ended with its host', () => {
    const record = new PodRecord('u');
    const container = containerOf(0, 'exited', { exitCode: 255 });
    record.observe(container, 0);
    assert.ok(record.local(true).endedWithHost.has(container.id));
  });

  it('one that was seen running and ends with the same code has crashed', () => {
    const record = new PodRecord('u');
    record.observe(containerOf(0, 'running'), 0);
    record.observe(containerOf(0, 'exited', { exitCode: 255 }), 1);
    assert.equal(record.local(true).endedWithHost.size, 0);
  });

  it('so has one that was found ended with another code', () => {
    const record = new PodRecord('u');
    record.observe(containerOf(0, 'exited', { exitCode: 1 }), 0);
    assert.equal(record.local(true).endedWithHost.size, 0);
  });
});
