// sig-api-machinery: discovery, strict decoding, namespaces, long lists, tables, the version.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type {
  V1APIGroupList,
  V1APIResourceList,
  V1ConfigMapList,
  V1Namespace,
  V1Status,
} from '@kubernetes/client-node';
import { configMaps } from '../../src/resources/kinds.ts';
import { startListeningApi } from '../integration/api-server.ts';
import {
  type clientsOf,
  conformance,
  conformanceAlone,
  eventually,
  gone,
  mergePatch,
  podOf,
  randomName,
  refused,
  runningPod,
  strategicPatch,
} from './scene.ts';

const allTogether = { concurrency: 8 };

interface AggregatedDiscovery {
  readonly kind: string;
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly resources: readonly { readonly resource: string }[];
    }[];
  }[];
}

/** One of each group that is served here. */
const someResources = {
  '': 'pods',
  apps: 'deployments',
  'coordination.k8s.io': 'leases',
  'discovery.k8s.io': 'endpointslices',
  policy: 'poddisruptionbudgets',
  'rbac.authorization.k8s.io': 'clusterroles',
} as const;

function assertHasAll(document: AggregatedDiscovery): void {
  assert.equal(document.kind, 'APIGroupDiscoveryList');
  for (const group of document.items) {
    const wanted = new Map<string, string>(Object.entries(someResources)).get(group.metadata.name ?? '');
    if (wanted === undefined) continue;
    const resources = group.versions.flatMap((version) => version.resources.map(({ resource }) => resource));
    assert.ok(resources.includes(wanted), `${group.metadata.name} has ${resources.join(', ')}`);
  }
}

describe('sig-api-machinery: discovery', allTogether, () => {
  conformance('Aggregated Discovery Interface', async ({ raw }) => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const core = await raw<AggregatedDiscovery>('GET', '/api', { accept });
    const groups = await raw<AggregatedDiscovery>('GET', '/apis', { accept });
    assertHasAll(core.body);
    assertHasAll(groups.body);
    const names = [...core.body.items, ...groups.body.items].map(({ metadata }) => metadata.name ?? '');
    for (const group of Object.keys(someResources)) assert.ok(names.includes(group), `no group "${group}"`);
  });

  conformance('Aggregated Discovery Endpoint Accept Headers', async ({ raw }) => {
    const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const older = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList';
    for (const path of ['/api', '/apis']) {
      for (const accept of [aggregated, `${aggregated},${older},application/json`]) {
        const { code, contentType, body } = await raw<AggregatedDiscovery>('GET', path, { accept });
        assert.equal(code, 200);
        assert.match(contentType, /;as=APIGroupDiscoveryList/);
        assertHasAll(body);
      }
      const plain = await raw<{ kind: string }>('GET', path, { accept: 'application/json' });
      assert.equal(plain.body.kind, path === '/api' ? 'APIVersions' : 'APIGroupList');
    }
  });

  conformance('Discovery, confirm the groupVersion and a resource from each apiGroup', async ({ raw }) => {
    const { body } = await raw<V1APIGroupList>('GET', '/apis');
    assert.ok(body.groups.length >= Object.keys(someResources).length - 1);
    for (const { name, versions } of body.groups) {
      for (const { groupVersion } of versions) {
        const list = await raw<V1APIResourceList>('GET', `/apis/${groupVersion}`);
        assert.equal(list.code, 200, name);
        assert.equal(list.body.groupVersion, groupVersion);
        assert.ok(list.body.resources.length > 0, groupVersion);
        for (const one of list.body.resources) assert.ok(one.kind && one.name && one.verbs.length > 0, one.name);
      }
    }
  });

  conformance('Discovery, confirm the PreferredVersion for each api group', async ({ raw }) => {
    const { body } = await raw<V1APIGroupList>('GET', '/apis');
    for (const { name } of body.groups) {
      const { body: group } = await raw<V1APIGroupList['groups'][number]>('GET', `/apis/${name}`);
      assert.equal(group.name, name);
      const versions = group.versions.map(({ groupVersion }) => groupVersion);
      assert.ok(versions.includes(group.preferredVersion?.groupVersion ?? ''), name);
    }
  });

  conformance('Confirm a server version', async ({ raw }) => {
    const { body } = await raw<{ major: string; minor: string }>('GET', '/version');
    assert.match(body.major, /^\d+$/);
    assert.match(body.minor, /^\d+$/);
  });

  conformance('API metadata HTTP return', async ({ raw }) => {
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { nonResourceAttributes: { path: '/', verb: 'get' } },
    };
    const { code } = await raw('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
      body: review,
    });
    assert.equal(code, 406);
  });
});

describe('sig-api-machinery: fields', allTogether, () => {
  const deployment = (name: string, more: string, metadata = '') => `{
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "${name}", "labels": {"app": "web"}${metadata}},
    "spec": {"replicas": 0, ${more} "selector": {"matchLabels": {"app": "web"}}, "template": {
      "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}}}`;

  conformance('Server side field validation, typed object', async ({ raw, namespace }) => {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
    const unknown = deployment('one', '"unknownField": true,');
    const body = deployment('one', '"unknownField": true, "paused": false, "paused": true,');
    const refusedAs = async (
      method: string,
      at: string,
      text: string,
      why: RegExp,
      contentType = 'application/json',
    ) => {
      const answer = await raw<V1Status>(method, at, { body: text, contentType });
      assert.equal(answer.code, 400, answer.body.message);
      assert.match(answer.body.message ?? '', why);
    };
    const strict = `${path}?fieldValidation=Strict`;
    const apply = `${path}/one?fieldManager=test&fieldValidation=Strict`;
    await refusedAs('POST', strict, body, /unknown field "spec\.unknownField", duplicate field "spec\.paused"/);
    await refusedAs('PATCH', apply, unknown, /unknownField/, 'application/apply-patch+yaml');
    await refusedAs('PATCH', apply, body, /paused/, 'application/apply-patch+yaml');
    const ignored = await raw('POST', `${path}?fieldValidation=Ignore`, { body });
    assert.equal(ignored.code, 201);
  });

  conformance('Server side field validation, typed unknown metadata', async ({ raw, namespace }) => {
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments?fieldValidation=Strict`;
    const wrong = await raw<V1Status>('POST', path, { body: deployment('one', '', ', "unknownMeta": "x"') });
    assert.equal(wrong.code, 400);
    assert.match(wrong.body.message ?? '', /unknown field "metadata\.unknownMeta"/);
    const inner = deployment('one', '').replace('"metadata": {"labels"', '"metadata": {"unknownInner": 1, "labels"');
    const deeper = await raw<V1Status>('POST', path, { body: inner });
    assert.match(deeper.body.message ?? '', /unknown field "spec\.template\.metadata\.unknownInner"/);
    assert.equal((await raw('POST', path, { body: deployment('one', '') })).code, 201);
  });
});

describe('sig-api-machinery: namespaces', allTogether, () => {
  const own = async (scene: { core: ReturnType<typeof clientsOf>['core'] }): Promise<V1Namespace> =>
    await scene.core.createNamespace({ body: { metadata: { name: randomName('nsown') } } });

  conformance('Namespace patching', async ({ core, namespace }) => {
    const body = { metadata: { labels: { testLabel: 'testValue' } } };
    await core.patchNamespace({ name: namespace, body }, strategicPatch);
    const { metadata } = await core.readNamespace({ name: namespace });
    assert.equal(metadata?.labels?.testLabel, 'testValue');
    assert.equal(metadata?.labels?.['kubernetes.io/metadata.name'], namespace);
  });

  conformance('Namespace, apply update to a namespace', async ({ core, namespace: name }) => {
    await eventually(async () => {
      const read = await core.readNamespace({ name });
      read.metadata = { ...read.metadata, labels: { ...read.metadata?.labels, [name]: 'updated' } };
      const replaced = await core.replaceNamespace({ name, body: read });
      assert.equal(replaced.metadata?.labels?.[name], 'updated');
    });
  });

  conformance('Namespace, apply changes to a namespace status', async ({ core, namespace: name }) => {
    const isHere = ({ status }: V1Namespace, type: string) => status?.conditions?.find((one) => one.type === type);
    assert.equal((await core.readNamespaceStatus({ name })).status?.phase, 'Active');
    const condition = (type: string) => ({ type, status: 'True', reason: 'E2E', message: `${type} by a test` });
    const patch = { metadata: { annotations: { e2e: 'patched' } }, status: { conditions: [condition('StatusPatch')] } };
    const patched = await core.patchNamespaceStatus({ name, body: patch }, mergePatch);
    assert.equal(isHere(patched, 'StatusPatch')?.message, 'StatusPatch by a test');
    assert.equal(patched.metadata?.annotations?.e2e, 'patched');
    await eventually(async () => {
      const read = await core.readNamespaceStatus({ name });
      read.status = { ...read.status, conditions: [...(read.status?.conditions ?? []), condition('StatusUpdate')] };
      const replaced = await core.replaceNamespaceStatus({ name, body: read });
      assert.equal(isHere(replaced, 'StatusUpdate')?.reason, 'E2E');
      assert.equal(isHere(replaced, 'StatusPatch')?.reason, 'E2E');
    });
  });

  conformance('Namespace, apply finalizer to a namespace', async (scene) => {
    const { core, raw } = scene;
    const made = await own(scene);
    const name = made.metadata?.name ?? '';
    const finalize = (finalizers: string[]) =>
      eventually(async () => {
        const read = await core.readNamespace({ name });
        const answer = await raw<V1Namespace>('PUT', `/api/v1/namespaces/${name}/finalize`, {
          body: { ...read, spec: { finalizers } },
        });
        assert.equal(answer.code, 200, JSON.stringify(answer.body));
        return answer.body.spec?.finalizers ?? [];
      });
    assert.deepEqual(await finalize(['kubernetes', 'e2e.example.com/fake']), ['kubernetes', 'e2e.example.com/fake']);
    assert.deepEqual(await finalize(['kubernetes']), ['kubernetes']);
    await core.deleteNamespace({ name });
    await gone(() => core.readNamespace({ name }));
  });

  conformance('namespace-deletion-removes-pods', async (scene) => {
    const { core } = scene;
    const name = (await own(scene)).metadata?.name ?? '';
    await eventually(() => core.readNamespacedServiceAccount({ namespace: name, name: 'default' }));
    await core.createNamespacedPod({ namespace: name, body: podOf('one') });
    await runningPod({ ...scene, namespace: name }, 'one');
    await core.deleteNamespace({ name });
    await gone(() => core.readNamespace({ name }));
    await core.createNamespace({ body: { metadata: { name } } });
    await refused(404, core.readNamespacedPod({ namespace: name, name: 'one' }));
    await core.deleteNamespace({ name });
  });

  conformance('namespace-deletion-removes-services', async (scene) => {
    const { core } = scene;
    const name = (await own(scene)).metadata?.name ?? '';
    const spec = { selector: { foo: 'bar' }, ports: [{ port: 80, targetPort: 80 }] };
    await core.createNamespacedService({ namespace: name, body: { metadata: { name: 'one' }, spec } });
    await core.deleteNamespace({ name });
    await gone(() => core.readNamespace({ name }));
    await core.createNamespace({ body: { metadata: { name } } });
    assert.deepEqual((await core.listNamespacedService({ namespace: name })).items, []);
    await core.deleteNamespace({ name });
  });
});

describe('sig-api-machinery: lists', allTogether, () => {
  conformance('API Chunking, server should return chunks of results for list calls', async ({ core, namespace }) => {
    const total = 40;
    await Promise.all(
      Array.from({ length: total }, (_, index) =>
        core.createNamespacedConfigMap({
          namespace,
          body: { metadata: { name: `chunk-${index}`, labels: { chunk: 'yes' } } },
        }),
      ),
    );
    const labelSelector = 'chunk=yes';
    for (const limit of [17, 40, 100]) {
      const names = new Set<string>();
      let revision: string | undefined;
      for (let token: string | undefined = ''; token !== undefined; ) {
        const page = await core.listNamespacedConfigMap({ namespace, limit, ...(token ? { _continue: token } : {}) });
        assert.ok(page.items.length <= limit);
        revision ??= page.metadata?.resourceVersion;
        assert.equal(page.metadata?.resourceVersion, revision);
        for (const one of page.items) names.add(one.metadata?.name ?? '');
        token = page.metadata?._continue || undefined;
        if (token === undefined) assert.equal(page.metadata?.remainingItemCount, undefined);
        else assert.equal(page.metadata?.remainingItemCount, total + 1 - names.size);
      }
      assert.equal(names.size, total + 1, 'with the certificate that each namespace has');
    }
    assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector })).items.length, total);
    const whole = await core.listNamespacedConfigMap({ namespace });
    assert.equal(whole.items.length, total + 1);
    assert.equal(whole.metadata?._continue, undefined);
  });

  conformanceAlone(
    'API Chunking, server should support continue listing from the last key even if the original version has been compacted away',
    async () => {
      // What a busy server does in minutes, at once: nothing of the past is kept.
      const listening = await startListeningApi({ history: { minEvents: 1, maxEvents: 1, maxAgeMs: 0 } });
      const { api, url } = listening;
      const make = async (name: string) => {
        const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } };
        await api.registry.create({ grid: 'main' }, configMaps, object);
      };
      const page = async (token?: string) => {
        const query = token === undefined ? '' : `&continue=${token}`;
        const answer = await fetch(`${url}/api/v1/namespaces/default/configmaps?limit=10${query}`);
        const body = (await answer.json()) as V1ConfigMapList & { metadata: { continue?: string } };
        return {
          code: answer.status,
          token: body.metadata.continue,
          revision: body.metadata.resourceVersion,
          items: body.items,
        };
      };
      try {
        for (let index = 0; index < 30; index += 1) await make(`chunk-${10 + index}`);
        const first = await page();
        for (let index = 0; index < 50; index += 1) await make(`later-${index}`);
        await api.store.compact(await api.store.head());
        const tooOld = await page(first.token);
        assert.equal(tooOld.code, 410);
        assert.ok(tooOld.token, 'the way to go on, though not of that moment any more');
        const names = first.items.map(({ metadata }) => metadata?.name);
        let revision: string | undefined;
        for (let token: string | undefined = tooOld.token; token !== undefined; ) {
          const next: Awaited<ReturnType<typeof page>> = await page(token);
          assert.ok(next.items.length <= 10);
          revision ??= next.revision;
          assert.equal(next.revision, revision);
          names.push(...next.items.map(({ metadata }) => metadata?.name));
          token = next.token;
        }
        assert.notEqual(revision, first.revision);
        assert.equal(names.filter((name) => name?.startsWith('chunk-')).length, 30);
        assert.equal(new Set(names).size, names.length);
      } finally {
        await listening.stop();
      }
    },
  );
});
