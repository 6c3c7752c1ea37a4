import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ConfigMap, Namespace, Secret, ServiceAccount } from '../../resources/kinds.ts';
import { base64, planNamespaceAccount, planTokenSecret } from './plan.ts';

const caCertificate = 'PEM';
const namespace = (isGoing = false): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', ...(isGoing ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
});
const account = (uid = 'sa-1'): ServiceAccount => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace: 'shop', uid },
});
const certificate = (data: Record<string, string>): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-root-ca.crt', namespace: 'shop' },
  data,
});
function secret(
  given: { filledFor?: string; data?: Record<string, string>; type?: string; isGoing?: boolean } = {},
): Secret {
  const { filledFor, data, type = 'kubernetes.io/service-account-token', isGoing } = given;
  const annotations = {
    'kubernetes.io/service-account.name': 'default',
    ...(filledFor ? { 'kubernetes.io/service-account.uid': filledFor } : {}),
  };
  const end = isGoing ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'shop', annotations, ...end },
    type,
    ...(data ? { data } : {}),
  };
}

describe('service account plan of a namespace', () => {
  const types = (given: Partial<Parameters<typeof planNamespaceAccount>[0]>) =>
    planNamespaceAccount({
      namespace: namespace(),
      account: undefined,
      certificate: undefined,
      caCertificate,
      ...given,
    }).map((step) => step.type);

  it('a new one gets both', () => assert.deepEqual(types({}), ['createAccount', 'createCertificate']));
  it('one that has both is left alone', () =>
    assert.deepEqual(types({ account: account(), certificate: certificate({ 'ca.crt': 'PEM' }) }), []));
  it('one that goes gets nothing', () => assert.deepEqual(types({ namespace: namespace(true) }), []));
  it('a changed certificate is put right, what stands beside it stays', () => {
    const changed = certificate({ 'ca.crt': 'other', mine: 'x' });
    const steps = planNamespaceAccount({
      namespace: namespace(),
      account: account(),
      certificate: changed,
      caCertificate,
    });
    assert.deepEqual(
      steps.map((step) => step.type === 'updateCertificate' && step.configMap.data),
      [{ 'ca.crt': 'PEM', mine: 'x' }],
    );
  });
});

describe('plan of a Secret that asks for a token', () => {
  const plan = (one: Secret, of: ServiceAccount | undefined = account()) =>
    planTokenSecret({ secret: one, account: of, caCertificate });
  const full = { token: base64('t'), 'ca.crt': base64('PEM'), namespace: base64('shop') };

  it('a new one is filled', () => {
    const [step] = plan(secret());
    assert.ok(step?.type === 'fill' && step.needsToken);
    assert.equal(step.secret.metadata.annotations?.['kubernetes.io/service-account.uid'], 'sa-1');
    assert.deepEqual(step.secret.data, { 'ca.crt': base64('PEM'), namespace: base64('shop') });
  });
  it('a filled one is left alone; a lost part comes back without a new token', () => {
    assert.deepEqual(plan(secret({ filledFor: 'sa-1', data: full })), []);
    const { 'ca.crt': _, ...rest } = full;
    const [step] = plan(secret({ filledFor: 'sa-1', data: rest }));
    assert.ok(step?.type === 'fill' && !step.needsToken);
    assert.deepEqual(step.secret.data, full);
  });
  it('before its account is there it waits; after it went, it goes', () => {
    assert.deepEqual(planTokenSecret({ secret: secret(), account: undefined, caCertificate }), []);
    const orphan = { secret: secret({ filledFor: 'sa-1', data: full }), account: undefined, caCertificate };
    assert.deepEqual(
      planTokenSecret(orphan).map((step) => step.type),
      ['delete'],
    );
    assert.deepEqual(
      plan(secret({ filledFor: 'sa-1', data: full }), account('sa-2')).map((step) => step.type),
      ['delete'],
    );
  });
  it('others, and those that go, are none of its business', () => {
    assert.deepEqual(plan(secret({ type: 'Opaque' })), []);
    assert.deepEqual(plan(secret({ isGoing: true })), []);
  });

  it('comes to rest after one step, and never gives one account the token of another', () => {
    const data = fc.record(
      { token: fc.constant(base64('t')), 'ca.crt': fc.constantFrom(base64('PEM'), 'x'), namespace: fc.constant('y') },
      { requiredKeys: [] },
    );
    const filledFor = fc.option(fc.constantFrom('sa-1', 'sa-2'), { nil: undefined });
    fc.assert(
      fc.property(data, filledFor, (given, uid) => {
        const one = secret({ data: given as Record<string, string>, ...(uid ? { filledFor: uid } : {}) });
        const [step] = plan(one);
        if (step?.type === 'delete') return assert.equal(uid, 'sa-2');
        if (!step) return;
        assert.notEqual(uid, 'sa-2');
        const token = step.needsToken ? { token: base64('new') } : {};
        assert.deepEqual(plan({ ...step.secret, data: { ...step.secret.data, ...token } }), []);
      }),
    );
  });
});
