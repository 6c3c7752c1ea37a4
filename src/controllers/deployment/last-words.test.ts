import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event, Pod } from '../../resources/kinds.ts';
import { samplePod } from '../sample-objects.ts';
import { type LastWordsInput, lastWords } from './last-words.ts';

const running = samplePod({ name: 'web-1', nodeName: 'h1', isReady: false, phase: 'Running' });
const crashed: Pod = {
  ...samplePod({ name: 'web-2', nodeName: 'h1', isReady: false, phase: 'Running' }),
  status: {
    phase: 'Running',
    containerStatuses: [
      {
        ...{ name: 'web', image: 'web', imageID: '', ready: false, restartCount: 3 },
        state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } },
        lastState: { terminated: { exitCode: 7 } },
      },
    ],
  },
};

function event(uid: string, lastTimestamp: string, message: string): Event {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: message },
    involvedObject: { kind: 'Pod', name: 'web-1', uid },
    lastTimestamp,
    message,
  };
}

/** What is asked, and what is answered. */
function world(pods: readonly Pod[], events: readonly Event[], readPodLog?: LastWordsInput['readPodLog']) {
  const asked: string[] = [];
  const client = {
    grid: 'main',
    list: async (_kind: unknown, { fieldSelector = '' }: { fieldSelector?: string }) => {
      asked.push(fieldSelector);
      return { resourceVersion: '1', items: events };
    },
  } as unknown as LastWordsInput['client'];
  const { signal } = new AbortController();
  return { asked, words: () => lastWords({ pods, client, readPodLog, signal }) };
}

describe('last words of a rollout', () => {
  it('are of the instance that has most to say, with the check that failed last', async () => {
    const events = [
      event('uid-web-1', '2026-01-01T00:00:01Z', 'Readiness probe failed: early'),
      event('uid-web-1', '2026-01-01T00:00:09Z', 'Readiness probe failed: HTTP probe failed with statuscode: 500'),
      event('uid-of-another', '2026-01-01T00:00:10Z', 'of a pod that had its name before'),
    ];
    const { asked, words } = world([running], events);
    assert.deepEqual(await words(), {
      why: 'instance web-1 runs and is not ready: Readiness probe failed: HTTP probe failed with statuscode: 500',
      lines: [],
    });
    assert.deepEqual(asked, ['involvedObject.name=web-1,reason=Unhealthy']);
    const crash = await world([running, crashed], []).words();
    assert.match(crash.why, /^instance web-2 ended with exit code 7 and is restarted \(3 times so far\)$/);
  });

  it('have the end of the log, also of the container before, each line short', async () => {
    const wanted: boolean[] = [];
    const { words } = world([crashed], [], async (grid, pod, { previous, tailLines }) => {
      assert.deepEqual([grid, pod.metadata.name, tailLines], ['main', 'web-2', 10]);
      wanted.push(previous);
      return previous ? ['no database', 'x'.repeat(5_000)] : [];
    });
    const { lines } = await words();
    assert.deepEqual(wanted, [false, true]);
    assert.deepEqual(
      lines.map((line) => line.length),
      [11, 300],
    );
  });

  it('do without what cannot be asked', async () => {
    const { words } = world([crashed], [], async () => {
      throw new Error('node "h1" is not connected to this server');
    });
    assert.deepEqual((await words()).lines, []);
    assert.deepEqual(await world([], []).words(), { why: 'no instance of it could be made', lines: [] });
  });
});
