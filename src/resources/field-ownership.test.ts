import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js';
import { applyConfig, conflictSentence, ownersAfterUpdate, type Write } from './field-ownership.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { configMaps, deployments, services } from './kinds.ts';
import type { ApiObject } from './object.ts';

const anyKind = (kind: unknown) => kind as Kind;

function write(kind: Kind, name: string, operation: 'Apply' | 'Update' = 'Apply', time = 't'): Write {
  return { kind, time, manager: { name, operation, apiVersion: apiVersionOf(kind), subresource: '' } };
}

/** By name of the writer. */
function fieldsOf(owners: readonly ManagedFieldsEntry[] | undefined): Record<string, unknown> {
  return Object.fromEntries((owners ?? []).map((one) => [one.manager, one.fieldsV1]));
}

function settings(data: Record<string, string> | undefined, more: object = {}): ApiObject {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'd', ...more } };
  return data === undefined ? object : ({ ...object, data } as ApiObject);
}

function applied(
  kind: Kind,
  live: ApiObject | undefined,
  name: string,
  config: ApiObject,
  isForced = false,
): ApiObject {
  const { object, conflicts } = applyConfig(write(kind, name), live, config, isForced);
  if (!isForced)
    assert.deepEqual(
      conflicts.map((one) => one.path),
      [],
    );
  return object;
}

const dataOf = (object: ApiObject) => (object as { data?: Record<string, string> }).data;

describe('owners of fields', () => {
  const kind = anyKind(configMaps);

  test('an update takes what it changes, and only that', () => {
    const first = settings({ a: '1', b: '1' }, { labels: { x: 'y' } });
    first.metadata.managedFields = ownersAfterUpdate(write(kind, 'm', 'Update'), undefined, first, undefined) ?? [];
    assert.deepEqual(fieldsOf(first.metadata.managedFields), {
      m: { 'f:data': { '.': {}, 'f:a': {}, 'f:b': {} }, 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } } },
    });
    const next = settings({ a: '2', b: '1' }, { labels: { x: 'y' } });
    const owners = ownersAfterUpdate(write(kind, 'n', 'Update'), first, next, undefined);
    assert.deepEqual(fieldsOf(owners), {
      m: { 'f:data': { '.': {}, 'f:b': {} }, 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } } },
      n: { 'f:data': { 'f:a': {} } },
    });
    const removed = ownersAfterUpdate(
      write(kind, 'n', 'Update'),
      { ...next, metadata: { ...next.metadata, managedFields: owners ?? [] } },
      settings(undefined),
      undefined,
    );
    assert.equal(removed, undefined, 'who owns nothing is not listed');
  });

  test('writes of nothing keep the entries as they are', () => {
    const first = settings({ a: '1' });
    first.metadata.managedFields = ownersAfterUpdate(write(kind, 'm', 'Update'), undefined, first, undefined) ?? [];
    const [entry] =
      ownersAfterUpdate(write(kind, 'n', 'Update', 'later'), first, settings({ a: '1' }), undefined) ?? [];
    assert.equal(entry, first.metadata.managedFields[0]);
  });

  test('owners are forgotten when somebody says so, and kept by who does not know them', () => {
    const first = settings({ a: '1' });
    first.metadata.managedFields = ownersAfterUpdate(write(kind, 'm', 'Update'), undefined, first, undefined) ?? [];
    const next = settings({ a: '2' });
    for (const reset of [[], [{}]]) {
      assert.equal(ownersAfterUpdate(write(kind, 'n', 'Update'), first, next, reset), undefined);
    }
    assert.ok(ownersAfterUpdate(write(kind, 'n', 'Update'), first, next, undefined));
    const broken = [{ manager: 'x', operation: 'Update', fieldsType: 'FieldsV1', fieldsV1: { 'x:y': {} } }];
    const kept = ownersAfterUpdate(write(kind, 'n', 'Update'), first, settings({ a: '1' }), broken);
    assert.deepEqual(Object.keys(fieldsOf(kept)), ['m']);
  });

  test('the oldest of many updaters become one', () => {
    let live = settings({});
    for (let index = 0; index < 14; index += 1) {
      const next = settings({ ...dataOf(live), [`k${index}`]: '1' });
      const time = `t${String(index).padStart(2, '0')}`;
      const owners = ownersAfterUpdate(
        write(kind, `m${index}`, 'Update', time),
        index === 0 ? undefined : live,
        next,
        undefined,
      );
      live = { ...next, metadata: { ...next.metadata, managedFields: owners ?? [] } };
    }
    const owners = fieldsOf(live.metadata.managedFields);
    assert.equal(Object.keys(owners).length, 10);
    assert.deepEqual(Object.keys((owners['ancient-changes'] as { 'f:data': object })['f:data']), [
      '.',
      'f:k0',
      'f:k1',
      'f:k2',
      'f:k3',
      'f:k4',
    ]);
  });
});

describe('server-side apply', () => {
  const kind = anyKind(configMaps);

  test('a conflict names manager and path in Kubernetes’ words', () => {
    const live = applied(kind, undefined, 'm', settings({ a: '1', b: '1' }));
    const one = applyConfig(write(kind, 'n'), live, settings({ a: '2' }), false);
    assert.equal(conflictSentence(one.conflicts), 'Apply failed with 1 conflict: conflict with "m": .data.a');
    const next = settings({ a: '1', b: '1', c: '1' });
    const owners = ownersAfterUpdate(write(kind, 'u', 'Update'), live, next, undefined) ?? [];
    const shared = { ...next, metadata: { ...next.metadata, managedFields: owners } };
    const three = applyConfig(write(kind, 'n'), shared, settings({ a: '2', b: '2', c: '2' }), false);
    assert.equal(
      conflictSentence(three.conflicts),
      'Apply failed with 3 conflicts: conflicts with "m":\n- .data.a\n- .data.b\nconflicts with "u" using v1:\n- .data.c',
    );
  });

  test('an object that nobody tracked belongs to those who wrote it before', () => {
    const { object, conflicts } = applyConfig(
      write(kind, 'm'),
      settings({ a: '1', b: '1' }),
      settings({ a: '2' }),
      true,
    );
    assert.equal(conflicts[0]?.manager.name, 'before-first-apply');
    assert.deepEqual(fieldsOf(object.metadata.managedFields), {
      'before-first-apply': { 'f:data': { '.': {}, 'f:b': {} } },
      m: { 'f:data': { 'f:a': {} } },
    });
    assert.deepEqual(dataOf(applied(kind, object, 'm', settings({}))), { b: '1' });
  });

  test('items of lists are told apart by their keys, with the defaults of those', () => {
    const service = (ports: object[]) =>
      ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports } }) as unknown as ApiObject;
    const kindOf = anyKind(services);
    const live = applied(kindOf, undefined, 'm', service([{ port: 80 }, { port: 53, protocol: 'UDP' }]));
    const both = applied(kindOf, live, 'n', service([{ port: 53 }]));
    assert.deepEqual((both as unknown as { spec: { ports: object[] } }).spec.ports, [
      { port: 80 },
      { port: 53, protocol: 'UDP' },
      { port: 53 },
    ]);
    assert.deepEqual(fieldsOf(both.metadata.managedFields).n, {
      'f:spec': { 'f:ports': { 'k:{"port":53,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
    });
    const without = applied(kindOf, both, 'm', service([{ port: 80 }]));
    assert.deepEqual((without as unknown as { spec: { ports: object[] } }).spec.ports, [{ port: 80 }, { port: 53 }]);
    assert.throws(
      () => applied(kindOf, live, 'n', service([{ port: 1 }, { port: 1, protocol: 'TCP' }])),
      /\(\/s; \/v1, Kind=Service\): \.spec\.ports: duplicate entries for key \[port=1,protocol="TCP"\]/,
    );
    assert.throws(() => applied(kindOf, live, 'n', service([{ name: 'x' }])), /element 0: .* omits key field "port"/);
  });

  test('who drops a container takes it away, but not what somebody else set in another', () => {
    const deployment = (containers: object[], replicas?: number) =>
      ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'w' },
        spec: {
          ...(replicas === undefined ? {} : { replicas }),
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers } },
        },
      }) as unknown as ApiObject;
    const kindOf = anyKind(deployments);
    const one = { name: 'one', image: 'i:1', env: [{ name: 'A', value: '1' }] };
    const live = applied(kindOf, undefined, 'm', deployment([one, { name: 'two', image: 'i:2' }], 3));
    const scaled = structuredClone(live) as ApiObject & { spec: { replicas: number } };
    scaled.spec.replicas = 5;
    const update = write(kindOf, 'scaler', 'Update');
    scaled.metadata.managedFields = ownersAfterUpdate(update, live, scaled, undefined) ?? [];
    const { conflicts } = applyConfig(write(kindOf, 'm'), scaled, deployment([one], 3), false);
    assert.equal(
      conflictSentence(conflicts),
      'Apply failed with 1 conflict: conflict with "scaler" using apps/v1: .spec.replicas',
    );
    const next = applied(kindOf, scaled, 'm', deployment([{ name: 'one', image: 'i:1' }])) as typeof scaled;
    assert.equal(next.spec.replicas, 5, 'what somebody else owns stays when it is dropped');
    const { containers } = (next.spec as unknown as { template: { spec: { containers: object[] } } }).template.spec;
    assert.deepEqual(containers, [{ name: 'one', image: 'i:1' }]);
  });
});

describe('the algebra of apply', () => {
  const kind = anyKind(configMaps);
  const keys = ['a', 'b', 'c', 'd', 'e'] as const;
  const data = fc.dictionary(fc.constantFrom(...keys), fc.constantFrom('1', '2'));
  const step = fc.record({ manager: fc.constantFrom('m', 'n', 'o'), data });

  function play(steps: readonly { readonly manager: string; readonly data: Record<string, string> }[]) {
    let live: ApiObject | undefined;
    for (const one of steps) live = applied(kind, live, one.manager, settings(one.data), true);
    return live;
  }

  test('applying the same again changes nothing, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const live = play(steps)!;
        const last = steps.at(-1)!;
        const { object, conflicts } = applyConfig(
          write(kind, last.manager, 'Apply', 'later'),
          live,
          settings(last.data),
          false,
        );
        assert.deepEqual(conflicts, []);
        assert.deepEqual(object, live);
      }),
    );
  });

  test('the object is what its owners state, and each field has an owner who stated it last', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const model = new Map<string, { value: string; owners: Set<string> }>();
        for (const one of steps) {
          for (const [key, field] of model) {
            if (Object.hasOwn(one.data, key)) continue;
            // Who no longer states a field lets it go; the last one takes it away.
            if (field.owners.delete(one.manager) && field.owners.size === 0) model.delete(key);
          }
          for (const [key, value] of Object.entries(one.data)) {
            const field = model.get(key);
            if (field?.value === value) field.owners.add(one.manager);
            else model.set(key, { value, owners: new Set([one.manager]) });
          }
        }
        const live = play(steps)!;
        assert.deepEqual(dataOf(live) ?? {}, Object.fromEntries([...model].map(([key, { value }]) => [key, value])));
        const owned = fieldsOf(live.metadata.managedFields) as Record<string, { 'f:data': object }>;
        for (const [key, { owners }] of model) {
          const real = Object.keys(owned).filter((name) => Object.hasOwn(owned[name]!['f:data'], `f:${key}`));
          assert.deepEqual(real.toSorted(), [...owners].toSorted(), key);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('managers of different fields commute and never conflict', () => {
    fc.assert(
      fc.property(data, data, (left, right) => {
        const mine = Object.fromEntries(Object.entries(left).map(([key, value]) => [`m-${key}`, value]));
        const theirs = Object.fromEntries(Object.entries(right).map(([key, value]) => [`n-${key}`, value]));
        const one = applied(kind, applied(kind, undefined, 'm', settings(mine)), 'n', settings(theirs));
        const other = applied(kind, applied(kind, undefined, 'n', settings(theirs)), 'm', settings(mine));
        assert.deepEqual(one, other);
      }),
    );
  });

  test('force moves exactly the conflicting fields; letting go removes exactly the manager’s own', () => {
    fc.assert(
      fc.property(data, data, (first, second) => {
        const base = applied(kind, undefined, 'm', settings(first));
        const { conflicts } = applyConfig(write(kind, 'n'), base, settings(second), false);
        const clash = keys.filter(
          (key) => Object.hasOwn(first, key) && Object.hasOwn(second, key) && first[key] !== second[key],
        );
        assert.deepEqual(
          conflicts.map(({ path }) => path.at(-1)).toSorted(),
          clash.map((key) => `f:${key}`),
        );
        const forced = applied(kind, base, 'n', settings(second), true);
        assert.deepEqual(dataOf(forced) ?? {}, { ...first, ...second });
        const left = applied(kind, forced, 'n', settings(undefined));
        const kept = Object.fromEntries(Object.entries(first).filter(([key]) => !clash.some((one) => one === key)));
        assert.deepEqual(dataOf(left) ?? {}, kept);
      }),
    );
  });
});
