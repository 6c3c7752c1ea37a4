// sig-api-machinery: watches.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { type Change, conformance, type Scene, strategicPatch, type Watching } from './scene.ts';

const label = 'watch-this-configmap';

function pathOf({ namespace }: Scene): string {
  return `/api/v1/namespaces/${namespace}/configmaps`;
}

async function make({ core, namespace }: Scene, name: string, value: string): Promise<V1ConfigMap> {
  return await core.createNamespacedConfigMap({ namespace, body: { metadata: { name, labels: { [label]: value } } } });
}

async function mutate(
  { core, namespace }: Scene,
  name: string,
  mutation: string,
  value?: string,
): Promise<V1ConfigMap> {
  const metadata = value === undefined ? {} : { labels: { [label]: value } };
  return await core.patchNamespacedConfigMap(
    { namespace, name, body: { data: { mutation }, metadata } },
    strategicPatch,
  );
}

const versionOf = ({ metadata }: V1ConfigMap) => metadata?.resourceVersion ?? '';
const story = (changes: readonly Change<V1ConfigMap>[]) =>
  changes.map(({ type, object }) => `${type} ${object.metadata?.name} ${object.data?.mutation ?? '-'}`);

/** Until the last of the lines has come; then all must be as told. */
async function tells(watching: Watching<V1ConfigMap>, lines: readonly string[]): Promise<void> {
  await watching.until(lines.join(', '), () => watching.changes.length >= lines.length);
  assert.deepEqual(story(watching.changes), lines);
}

describe('sig-api-machinery: watchers', { concurrency: 5 }, () => {
  conformance('watch-configmaps-with-multiple-watchers', async (scene) => {
    const { core, namespace } = scene;
    const watch = (labelSelector: string) => scene.watch<V1ConfigMap>(pathOf(scene), { labelSelector });
    const onA = await watch(`${label}=A`);
    const onB = await watch(`${label}=B`);
    const onBoth = await watch(`${label} in (A,B)`);
    await make(scene, 'a', 'A');
    await mutate(scene, 'a', '1');
    await mutate(scene, 'a', '2');
    await core.deleteNamespacedConfigMap({ namespace, name: 'a' });
    await make(scene, 'b', 'B');
    await core.deleteNamespacedConfigMap({ namespace, name: 'b' });
    const ofA = ['ADDED a -', 'MODIFIED a 1', 'MODIFIED a 2', 'DELETED a 2'];
    const ofB = ['ADDED b -', 'DELETED b -'];
    await tells(onBoth, [...ofA, ...ofB]);
    await tells(onA, ofA);
    await tells(onB, ofB);
  });

  conformance('watch-configmaps-from-resource-version', async (scene) => {
    const { core, namespace } = scene;
    await make(scene, 'one', 'from');
    const first = await mutate(scene, 'one', '1');
    await mutate(scene, 'one', '2');
    await core.deleteNamespacedConfigMap({ namespace, name: 'one' });
    const watching = await scene.watch<V1ConfigMap>(pathOf(scene), {
      labelSelector: `${label}=from`,
      resourceVersion: versionOf(first),
    });
    await tells(watching, ['MODIFIED one 2', 'DELETED one 2']);
  });

  conformance('watch-configmaps-closed-and-restarted', async (scene) => {
    const { core, namespace } = scene;
    const labelSelector = `${label}=closed`;
    const first = await scene.watch<V1ConfigMap>(pathOf(scene), { labelSelector });
    await make(scene, 'one', 'closed');
    const { object } = await (async () => {
      await mutate(scene, 'one', '1');
      return await first.until('the first change', (change) => change.object.data?.mutation === '1');
    })();
    first.stop();
    await mutate(scene, 'one', '2');
    const second = await scene.watch<V1ConfigMap>(pathOf(scene), { labelSelector, resourceVersion: versionOf(object) });
    await core.deleteNamespacedConfigMap({ namespace, name: 'one' });
    await tells(second, ['MODIFIED one 2', 'DELETED one 2']);
  });

  conformance('watch-configmaps-label-changed', async (scene) => {
    const { core, namespace } = scene;
    const watching = await scene.watch<V1ConfigMap>(pathOf(scene), { labelSelector: `${label}=wanted` });
    await make(scene, 'one', 'wanted');
    await mutate(scene, 'one', '1');
    await mutate(scene, 'one', '1', 'other');
    await mutate(scene, 'one', '2');
    await mutate(scene, 'one', '3', 'wanted');
    await core.deleteNamespacedConfigMap({ namespace, name: 'one' });
    await tells(watching, ['ADDED one -', 'MODIFIED one 1', 'DELETED one 1', 'ADDED one 3', 'DELETED one 3']);
  });

  conformance('watch-consistency', async (scene) => {
    const { core, namespace } = scene;
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    const first = await scene.watch<V1ConfigMap>(pathOf(scene), { resourceVersion: metadata?.resourceVersion ?? '' });
    const writes = 60;
    const producing = (async () => {
      for (let index = 0; index < writes; index += 1) {
        const name = `one-${index % 5}`;
        if (index < 5) await make(scene, name, 'x');
        else await mutate(scene, name, String(index));
      }
    })();
    const watches: Watching<V1ConfigMap>[] = [];
    for (let seen = 1; seen <= 10; seen += 1) {
      await first.until(`change ${seen}`, () => first.changes.length >= seen);
      const { object } = first.changes[seen - 1] ?? assert.fail();
      watches.push(await scene.watch<V1ConfigMap>(pathOf(scene), { resourceVersion: versionOf(object) }));
    }
    await producing;
    const versions = ({ changes }: Watching<V1ConfigMap>) => changes.map(({ object }) => versionOf(object));
    await first.until('all writes', () => first.changes.length >= writes);
    for (const [index, one] of watches.entries()) {
      await one.until('all later writes', () => one.changes.length >= writes - index - 1);
      assert.deepEqual(versions(one), versions(first).slice(index + 1));
    }
  });
});
