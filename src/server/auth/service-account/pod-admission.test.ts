import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeValue } from '../../../resources/decode.ts';
import { applyDefaults } from '../../../resources/defaults.ts';
import { type Pod, pods, type ServiceAccount } from '../../../resources/kinds.ts';
import { validate } from '../../../resources/validate.ts';
import { tokenMountPath, withServiceAccount } from './pod-admission.ts';

const account = (more: Partial<ServiceAccount> = {}): ServiceAccount => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default', namespace: 'shop' },
  ...more,
});
const container = { name: 'c', image: 'i' };
const pod = (spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'shop' },
  spec: { containers: [container], ...spec },
});
const mountsOf = (one: Pod) => one.spec.containers.flatMap((each) => each.volumeMounts?.map((m) => m.mountPath) ?? []);

test('a pod gets the name of its account and a volume with all that clients look for', () => {
  const { spec } = withServiceAccount(pod(), account(), 'abcde');
  assert.deepEqual([spec.serviceAccountName, spec.serviceAccount], ['default', 'default']);
  assert.deepEqual(spec.containers[0]?.volumeMounts, [
    { name: 'kube-api-access-abcde', readOnly: true, mountPath: tokenMountPath },
  ]);
  assert.deepEqual(spec.volumes, [
    {
      name: 'kube-api-access-abcde',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    },
  ]);
});

test('what it gets is a right pod, and stays as it is when it comes back', () => {
  const made = applyDefaults(pods, withServiceAccount(pod(), account(), 'abcde'));
  assert.deepEqual(validate(pods, made), []);
  assert.deepEqual(applyDefaults(pods, decodeValue(pods, made, { strictness: 'Strict' }).object), made);
});

const automount: readonly (readonly [boolean | undefined, boolean | undefined, boolean])[] = [
  [undefined, undefined, true],
  [undefined, false, false],
  [true, false, true],
  [false, undefined, false],
  [false, true, false],
];
for (const [ofPod, ofAccount, expected] of automount) {
  test(`the pod says ${ofPod}, its account ${ofAccount}: ${expected ? 'a token' : 'none'}`, () => {
    const one = pod(ofPod === undefined ? {} : { automountServiceAccountToken: ofPod });
    const made = withServiceAccount(
      one,
      account(ofAccount === undefined ? {} : { automountServiceAccountToken: ofAccount }),
      'abcde',
    );
    assert.equal(mountsOf(made).length, expected ? 1 : 0);
    assert.equal(made.spec.volumes?.length ?? 0, expected ? 1 : 0);
  });
}

test('a container that mounts something else there keeps it; without another one there is no volume', () => {
  const own = { ...container, volumeMounts: [{ name: 'mine', mountPath: tokenMountPath }] };
  const one = withServiceAccount(pod({ containers: [own], volumes: [{ name: 'mine', emptyDir: {} }] }), account(), 'x');
  assert.deepEqual(one.spec.volumes, [{ name: 'mine', emptyDir: {} }]);
});

test('a volume of that name already there is no obstacle', () => {
  const taken = { name: 'kube-api-access-abcde', emptyDir: {} };
  const { spec } = withServiceAccount(pod({ volumes: [taken] }), account(), 'abcde');
  assert.deepEqual(
    spec.volumes?.map((one) => one.name),
    ['kube-api-access-abcde', 'kube-api-access-abcde-2'],
  );
  assert.equal(spec.containers[0]?.volumeMounts?.[0]?.name, 'kube-api-access-abcde-2');
});

test('pull secrets are the account’s unless the pod has its own; without an account there is only the name', () => {
  const pulls = account({ imagePullSecrets: [{ name: 'ours' }], automountServiceAccountToken: false });
  assert.deepEqual(withServiceAccount(pod(), pulls, 'x').spec.imagePullSecrets, [{ name: 'ours' }]);
  const own = pod({ imagePullSecrets: [{ name: 'mine' }] });
  assert.deepEqual(withServiceAccount(own, pulls, 'x').spec.imagePullSecrets, [{ name: 'mine' }]);
  const alone = withServiceAccount(pod(), undefined, 'x');
  assert.deepEqual([alone.spec.serviceAccountName, alone.spec.volumes], ['default', undefined]);
});
