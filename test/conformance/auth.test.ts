// sig-auth: service accounts, their tokens, questions about rights. What a container sees of a token is for the lab.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1ServiceAccount } from '@kubernetes/client-node';
import { clientsOf, conformance, eventually, podOf, refused, type Scene, strategicPatch } from './scene.ts';

async function tokenOf({ core, namespace }: Scene, name: string): Promise<string> {
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [], expirationSeconds: 600 },
  };
  const { status } = await core.createNamespacedServiceAccountToken({ namespace, name, body });
  return status?.token ?? '';
}

describe('sig-auth: service accounts', { concurrency: 8 }, () => {
  conformance('Service account tokens auto mount optionally', async (scene) => {
    const { core, namespace } = scene;
    const accounts = { default: undefined, mount: true, nomount: false };
    for (const [name, automountServiceAccountToken] of Object.entries(accounts)) {
      if (automountServiceAccountToken === undefined) continue;
      await core.createNamespacedServiceAccount({
        namespace,
        body: { metadata: { name }, automountServiceAccountToken },
      });
    }
    for (const [serviceAccountName, ofAccount] of Object.entries(accounts)) {
      for (const ofPod of [undefined, true, false]) {
        const name = `${serviceAccountName}-${ofPod}`;
        const spec = { serviceAccountName, ...(ofPod === undefined ? {} : { automountServiceAccountToken: ofPod }) };
        const pod = await core.createNamespacedPod({ namespace, body: podOf(name, {}, spec) });
        const mounts = pod.spec?.containers[0]?.volumeMounts ?? [];
        const isMounted = mounts.some(({ mountPath }) => mountPath === '/var/run/secrets/kubernetes.io/serviceaccount');
        assert.equal(isMounted, ofPod ?? ofAccount ?? true, name);
        assert.equal(pod.spec?.volumes?.some(({ projected }) => projected !== undefined) ?? false, isMounted, name);
      }
    }
  });

  conformance('RootCA ConfigMap test', async ({ core, cluster, namespace }) => {
    const name = 'kube-root-ca.crt';
    const whole = { 'ca.crt': cluster.caCertificate };
    const restored = () =>
      eventually(
        async () => assert.deepEqual((await core.readNamespacedConfigMap({ namespace, name })).data, whole),
        10_000,
      );
    await restored();
    await core.deleteNamespacedConfigMap({ namespace, name });
    await restored();
    await eventually(async () => {
      const read = await core.readNamespacedConfigMap({ namespace, name });
      await core.replaceNamespacedConfigMap({ namespace, name, body: { ...read, data: { 'ca.crt': '' } } });
    });
    await restored();
  });

  conformance('ServiceAccount lifecycle test', async (scene) => {
    const { core, namespace } = scene;
    const labelSelector = 'test-serviceaccount-static=true';
    const watching = await scene.watch<V1ServiceAccount>(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      labelSelector,
    });
    const labels = { 'test-serviceaccount-static': 'true' };
    await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'one', labels } } });
    const { object } = await watching.until('creation', ({ type }) => type === 'ADDED');
    assert.deepEqual(object.metadata?.labels, labels);
    const body = { automountServiceAccountToken: false };
    const patched = await core.patchNamespacedServiceAccount({ namespace, name: 'one', body }, strategicPatch);
    assert.equal(patched.automountServiceAccountToken, false);
    const everywhere = await core.listServiceAccountForAllNamespaces({ labelSelector });
    const found = everywhere.items.filter(({ metadata }) => metadata?.namespace === namespace);
    assert.deepEqual(
      [found.length, found[0]?.metadata?.name, found[0]?.automountServiceAccountToken],
      [1, 'one', false],
    );
    await core.deleteCollectionNamespacedServiceAccount({ namespace, labelSelector });
    await watching.until('deletion', ({ type }) => type === 'DELETED');
  });

  conformance('ServiceAccount, update a ServiceAccount', async ({ core, namespace }) => {
    const made = await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'one' } } });
    const body = { ...made, automountServiceAccountToken: true };
    const replaced = await core.replaceNamespacedServiceAccount({ namespace, name: 'one', body });
    assert.equal(replaced.automountServiceAccountToken, true);
    assert.notEqual(replaced.metadata?.resourceVersion, made.metadata?.resourceVersion);
  });

  conformance('SubjectReview, API Operations', async (scene) => {
    const { core, rbac, authorization, namespace, cluster } = scene;
    await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'bot' } } });
    const bot = clientsOf(cluster.configOf(await tokenOf(scene, 'bot')));
    const user = `system:serviceaccount:${namespace}:bot`;
    const resourceAttributes = { verb: 'list', resource: 'configmaps', namespace, version: 'v1' };
    const mayList = async () => {
      const everywhere = await authorization.createSubjectAccessReview({
        body: { spec: { user, resourceAttributes } },
      });
      const local = await authorization.createNamespacedLocalSubjectAccessReview({
        namespace,
        body: { metadata: { namespace }, spec: { user, resourceAttributes } },
      });
      const own = await bot.authorization.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } });
      const answers = [everywhere.status?.allowed, local.status?.allowed, own.status?.allowed];
      assert.equal(new Set(answers).size, 1, answers.join(' '));
      return answers[0];
    };
    assert.equal(await mayList(), false);
    await refused(403, bot.core.listNamespacedConfigMap({ namespace }));
    const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }];
    await rbac.createNamespacedRole({ namespace, body: { metadata: { name: 'lists' }, rules } });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'lists' };
    const subjects = [{ kind: 'ServiceAccount', name: 'bot', namespace }];
    await rbac.createNamespacedRoleBinding({ namespace, body: { metadata: { name: 'lists' }, roleRef, subjects } });
    assert.equal(await mayList(), true);
    assert.ok((await bot.core.listNamespacedConfigMap({ namespace })).items.length > 0);
  });

  conformance('Service Account Tokens Must AutoMount', async (scene) => {
    const { core, authentication, namespace } = scene;
    const pod = await core.createNamespacedPod({ namespace, body: podOf('one') });
    const volume = pod.spec?.volumes?.find(({ name }) => name.startsWith('kube-api-access-'));
    const files = volume?.projected?.sources?.flatMap(({ serviceAccountToken, configMap, downwardAPI }) => [
      ...(serviceAccountToken ? [serviceAccountToken.path] : []),
      ...(configMap?.items ?? downwardAPI?.items ?? []).map(({ path }) => path),
    ]);
    assert.deepEqual(files?.sort(), ['ca.crt', 'namespace', 'token']);
    // Such a token, made for this pod, is that of its account.
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'one', uid: pod.metadata?.uid ?? '' };
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], boundObjectRef },
    };
    const { status } = await core.createNamespacedServiceAccountToken({ namespace, name: 'default', body: request });
    const token = status?.token ?? '';
    const review = await authentication.createTokenReview({ body: { spec: { token } } });
    assert.equal(review.status?.user?.username, `system:serviceaccount:${namespace}:default`);
    assert.deepEqual(review.status?.user?.extra?.['authentication.kubernetes.io/pod-name'], ['one']);
    await core.deleteNamespacedPod({ namespace, name: 'one', gracePeriodSeconds: 0 });
    await eventually(async () => {
      const after = await authentication.createTokenReview({ body: { spec: { token } } });
      assert.notEqual(after.status?.authenticated, true, 'it ends with its pod');
    });
  });

  conformance(
    'TokenRequestProjection should mount a projected volume with token using TokenRequest API.',
    async ({ core, namespace }) => {
      const source = { serviceAccountToken: { path: 'test-token', expirationSeconds: 3600, audience: 'vault' } };
      const spec = { volumes: [{ name: 'own', projected: { sources: [source] } }] };
      const pod = await core.createNamespacedPod({ namespace, body: podOf('one', {}, spec) });
      const [volume] = pod.spec?.volumes?.filter(({ name }) => name === 'own') ?? [];
      assert.deepEqual({ ...volume?.projected?.sources?.[0]?.serviceAccountToken }, source.serviceAccountToken);
      const request = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: ['vault'], expirationSeconds: 3600 },
      };
      const { status } = await core.createNamespacedServiceAccountToken({ namespace, name: 'default', body: request });
      const claims = JSON.parse(Buffer.from(status?.token.split('.')[1] ?? '', 'base64url').toString()) as {
        aud: string[];
        exp: number;
        iat: number;
      };
      assert.deepEqual([claims.aud, claims.exp - claims.iat], [['vault'], 3600]);
    },
  );
});
