// sig-network, Ingress and IngressClass: the API of them. What proxies do with them is tested in the lab.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1APIGroup, V1APIGroupList, V1APIResourceList, V1Ingress, V1IngressClass } from '@kubernetes/client-node';
import { conformance, gone, mergePatch, randomName, type Scene } from './scene.ts';

async function isDiscovered({ raw }: Scene, plural: string): Promise<void> {
  const groups = (await raw<V1APIGroupList>('GET', '/apis')).body.groups.map(({ name }) => name);
  assert.ok(groups.includes('networking.k8s.io'));
  const group = (await raw<V1APIGroup>('GET', '/apis/networking.k8s.io')).body;
  assert.ok(group.versions.some(({ version }) => version === 'v1'));
  const resources = (await raw<V1APIResourceList>('GET', '/apis/networking.k8s.io/v1')).body.resources;
  assert.ok(resources.some(({ name }) => name === plural));
}

describe('Ingress', () => {
  conformance('Ingress API', async (scene) => {
    const { networking, namespace, raw } = scene;
    await isDiscovered(scene, 'ingresses');
    const special = randomName('special');
    const labelSelector = `special=${special}`;
    const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`;
    const backend = (name: string) => ({ service: { name, port: { number: 80 } } });
    const template = (): V1Ingress => ({
      metadata: { generateName: 'one-', labels: { special } },
      spec: {
        defaultBackend: backend('default-backend'),
        rules: [
          {
            host: `${special}.example.org`,
            http: { paths: [{ path: '/', pathType: 'ImplementationSpecific', backend: backend('test-backend') }] },
          },
        ],
      },
    });
    for (let at = 0; at < 2; at++) await networking.createNamespacedIngress({ namespace, body: template() });
    const made = await networking.createNamespacedIngress({ namespace, body: template() });
    const name = made.metadata?.name ?? '';
    assert.equal((await networking.readNamespacedIngress({ namespace, name })).metadata?.uid, made.metadata?.uid);
    assert.equal((await networking.listNamespacedIngress({ namespace, labelSelector })).items.length, 3);
    const everywhere = await networking.listIngressForAllNamespaces({ labelSelector });
    assert.equal(everywhere.items.length, 3);

    const resourceVersion = everywhere.metadata?.resourceVersion ?? '';
    const watching = await scene.watch<V1Ingress>(path, { labelSelector, resourceVersion });
    const body = { metadata: { annotations: { patched: 'true' } } };
    const patched = await networking.patchNamespacedIngress({ namespace, name, body }, mergePatch);
    assert.equal(patched.metadata?.annotations?.patched, 'true');

    /** What others write meanwhile is no failure: the status is a controller's. */
    const replaceNewest = async (change: (ingress: V1Ingress) => V1Ingress, isStatus: boolean): Promise<V1Ingress> => {
      for (;;) {
        const next = change(await networking.readNamespacedIngress({ namespace, name }));
        try {
          const request = { namespace, name, body: next };
          return isStatus
            ? await networking.replaceNamespacedIngressStatus(request)
            : await networking.replaceNamespacedIngress(request);
        } catch (error) {
          if ((error as { code?: number }).code !== 409) throw error;
        }
      }
    };
    const annotated = (one: V1Ingress, key: string): V1Ingress => ({
      ...one,
      metadata: { ...one.metadata, annotations: { ...one.metadata?.annotations, [key]: 'true' } },
    });
    const updated = await replaceNewest((one) => annotated(one, 'updated'), false);
    assert.equal(updated.metadata?.annotations?.updated, 'true');
    for (const key of ['patched', 'updated']) {
      await watching.until(
        key,
        ({ type, object }) => type === 'MODIFIED' && object.metadata?.annotations?.[key] === 'true',
      );
    }

    const addresses = (ip: string) => ({ loadBalancer: { ingress: [{ ip }] } });
    const status = { metadata: { annotations: { patchedstatus: 'true' } }, status: addresses('169.1.1.1') };
    const withStatus = await networking.patchNamespacedIngressStatus({ namespace, name, body: status }, mergePatch);
    assert.equal(withStatus.status?.loadBalancer?.ingress?.[0]?.ip, '169.1.1.1');
    assert.equal(withStatus.metadata?.annotations?.patchedstatus, 'true');
    const replaced = await replaceNewest((one) => ({ ...one, status: addresses('169.1.1.2') }), true);
    assert.equal(replaced.status?.loadBalancer?.ingress?.[0]?.ip, '169.1.1.2');
    const read = await raw<V1Ingress>('GET', `${path}/${name}/status`);
    assert.equal(read.body.metadata?.uid, made.metadata?.uid);

    await networking.deleteNamespacedIngress({ namespace, name });
    await gone(() => networking.readNamespacedIngress({ namespace, name }));
    assert.equal((await networking.listNamespacedIngress({ namespace, labelSelector })).items.length, 2);
    await networking.deleteCollectionNamespacedIngress({ namespace, labelSelector });
    assert.deepEqual((await networking.listNamespacedIngress({ namespace, labelSelector })).items, []);
  });

  conformance('IngressClass API', async (scene) => {
    const { networking } = scene;
    await isDiscovered(scene, 'ingressclasses');
    const special = randomName('special');
    const labelSelector = `special=${special}`;
    const classOf = (at: number): V1IngressClass => ({
      metadata: { name: `${special}-${at}`, labels: { special } },
      spec: { controller: 'example.com/controller' },
    });
    const made = await networking.createIngressClass({ body: classOf(1) });
    for (const at of [2, 3]) await networking.createIngressClass({ body: classOf(at) });
    const name = made.metadata?.name ?? '';
    const read = await networking.readIngressClass({ name });
    assert.deepEqual([read.metadata?.uid, read.spec?.controller], [made.metadata?.uid, 'example.com/controller']);
    const list = await networking.listIngressClass({ labelSelector });
    assert.equal(list.items.length, 3);
    const watching = await scene.watch<V1IngressClass>('/apis/networking.k8s.io/v1/ingressclasses', {
      labelSelector,
      resourceVersion: list.metadata?.resourceVersion ?? '',
    });
    const body = { metadata: { annotations: { patched: 'true' } } };
    const patched = await networking.patchIngressClass({ name, body }, mergePatch);
    assert.equal(patched.metadata?.annotations?.patched, 'true');
    patched.metadata = { ...patched.metadata, annotations: { ...patched.metadata?.annotations, updated: 'true' } };
    const replaced = await networking.replaceIngressClass({ name, body: patched });
    assert.equal(replaced.metadata?.annotations?.updated, 'true');
    await watching.until(
      'the update',
      ({ type, object }) => type === 'MODIFIED' && object.metadata?.annotations?.updated === 'true',
    );
    await networking.deleteIngressClass({ name });
    await gone(() => networking.readIngressClass({ name }));
    assert.equal((await networking.listIngressClass({ labelSelector })).items.length, 2);
    await networking.deleteCollectionIngressClass({ labelSelector });
    assert.deepEqual((await networking.listIngressClass({ labelSelector })).items, []);
  });
});
