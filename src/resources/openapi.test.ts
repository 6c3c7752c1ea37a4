import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allKinds, kindFor, kindOfObject, pods } from './kinds.ts';
import { documentPaths, openApiV2Minimal, openApiV3Document, openApiV3Index } from './openapi.ts';

test('the smallest OpenAPI 2 document has 14 bytes', () => assert.equal(openApiV2Minimal.length, 14));

test('the index leads to each document', () => {
  const { paths } = openApiV3Index('/grids/main') as { paths: Record<string, { serverRelativeURL: string }> };
  assert.deepEqual(Object.keys(paths), documentPaths());
  for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
    assert.match(serverRelativeURL, new RegExp(`^/grids/main/openapi/v3/${path}\\?hash=[0-9A-F]{32}$`));
    assert.ok(openApiV3Document(path));
  }
  assert.equal(openApiV3Document('apis/none/v1'), undefined);
  assert.deepEqual(openApiV3Index(), openApiV3Index(), 'the same tables give the same hashes');
});

interface Operation {
  readonly parameters: readonly { readonly name: string }[];
  readonly 'x-kubernetes-group-version-kind': object;
}

test('kubectl finds that the server validates fields, for every kind', () => {
  for (const kind of allKinds) {
    const path = kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`;
    const document = openApiV3Document(path) as { paths: Record<string, Record<string, Operation>> };
    const patches = Object.entries(document.paths).filter(
      ([name, one]) => one.patch && name.includes(`/${kind.plural}/{name}`),
    );
    assert.ok(patches.length > 0, kind.kind);
    for (const [name, { patch }] of patches) {
      const names = patch?.parameters.map((one) => one.name);
      assert.ok(names?.includes('fieldValidation'), name);
      assert.deepEqual(patch?.['x-kubernetes-group-version-kind'], {
        group: kind.group,
        version: kind.version,
        kind: kind.kind,
      });
    }
  }
});

test('schemas refer to schemas that are there, and leave out what is refused', () => {
  for (const path of documentPaths()) {
    const document = openApiV3Document(path) as { components: { schemas: Record<string, object> } };
    const { schemas } = document.components;
    for (const [, name = ''] of JSON.stringify(schemas).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      assert.ok(Object.hasOwn(schemas, name), `${path}: ${name}`);
    }
    assert.equal(JSON.stringify(document).includes('null'), false, path);
  }
  const core = openApiV3Document('api/v1') as { components: { schemas: Record<string, { properties: object }> } };
  const spec = core.components.schemas['io.k8s.api.core.v1.PodSpec']?.properties ?? {};
  assert.ok('containers' in spec && !('setHostnameAsFQDN' in spec));
});

test('every message and field is described', () => {
  for (const path of documentPaths()) {
    const document = openApiV3Document(path) as { components: { schemas: Record<string, Described> } };
    for (const [name, { description, properties = {} }] of Object.entries(document.components.schemas)) {
      assert.match(description, /./, name);
      for (const [field, one] of Object.entries(properties)) assert.match(one.description, /./, `${name}.${field}`);
    }
  }
});

interface Described {
  readonly description: string;
  readonly properties?: Readonly<Record<string, Described & { readonly [fact: string]: unknown }>>;
}

test('fields tell their defaults, what they allow, and how they are merged', () => {
  const { components } = openApiV3Document('api/v1') as { components: { schemas: Record<string, Described> } };
  const facts = (message: string, field: string): Record<string, unknown> => {
    const { description: _description, ...rest } = components.schemas[message]?.properties?.[field] ?? {};
    return rest;
  };
  const spec = 'io.k8s.api.core.v1.PodSpec';
  assert.deepEqual(facts(spec, 'restartPolicy'), {
    type: 'string',
    enum: ['Always', 'OnFailure', 'Never'],
    default: 'Always',
  });
  assert.deepEqual(facts(spec, 'containers'), {
    type: 'array',
    items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
    'x-kubernetes-patch-merge-key': 'name',
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-list-map-keys': ['name'],
    'x-kubernetes-list-type': 'map',
  });
  assert.deepEqual(facts(spec, 'volumes')['x-kubernetes-patch-strategy'], 'merge,retainKeys');
  assert.deepEqual(facts(spec, 'tolerations')['x-kubernetes-list-type'], 'atomic');
  assert.deepEqual(facts(spec, 'nodeSelector')['x-kubernetes-map-type'], 'atomic');
  const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
  assert.deepEqual(facts(meta, 'finalizers')['x-kubernetes-list-type'], 'set');
});

test('kinds are found by path and by type', () => {
  assert.equal(kindFor('', 'v1', 'pods'), pods);
  assert.equal(kindFor('apps', 'v1', 'pods'), undefined);
  assert.equal(kindOfObject('v1', 'Pod'), pods);
  assert.equal(kindOfObject('apps/v1', 'Deployment')?.plural, 'deployments');
  assert.equal(kindOfObject('v2', 'Pod'), undefined);
});
