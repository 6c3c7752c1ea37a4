// sig-network, as far as it is about the API and the endpoints: addresses behind names are answered in the lab.
// Endpoints are read from EndpointSlices: the old Endpoints objects are not served.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type {
  V1APIGroup,
  V1APIGroupList,
  V1APIResourceList,
  V1EndpointSlice,
  V1Pod,
  V1Service,
} from '@kubernetes/client-node';
import {
  conformance,
  eventually,
  gone,
  mergePatch,
  podOf,
  randomName,
  runningPod,
  type Scene,
  strategicPatch,
} from './scene.ts';

const selector = { app: 'net' };

function serviceOf(
  name: string,
  ports: { name?: string; port: number; targetPort?: number | string; protocol?: string }[],
  more: Partial<V1Service['spec']> = {},
): V1Service {
  return { metadata: { name }, spec: { selector, ports, ...more } };
}

async function serving(
  scene: Scene,
  name: string,
  ports: { name?: string; containerPort: number; protocol?: string }[],
): Promise<V1Pod> {
  const containers = [{ name: 'main', image: 'web:1', ports }];
  await scene.core.createNamespacedPod({
    namespace: scene.namespace,
    body: podOf(name, { labels: selector }, { containers }),
  });
  return await runningPod(scene, name);
}

async function slicesOf({ discovery, namespace }: Scene, service: string): Promise<V1EndpointSlice[]> {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return (await discovery.listNamespacedEndpointSlice({ namespace, labelSelector })).items;
}

/** `pod: port/protocol` of all that is ready, sorted. */
async function reachable(scene: Scene, service: string): Promise<string[]> {
  const slices = await slicesOf(scene, service);
  return slices
    .flatMap(({ endpoints, ports }) =>
      endpoints
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ targetRef }) =>
          (ports ?? []).map(({ port, protocol }) => `${targetRef?.name}: ${port}/${protocol}`),
        ),
    )
    .sort();
}

async function serves(scene: Scene, service: string, wanted: string[]): Promise<void> {
  await eventually(async () => assert.deepEqual(await reachable(scene, service), wanted), 20_000);
}

async function changesType(scene: Scene, from: string, to: string): Promise<void> {
  const { core, namespace } = scene;
  const outside = { type: 'ExternalName', externalName: 'foo.example.com' };
  const inside = { ports: [{ port: 80 }], selector, type: from === 'ExternalName' ? to : from };
  await serving(scene, 'a', [{ containerPort: 80 }]);
  const spec = from === 'ExternalName' ? outside : inside;
  const made = await core.createNamespacedService({ namespace, body: { metadata: { name: 'one' }, spec } });
  checkType(made, from);
  if (from !== 'ExternalName') await serves(scene, 'one', ['a: 80/TCP']);
  const wanted = to === 'ExternalName' ? { ...outside, ports: [] } : { ...inside, externalName: '' };
  await core.patchNamespacedService({ namespace, name: 'one', body: { spec: wanted } }, mergePatch);
  checkType(await core.readNamespacedService({ namespace, name: 'one' }), to);
  if (to !== 'ExternalName') await serves(scene, 'one', ['a: 80/TCP']);
}

/** Addresses and node ports are there exactly where the type has them. */
function checkType({ spec }: V1Service, type: string): void {
  assert.equal(spec?.type, type);
  assert.equal(spec?.clusterIP === undefined, type === 'ExternalName');
  const nodePorts = (spec?.ports ?? []).flatMap(({ nodePort }) => nodePort ?? []);
  assert.equal(nodePorts.length, type === 'NodePort' ? 1 : 0);
  if (type === 'NodePort') assert.match(spec?.clusterIP ?? '', /^\d+\./);
}

describe('sig-network: services', { concurrency: 8 }, () => {
  conformance('Kubernetes Service', async ({ core }) => {
    const { spec } = await core.readNamespacedService({ namespace: 'default', name: 'kubernetes' });
    assert.equal(spec?.ports?.[0]?.name, 'https');
  });

  conformance('Find Kubernetes Service in default Namespace', async ({ core }) => {
    const { items } = await core.listServiceForAllNamespaces();
    assert.ok(items.some(({ metadata }) => metadata?.name === 'kubernetes' && metadata.namespace === 'default'));
  });

  conformance('Service, deletes a collection of services', async ({ core, namespace }) => {
    for (const [name, app] of [
      ['one', 'net'],
      ['two', 'net'],
      ['three', 'other'],
    ] as const)
      await core.createNamespacedService({
        namespace,
        body: { ...serviceOf(name, [{ port: 80 }]), metadata: { name, labels: { app } } },
      });
    assert.equal((await core.listNamespacedService({ namespace })).items.length, 3);
    await core.deleteCollectionNamespacedService({ namespace, labelSelector: 'app=net' });
    const left = await core.listNamespacedService({ namespace });
    assert.deepEqual(
      left.items.map(({ metadata }) => metadata?.name),
      ['three'],
    );
  });

  conformance('Service, complete ServiceStatus lifecycle', async (scene) => {
    const { core, namespace } = scene;
    const name = 'one';
    const watching = await scene.watch<V1Service>(`/api/v1/namespaces/${namespace}/services`, {
      labelSelector: 'test-service-static=true',
    });
    const labels = { 'test-service-static': 'true' };
    const made = await core.createNamespacedService({
      namespace,
      body: {
        ...serviceOf(name, [{ port: 80 }], { type: 'LoadBalancer', loadBalancerClass: 'example.com/internal-vip' }),
        metadata: { name, labels },
      },
    });
    await watching.until('creation', ({ type }) => type === 'ADDED');
    assert.equal((await core.readNamespacedServiceStatus({ namespace, name })).metadata?.uid, made.metadata?.uid);
    const patch = {
      metadata: { annotations: { patchedstatus: 'true' } },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
    };
    const patched = await core.patchNamespacedServiceStatus({ namespace, name, body: patch }, mergePatch);
    assert.equal(patched.status?.loadBalancer?.ingress?.[0]?.ip, '203.0.113.1');
    await watching.until('the annotation', ({ object }) => object.metadata?.annotations?.patchedstatus === 'true');
    await eventually(async () => {
      const read = await core.readNamespacedServiceStatus({ namespace, name });
      const conditions = [
        { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'by a test', lastTransitionTime: new Date() },
      ];
      const replaced = await core.replaceNamespacedServiceStatus({
        namespace,
        name,
        body: { ...read, status: { ...read.status, conditions } },
      });
      assert.equal(replaced.status?.conditions?.[0]?.type, 'StatusUpdate');
      assert.equal(replaced.status?.loadBalancer?.ingress?.[0]?.ip, '203.0.113.1');
    });
    await core.patchNamespacedService(
      { namespace, name, body: { metadata: { labels: { 'test-service': 'patched' } } } },
      strategicPatch,
    );
    await watching.until('the label', ({ object }) => object.metadata?.labels?.['test-service'] === 'patched');
    await core.deleteNamespacedService({ namespace, name });
    await watching.until('deletion', ({ type }) => type === 'DELETED');
  });

  conformance('Service, endpoints', async (scene) => {
    const { core, namespace } = scene;
    await core.createNamespacedService({ namespace, body: serviceOf('one', [{ port: 80, targetPort: 80 }]) });
    await serves(scene, 'one', []);
    await serving(scene, 'a', [{ containerPort: 80 }]);
    await serves(scene, 'one', ['a: 80/TCP']);
    await serving(scene, 'b', [{ containerPort: 80 }]);
    await serves(scene, 'one', ['a: 80/TCP', 'b: 80/TCP']);
    await core.deleteNamespacedPod({ namespace, name: 'a' });
    await serves(scene, 'one', ['b: 80/TCP']);
    await core.deleteNamespacedPod({ namespace, name: 'b' });
    await serves(scene, 'one', []);
  });

  conformance('Service, endpoints with multiple ports', async (scene) => {
    const { core, namespace } = scene;
    const ports = [
      { name: 'portname1', port: 80, targetPort: 'svc1' },
      { name: 'portname2', port: 81, targetPort: 'svc2' },
    ];
    await core.createNamespacedService({ namespace, body: serviceOf('one', ports) });
    await serves(scene, 'one', []);
    await serving(scene, 'a', [{ name: 'svc1', containerPort: 100 }]);
    await serves(scene, 'one', ['a: 100/TCP']);
    await serving(scene, 'b', [{ name: 'svc2', containerPort: 101 }]);
    await serves(scene, 'one', ['a: 100/TCP', 'b: 101/TCP']);
    await core.deleteNamespacedPod({ namespace, name: 'a' });
    await serves(scene, 'one', ['b: 101/TCP']);
    await core.deleteNamespacedPod({ namespace, name: 'b' });
    await serves(scene, 'one', []);
  });

  conformance('Service, should serve endpoints on same port and different protocols.', async (scene) => {
    const { core, namespace } = scene;
    const tcp = { name: 'tcp-port', port: 80, targetPort: 80, protocol: 'TCP' };
    const udp = { name: 'udp-port', port: 80, targetPort: 80, protocol: 'UDP' };
    await core.createNamespacedService({ namespace, body: serviceOf('one', [tcp, udp]) });
    await serving(scene, 'a', [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }]);
    await serves(scene, 'one', ['a: 80/TCP', 'a: 80/UDP']);
    for (const [left, wanted] of [
      [tcp, 'a: 80/TCP'],
      [udp, 'a: 80/UDP'],
    ] as const) {
      await eventually(async () => {
        const read = await core.readNamespacedService({ namespace, name: 'one' });
        await core.replaceNamespacedService({
          namespace,
          name: 'one',
          body: { ...read, spec: { ...read.spec, ports: [left] } },
        });
      });
      await serves(scene, 'one', [wanted]);
    }
  });

  conformance('Service, change type, ClusterIP to ExternalName', async (scene) => {
    await changesType(scene, 'ClusterIP', 'ExternalName');
  });

  conformance('Service, change type, ExternalName to ClusterIP', async (scene) => {
    await changesType(scene, 'ExternalName', 'ClusterIP');
  });

  conformance('Service, change type, ExternalName to NodePort', async (scene) => {
    await changesType(scene, 'ExternalName', 'NodePort');
  });

  conformance('Service, change type, NodePort to ExternalName', async (scene) => {
    await changesType(scene, 'NodePort', 'ExternalName');
  });

  conformance('Service endpoint latency, thresholds', async (scene) => {
    const { core, namespace } = scene;
    await serving(scene, 'a', [{ containerPort: 80 }]);
    const latencies: number[] = [];
    const slices = await scene.watch<V1EndpointSlice>(
      `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
    );
    for (let index = 0; index < 30; index += 1) {
      const startedMs = performance.now();
      const name = `latency-${index}`;
      await core.createNamespacedService({ namespace, body: serviceOf(name, [{ port: 80 }]) });
      await slices.until(
        name,
        ({ object }) =>
          object.metadata?.labels?.['kubernetes.io/service-name'] === name && object.endpoints.length === 1,
      );
      latencies.push(performance.now() - startedMs);
    }
    latencies.sort((a, b) => a - b);
    assert.ok((latencies[15] ?? Number.POSITIVE_INFINITY) < 1_000, `median ${latencies[15]} ms`);
  });
});

describe('sig-network: endpoint slices', { concurrency: 4 }, () => {
  conformance(
    'EndpointSlice API: should create and delete Endpoints and EndpointSlices for a Service with a selector specified',
    async (scene) => {
      const { core, namespace } = scene;
      const made = await core.createNamespacedService({
        namespace,
        body: serviceOf('one', [{ name: 'example', port: 80 }]),
      });
      await eventually(async () => {
        const [slice] = await slicesOf(scene, 'one');
        assert.equal(slice?.metadata?.ownerReferences?.[0]?.uid, made.metadata?.uid);
        assert.equal(slice?.metadata?.labels?.['endpointslice.kubernetes.io/managed-by']?.length !== 0, true);
      }, 20_000);
      await core.deleteNamespacedService({ namespace, name: 'one' });
      await eventually(async () => assert.deepEqual(await slicesOf(scene, 'one'), []), 20_000);
    },
  );

  conformance(
    'EndpointSlice API: should create Endpoints and EndpointSlices for Pods matching a Service',
    async (scene) => {
      const { core, namespace } = scene;
      const named = await serving(scene, 'a', [{ name: 'example-name', containerPort: 3000 }]);
      const plain = await serving(scene, 'b', [{ containerPort: 3000 }]);
      const all = serviceOf('all', [{ name: 'example', port: 80, targetPort: 3000 }]);
      const some = serviceOf('some', [{ name: 'example', port: 80, targetPort: 'example-name' }]);
      for (const body of [all, some]) await core.createNamespacedService({ namespace, body });
      await serves(scene, 'all', ['a: 3000/TCP', 'b: 3000/TCP']);
      await serves(scene, 'some', ['a: 3000/TCP']);
      const [slice] = await slicesOf(scene, 'all');
      assert.equal(slice?.addressType, 'IPv4');
      assert.deepEqual(
        slice?.endpoints.map(({ addresses }) => addresses[0]).sort(),
        [named.status?.podIP, plain.status?.podIP].sort(),
      );
      for (const { targetRef, nodeName, conditions } of slice?.endpoints ?? []) {
        assert.equal(targetRef?.kind, 'Pod');
        assert.match(nodeName ?? '', /./);
        assert.equal(conditions?.ready, true);
      }
    },
  );

  conformance('EndpointSlice API: should support creating EndpointSlice API operations', async (scene) => {
    const { discovery, namespace, raw } = scene;
    const groups = (await raw<V1APIGroupList>('GET', '/apis')).body.groups.map(({ name }) => name);
    assert.ok(groups.includes('discovery.k8s.io'));
    const group = (await raw<V1APIGroup>('GET', '/apis/discovery.k8s.io')).body;
    assert.ok(group.versions.some(({ version }) => version === 'v1'));
    const resources = (await raw<V1APIResourceList>('GET', '/apis/discovery.k8s.io/v1')).body.resources;
    assert.ok(resources.some(({ name }) => name === 'endpointslices'));

    const special = randomName('special');
    const labelSelector = `special=${special}`;
    const sliceOf = (name: string): V1EndpointSlice => ({
      metadata: { name, labels: { special } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }],
    });
    const made = await discovery.createNamespacedEndpointSlice({ namespace, body: sliceOf('one') });
    for (const name of ['two', 'three'])
      await discovery.createNamespacedEndpointSlice({ namespace, body: sliceOf(name) });
    assert.equal(
      (await discovery.readNamespacedEndpointSlice({ namespace, name: 'one' })).metadata?.uid,
      made.metadata?.uid,
    );
    assert.equal((await discovery.listNamespacedEndpointSlice({ namespace, labelSelector })).items.length, 3);
    const everywhere = await discovery.listEndpointSliceForAllNamespaces({ labelSelector });
    assert.equal(everywhere.items.length, 3);
    const watching = await scene.watch<V1EndpointSlice>(
      `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
      {
        labelSelector,
        resourceVersion: everywhere.metadata?.resourceVersion ?? '',
      },
    );
    const body = { metadata: { annotations: { patched: 'true' } } };
    const patched = await discovery.patchNamespacedEndpointSlice({ namespace, name: 'one', body }, mergePatch);
    assert.equal(patched.metadata?.annotations?.patched, 'true');
    patched.metadata = { ...patched.metadata, annotations: { ...patched.metadata?.annotations, updated: 'true' } };
    patched.endpoints = [{ addresses: ['5.6.7.8'] }];
    const replaced = await discovery.replaceNamespacedEndpointSlice({ namespace, name: 'one', body: patched });
    assert.deepEqual(
      [replaced.metadata?.annotations?.updated, replaced.endpoints[0]?.addresses],
      ['true', ['5.6.7.8']],
    );
    await watching.until(
      'the update',
      ({ type, object }) => type === 'MODIFIED' && object.metadata?.annotations?.updated === 'true',
    );
    await discovery.deleteNamespacedEndpointSlice({ namespace, name: 'one' });
    await gone(() => discovery.readNamespacedEndpointSlice({ namespace, name: 'one' }));
    assert.equal((await discovery.listNamespacedEndpointSlice({ namespace, labelSelector })).items.length, 2);
    await discovery.deleteCollectionNamespacedEndpointSlice({ namespace, labelSelector });
    assert.deepEqual((await discovery.listNamespacedEndpointSlice({ namespace, labelSelector })).items, []);
  });
});
