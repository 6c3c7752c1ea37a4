import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allKinds } from '../../resources/kinds.ts';
import { apiGroup, discovery, discoveryForm, resourceList } from './discovery.ts';
import { reviews, servedGroups } from './route.ts';

interface Resource {
  readonly resource: string;
  readonly responseKind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly scope: string;
  readonly singularResource: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: readonly {
    readonly subresource: string;
    readonly responseKind: object;
    readonly verbs: readonly string[];
  }[];
}

interface Aggregated {
  readonly apiVersion: string;
  readonly items: readonly {
    readonly metadata: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly freshness: string;
      readonly resources: readonly Resource[];
    }[];
  }[];
}

interface Plain {
  readonly groupVersion: string;
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly verbs: readonly string[];
    readonly group?: string;
    readonly version?: string;
  }[];
}

const type = (version: string) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

describe('the form of discovery', () => {
  for (const [accept, form] of [
    [undefined, undefined],
    ['application/json', undefined],
    [type('v2'), 'v2'],
    [type('v2beta1'), 'v2beta1'],
    [`${type('v2')},${type('v2beta1')},application/json`, 'v2'],
    [`${type('v2beta1')},application/json`, 'v2beta1'],
    ['application/json; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList', 'v2'],
    [type('v3'), undefined],
    ['application/json;g=other;v=v2;as=APIGroupDiscoveryList', undefined],
  ] as const) {
    test(`${accept} is answered with ${form ?? 'lists'}`, () => assert.equal(discoveryForm(accept), form));
  }
});

describe('discovery', () => {
  for (const form of ['v2', 'v2beta1'] as const) {
    test(`aggregated ${form} has each kind with all that is known of it`, () => {
      const found = (['api', 'apis'] as const).flatMap((path) => {
        const { items, apiVersion } = discovery(path, form) as Aggregated;
        assert.equal(apiVersion, `apidiscovery.k8s.io/${form}`);
        return items.flatMap(({ versions }) => versions.flatMap(({ resources }) => resources));
      });
      assert.equal(found.length, allKinds.length + reviews.length);
      for (const kind of allKinds) {
        const one = found.find(
          ({ responseKind, resource }) => responseKind.kind === kind.kind && resource === kind.plural,
        );
        assert.ok(one, kind.kind);
        assert.deepEqual(one.verbs, kind.verbs);
        assert.equal(one.scope, kind.namespaced ? 'Namespaced' : 'Cluster');
        assert.deepEqual(one.shortNames ?? [], kind.shortNames);
        assert.deepEqual(one.categories ?? [], kind.categories);
        const names = (one.subresources ?? []).map(({ subresource }) => subresource);
        for (const { name } of kind.subresources) assert.ok(names.includes(name), `${kind.kind}/${name}`);
      }
    });
  }

  test('unaggregated lists say the same', () => {
    for (const { group, version } of servedGroups()) {
      const list = resourceList(group, version) as Plain;
      assert.equal(list.groupVersion, group === '' ? version : `${group}/${version}`);
      for (const kind of allKinds.filter((one) => one.group === group)) {
        const verbsOf = (name: string) => list.resources.find((one) => one.name === name)?.verbs;
        assert.deepEqual(verbsOf(kind.plural), kind.verbs);
        for (const { name, verbs } of kind.subresources) assert.deepEqual(verbsOf(`${kind.plural}/${name}`), verbs);
      }
      if (group !== '') assert.ok(apiGroup(group));
    }
    assert.equal(resourceList('none', 'v1'), undefined);
    assert.equal(apiGroup('none'), undefined);
    assert.equal(apiGroup(''), undefined);
  });

  test('evictions are found where kubectl drain looks for them, and scales where kubectl scale does', () => {
    const { resources } = resourceList('', 'v1') as Plain;
    const eviction = resources.find(({ name }) => name === 'pods/eviction');
    assert.deepEqual([eviction?.group, eviction?.version, eviction?.kind], ['policy', 'v1', 'Eviction']);
    const apps = resourceList('apps', 'v1') as Plain;
    const scale = apps.resources.find(({ name }) => name === 'deployments/scale');
    assert.deepEqual([scale?.group, scale?.version, scale?.kind], ['autoscaling', 'v1', 'Scale']);
  });

  test('groups name their version', () => {
    const { groups } = discovery('apis', undefined) as { groups: { name: string; preferredVersion: object }[] };
    const apps = groups.find(({ name }) => name === 'apps');
    assert.deepEqual(apps?.preferredVersion, { groupVersion: 'apps/v1', version: 'v1' });
    assert.deepEqual((discovery('api', undefined) as { versions: string[] }).versions, ['v1']);
  });
});
