import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import type { ConfigMap } from '../../resources/kinds.ts';
import { PodRecord } from './pod-record.ts';
import { mountedKeysOf } from './references.ts';
import { containerOf, podOf } from './test-objects.ts';
import { createVolumeRefresher } from './volume-refresher.ts';

const volumes = [
  { name: 'conf', configMap: { name: 'conf' } },
  { name: 'labels', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
];
const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));

function start() {
  const clock = new ManualClock();
  const state = {
    data: 'one',
    renewAtMs: undefined as number | undefined,
    written: [] as string[],
    followed: [] as string[],
  };
  const woken: string[] = [];
  const refresher = createVolumeRefresher({
    grid: 'main',
    clock,
    log: silentLogger,
    references: {
      read: async () => ({
        configMap: () => ({ metadata: { name: 'conf' }, data: { key: state.data } }) as unknown as ConfigMap,
        secret: () => undefined,
        token: () => undefined,
        renewAtMs: state.renewAtMs,
      }),
      follow: (pods) => {
        state.followed = [...pods].flatMap(mountedKeysOf);
      },
    },
    files: {
      directories: () => ({ disk: '/d', memory: '/m' }),
      refresh: async (_uid, planned) => {
        for (const volume of planned) {
          if (volume.type === 'files') state.written.push(volume.files.map(({ data }) => data.toString()).join());
        }
      },
    },
    wake: (uid) => void woken.push(uid),
  });
  const record = new PodRecord('uid-1');
  record.pod = podOf({ volumeMounts }, { labels: { a: '1' } }, { volumes });
  record.isDesired = true;
  record.hasFiles = true;
  record.observe(containerOf(0, 'running'), 0);
  const written = async () => {
    await clock.advance(0);
    return state.written.splice(0);
  };
  return { clock, state, refresher, record, woken, written };
}

describe('files of running pods', () => {
  it('are looked at when the agent starts, and when a ConfigMap or a label changes; not otherwise', async () => {
    const { refresher, record, state, woken, written } = start();
    refresher.track(record);
    assert.deepEqual(await written(), ['one', 'a="1"']);
    assert.deepEqual(state.followed, ['ConfigMap/shop/conf']);
    refresher.track(record);
    refresher.changed('ConfigMap/shop/other');
    assert.deepEqual(await written(), []);
    state.data = 'two';
    refresher.changed('ConfigMap/shop/conf');
    assert.deepEqual(await written(), ['two', 'a="1"']);
    assert.deepEqual(woken, ['uid-1']);
    record.pod = podOf({ volumeMounts }, { labels: { a: '2' } }, { volumes });
    refresher.track(record);
    assert.deepEqual(await written(), ['two', 'a="2"']);
  });

  it('are written anew when a token is due', async () => {
    const { clock, refresher, record, state, written } = start();
    state.renewAtMs = 60_000;
    refresher.track(record);
    await written();
    await clock.advance(59_000);
    assert.deepEqual(await written(), []);
    state.renewAtMs = undefined;
    await clock.advance(1_000);
    assert.equal((await written()).length, 2);
  });

  it('are left alone once the pod is being deleted or gone, and nothing is followed for it', async () => {
    const { refresher, record, state, written } = start();
    refresher.track(record);
    await written();
    record.isDesired = false;
    refresher.track(record);
    refresher.changed('ConfigMap/shop/conf');
    assert.deepEqual(await written(), []);
    assert.deepEqual(state.followed, []);
  });
});
