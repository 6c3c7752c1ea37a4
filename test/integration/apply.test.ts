// Server-side apply as people use it: real kubectl, three releases of it, against the API over plain HTTP.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ConfigMap, Deployment } from '../../src/resources/kinds.ts';
import { type ListeningApi, startListeningApi } from './api-server.ts';
import { allKubectlVersions, createKubectl, type Kubectl, type KubectlVersion } from './kubectl.ts';

const deployment = (image: string, env: readonly string[] = ['A']) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: "${image}"
        ports: [{containerPort: 80}]
        env: [${env.map((name) => `{name: ${name}, value: "1"}`).join(', ')}]
`;

const settings = (name: string, data: Record<string, string>) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

for (const version of allKubectlVersions) describe(`kubectl 1.${version}`, () => suite(version));

function suite(version: KubectlVersion): void {
  let server: ListeningApi;
  let kubectl: Kubectl;

  before(async () => {
    server = await startListeningApi();
    kubectl = await createKubectl(version, [`--server=${server.url}`]);
  });
  after(async () => {
    await kubectl.remove();
    await server.stop();
  });

  const object = async <T>(...args: string[]) => JSON.parse(await kubectl.ok(['get', '-o', 'json', ...args])) as T;
  const ssa = (text: string, ...more: string[]) => kubectl.run(['apply', '--server-side', ...more, '-f', '-'], text);
  const owners = async (...args: string[]) => {
    const { metadata } = await object<ConfigMap>('--show-managed-fields', ...args);
    return (metadata.managedFields ?? []).map((one) => `${one.manager} ${one.operation}`);
  };

  test('makes an object, changes it, and changes nothing the second time', async () => {
    assert.match((await ssa(deployment('nginx:1'))).stdout, /deployment.apps\/web serverside-applied/);
    const first = await object<Deployment>('deployment', 'web');
    assert.equal(first.spec.template.spec?.containers[0]?.ports?.[0]?.protocol, 'TCP', 'defaults are filled in');
    assert.equal((await ssa(deployment('nginx:1'))).code, 0);
    assert.equal(
      (await object<Deployment>('deployment', 'web')).metadata.resourceVersion,
      first.metadata.resourceVersion,
    );
    assert.equal((await kubectl.run(['diff', '--server-side', '-f', '-'], deployment('nginx:1'))).code, 0);
    const diff = await kubectl.run(['diff', '--server-side', '-f', '-'], deployment('nginx:2'));
    assert.equal(diff.code, 1, diff.stderr);
    assert.match(diff.stdout, /^\+ +- image: nginx:2|^\+ +image: nginx:2/m);
    assert.equal((await ssa(deployment('nginx:2'), '--dry-run=server')).code, 0);
    assert.equal((await object<Deployment>('deployment', 'web')).spec.template.spec?.containers[0]?.image, 'nginx:1');
    const env = async () => {
      const { spec } = await object<Deployment>('deployment', 'web');
      return spec.template.spec?.containers[0]?.env?.map((one) => one.name);
    };
    await kubectl.ok(['set', 'env', 'deployment/web', 'C=1']);
    assert.equal((await ssa(deployment('nginx:2', ['A', 'B']))).code, 0);
    assert.deepEqual(await env(), ['A', 'C', 'B']);
    assert.equal((await object<Deployment>('deployment', 'web')).metadata.generation, 3);
    assert.equal((await ssa(deployment('nginx:2', ['B']))).code, 0);
    assert.deepEqual(await env(), ['C', 'B'], 'what this manager alone had, and dropped, goes');
  });

  test('a conflict is told, and force takes over', async () => {
    await kubectl.ok(['scale', 'deployment', 'web', '--replicas=5']);
    const refused = await ssa(deployment('nginx:2'));
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/,
    );
    assert.match(refused.stderr, /--force-conflicts/);
    assert.equal((await object<Deployment>('deployment', 'web')).spec.replicas, 5);
    assert.equal((await ssa(deployment('nginx:2'), '--force-conflicts')).code, 0);
    assert.equal((await object<Deployment>('deployment', 'web')).spec.replicas, 2);
    assert.deepEqual(await owners('deployment', 'web'), ['kubectl Apply', 'kubectl-set Update']);
  });

  test('two managers share an object; each takes away its own only', async () => {
    await ssa(settings('shared', { a: '1', both: 'x' }), '--field-manager=first');
    await ssa(settings('shared', { b: '1', both: 'x' }), '--field-manager=second');
    assert.deepEqual((await object<ConfigMap>('cm', 'shared')).data, { a: '1', b: '1', both: 'x' });
    assert.deepEqual(await owners('cm', 'shared'), ['first Apply', 'second Apply']);
    const refused = await ssa(settings('shared', { a: '2', b: '2' }), '--field-manager=third');
    assert.match(
      refused.stderr,
      /Apply failed with 2 conflicts: conflicts with "first":\s+- \.data\.a\s+conflicts with "second":\s+- \.data\.b/,
    );
    await ssa(settings('shared', {}), '--field-manager=first');
    assert.deepEqual((await object<ConfigMap>('cm', 'shared')).data, { b: '1', both: 'x' });
  });

  test('an object of client-side apply goes over to server-side apply, and fields can go', async () => {
    await kubectl.ok(['apply', '-f', '-'], settings('migrated', { a: '1', b: '1' }));
    assert.deepEqual(await owners('cm', 'migrated'), ['kubectl-client-side-apply Update']);
    const over = await ssa(settings('migrated', { a: '2' }));
    assert.equal(over.code, 0, over.stderr);
    assert.doesNotMatch((await owners('cm', 'migrated')).join(), /client-side-apply/);
    const after = await object<ConfigMap>('cm', 'migrated');
    assert.deepEqual(after.data, { a: '2' }, 'what is no longer stated goes, though client-side apply had made it');
    await ssa(settings('migrated', { c: '3' }));
    assert.deepEqual((await object<ConfigMap>('cm', 'migrated')).data, { c: '3' });
  });

  test('owners can be forgotten, and are shown on request only', async () => {
    await ssa(settings('forgotten', { a: '1' }));
    assert.doesNotMatch(await kubectl.ok(['get', 'cm', 'forgotten', '-o', 'yaml']), /managedFields/);
    assert.match(
      await kubectl.ok(['get', 'cm', 'forgotten', '-o', 'yaml', '--show-managed-fields']),
      /f:data:\n +f:a: {}/,
    );
    await kubectl.ok(['patch', 'cm', 'forgotten', '--type=merge', '-p', '{"metadata":{"managedFields":[{}]}}']);
    assert.deepEqual(await owners('cm', 'forgotten'), []);
    const refused = await ssa(settings('forgotten', { a: '2' }));
    assert.match(refused.stderr, /conflict with "before-first-apply" using v1: \.data\.a/);
  });

  test('an unknown field is refused by apply and warned about by patch', async () => {
    const wrong = settings('wrong', { a: '1' }).replace('"data"', '"dat":{},"data"');
    assert.match((await ssa(wrong)).stderr, /\.dat: field not declared in schema/);
    const patch = '{"data":{"a":"1"},"dat":{}}';
    await ssa(settings('patched', { a: '0' }));
    const strict = await kubectl.run(['patch', 'cm', 'patched', '--type=merge', '-p', patch]);
    assert.equal(strict.code, 0, 'kubectl patch asks for no strictness');
    assert.match(strict.stderr, /Warning: unknown field "dat"/);
  });
}
