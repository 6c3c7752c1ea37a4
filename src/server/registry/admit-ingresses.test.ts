import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Ingress, type IngressClass, ingressClasses, ingresses, services } from '../../resources/kinds.ts';
import { startTestApi } from '../test-api.ts';
import { createIngressAdmission, defaultClass } from './admit-ingresses.ts';

const isDefault = { 'ingressclass.kubernetes.io/is-default-class': 'true' };

function classOf(name: string, day: number, annotations: Record<string, string> = isDefault): IngressClass {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name, annotations, creationTimestamp: `2026-01-0${day}T00:00:00Z` },
    spec: { controller: 'a.b/c' },
  };
}

const ingress = (spec: Ingress['spec'], annotations: Record<string, string> = {}): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'default', annotations },
  spec,
});

it('the default class is the newest of those that say so, then the first by name', () => {
  const nameOf = (...classes: IngressClass[]) => defaultClass(classes)?.metadata.name;
  assert.equal(nameOf(), undefined);
  assert.equal(nameOf(classOf('a', 1, {}), classOf('b', 1, { ...isDefault, more: 'x' })), 'b');
  assert.equal(nameOf(classOf('a', 1), classOf('b', 2), classOf('c', 1)), 'b');
  assert.equal(nameOf(classOf('b', 1), classOf('a', 1)), 'a');
});

describe('a new Ingress object', () => {
  const admitted = async (object: Ingress, classes: readonly IngressClass[]) => {
    const api = await startTestApi();
    try {
      for (const one of classes) await api.registry.create({ grid: 'main' }, ingressClasses, one);
      await api.cache.fresh();
      const admit = createIngressAdmission({ cache: api.cache });
      return ((await admit({ grid: 'main' }, ingresses, object)) as Ingress).spec.ingressClassName;
    } finally {
      await api.stop();
    }
  };

  it('is of the default class when it names none', async () => {
    assert.equal(await admitted(ingress({}), [classOf('a', 1)]), 'a');
    assert.equal(await admitted(ingress({ ingressClassName: 'b' }), [classOf('a', 1)]), 'b');
    assert.equal(await admitted(ingress({}, { 'kubernetes.io/ingress.class': 'b' }), [classOf('a', 1)]), undefined);
    assert.equal(await admitted(ingress({}), []), undefined);
  });

  it('does not name two', async () => {
    const both = (annotation: string) =>
      admitted(ingress({ ingressClassName: 'b' }, { 'kubernetes.io/ingress.class': annotation }), []);
    assert.equal(await both('b'), 'b');
    await assert.rejects(
      both('c'),
      /annotations\.kubernetes\.io\/ingress\.class: Invalid value: "c": can not be set when the class field is also set/,
    );
  });

  it('is all that is looked at', async () => {
    const api = await startTestApi();
    const admit = createIngressAdmission({ cache: api.cache });
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } };
    assert.equal(await admit({ grid: 'main' }, services, service), service);
    await api.stop();
  });
});
