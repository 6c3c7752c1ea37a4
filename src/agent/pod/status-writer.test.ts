import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodStatus } from 'kubernetes-types/core/v1.js';
import { ApiError } from '../../client/api-error.ts';
import type { Client, Patch } from '../../client/client.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { createStatusWriter } from './status-writer.ts';
import { podOf } from './test-objects.ts';

/** A writer of one pod whose phase is what `phase` holds; `onPatch` happens before the server answers. */
function start(onPatch: (count: number) => Promise<void>) {
  const written: string[] = [];
  const said = { phase: 'Pending' };
  const client = {
    patch: async (_kind: unknown, _ref: unknown, patch: Patch) => {
      await onPatch(written.push((patch.body as { status: PodStatus }).status.phase ?? ''));
    },
  } as unknown as Client;
  const clock = new ManualClock();
  const writer = createStatusWriter({
    client,
    clock,
    log: silentLogger,
    render: () => ({ pod: podOf(), status: { phase: said.phase } }),
  });
  const change = (phase: string) => {
    said.phase = phase;
    writer.update('uid-1');
  };
  return { writer, change, written, clock };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('writing the status of a pod', () => {
  it('loses no change, at whatever moment it comes', async () => {
    for (let turns = 0; turns < 10; turns++) {
      const { change, written, writer } = start(async (count) => {
        if (count > 1) return;
        const later = (left: number): void => queueMicrotask(() => (left > 0 ? later(left - 1) : change('Running')));
        later(turns);
      });
      change('Pending');
      await settled();
      assert.deepEqual(written, ['Pending', 'Running'], `after ${turns} turns`);
      await writer.stop();
    }
  });

  it('a refused one does not take a newer one with it', async () => {
    const { change, written, writer } = start(async (count) => {
      if (count > 1) return;
      await settled();
      change('Running');
      throw new ApiError({ code: 422, reason: 'Invalid', message: 'no' });
    });
    change('Pending');
    await settled();
    await settled();
    assert.deepEqual(written, ['Pending', 'Running']);
    await writer.stop();
  });

  it('is written again when an older write comes late, and only then', async () => {
    const { change, written, writer, clock } = start(async () => {});
    const tell = (phase: string) => writer.told('uid-1', { ...podOf(), status: { phase } });
    change('Pending');
    await settled();
    change('Running');
    await settled();
    tell('Pending'); // the echo of the first
    await clock.advance(500);
    tell('Running');
    await clock.advance(10_000);
    assert.deepEqual(written, ['Pending', 'Running'], 'an echo is no reason');
    tell('Pending');
    await clock.advance(1_000);
    await settled();
    assert.deepEqual(written, ['Pending', 'Running', 'Running']);
    tell('Running');
    await clock.advance(100_000);
    assert.equal(written.length, 3);
    await writer.stop();
  });

  it('asks less and less often for what never comes to be', async () => {
    const { change, written, writer, clock } = start(async () => {});
    change('Running');
    await settled();
    for (let seconds = 0; seconds < 60; seconds++) {
      writer.told('uid-1', { ...podOf(), status: { phase: 'Pending' } });
      await clock.advance(1_000);
      await settled();
    }
    assert.ok(written.length > 3 && written.length < 9, `${written.length} writes in a minute`);
    await writer.stop();
  });

  it('says the same once, tries again when nobody answers, and ends with the pod', async () => {
    const { change, written, writer, clock } = start(async (count) => {
      if (count === 1) throw new Error('nobody there');
    });
    change('Pending');
    await settled();
    await clock.advance(5_000);
    change('Pending');
    await settled();
    assert.deepEqual(written, ['Pending', 'Pending']);
    writer.forget('uid-1');
    await writer.stop();
  });
});
