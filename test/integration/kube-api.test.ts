// Real kubectl, two releases of it, against the API over plain HTTP: what it sends, and what it makes of the answers.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Deployment, Secret } from '../../src/resources/kinds.ts';
import { startTestApi, type TestApi } from '../../src/server/test-api.ts';
import { createKubectl, type Kubectl, type KubectlVersion, kubectlVersions } from './kubectl.ts';
import { type ServedKube, serveKube } from './serve-kube.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
}

const seenOf = ({ method = '', url = '', headers }: IncomingMessage): Seen => ({
  ...{ method, url },
  contentType: headers['content-type'],
});

const manifest = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "${image}", ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1"}
`;

for (const version of kubectlVersions) describe(`kubectl 1.${version}`, () => suite(version));

function suite(version: KubectlVersion): void {
  let api: TestApi;
  let server: ServedKube;
  let kubectl: Kubectl;
  const seen: Seen[] = [];

  before(async () => {
    api = await startTestApi();
    server = await serveKube(api.handler, (request) => seen.push(seenOf(request)));
    kubectl = await createKubectl(version, [`--server=${server.url}`]);
  });
  after(async () => {
    await kubectl.remove();
    server.stop();
    await api.stop();
  });

  const object = async <T>(...args: string[]) => JSON.parse(await kubectl.ok(['get', '-o', 'json', ...args])) as T;
  const web = () => object<Deployment>('deployment', 'web');

  test('create namespace, configmap, secret, deployment', async () => {
    await kubectl.ok(['create', 'namespace', 'shop']);
    await kubectl.ok(['create', 'configmap', 'c', '-n', 'shop', '--from-literal=a=b']);
    await kubectl.ok(['create', 'secret', 'generic', 's', '-n', 'shop', '--from-literal=password=hunter2']);
    await kubectl.ok(['create', 'deployment', 'd', '-n', 'shop', '--image=nginx:1', '--replicas=3', '--port=80']);
    const secret = await object<Secret>('secret', 's', '-n', 'shop');
    assert.equal(Buffer.from(secret.data?.password ?? '', 'base64').toString(), 'hunter2');
    assert.equal(secret.type, 'Opaque');
    const made = await object<Deployment>('deployment', 'd', '-n', 'shop');
    assert.equal(made.spec.replicas, 3);
    assert.equal(made.spec.template.spec?.containers[0]?.image, 'nginx:1');
    const created = seen.filter((one) => one.method === 'POST').map((one) => one.contentType);
    const wanted = version === '31' ? 'application/json' : 'application/vnd.kubernetes.protobuf';
    assert.deepEqual([...new Set(created)], [wanted]);
    const again = await kubectl.run(['create', 'configmap', 'c', '-n', 'shop']);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /configmaps "c" already exists/);
  });

  test('apply twice changes nothing, apply of a change changes it', async () => {
    assert.match(await kubectl.ok(['apply', '-f', '-'], manifest('nginx:1')), /deployment.apps\/web created/);
    const before = await web();
    const unchanged = await kubectl.ok(['apply', '-f', '-'], manifest('nginx:1'));
    assert.equal(unchanged, 'deployment.apps/web unchanged\nconfigmap/settings unchanged\n');
    assert.equal((await web()).metadata.resourceVersion, before.metadata.resourceVersion);
    assert.match(await kubectl.ok(['apply', '-f', '-'], manifest('nginx:2')), /deployment.apps\/web configured/);
    const changed = await web();
    assert.equal(changed.metadata.generation, 2);
    assert.equal(changed.spec.template.spec?.containers[0]?.image, 'nginx:2');
    assert.equal((await kubectl.run(['diff', '-f', '-'], manifest('nginx:2'))).code, 0);
    assert.equal((await kubectl.run(['diff', '-f', '-'], manifest('nginx:3'))).code, 1);
  });

  test('an unknown field, a missing object and a dry run', async () => {
    const wrong = await kubectl.run(['apply', '-f', '-'], manifest('nginx:1').replace('replicas', 'replicsa'));
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /unknown field "spec.replicsa"/);
    const missing = await kubectl.run(['get', 'configmap', 'nope']);
    assert.match(missing.stderr, /Error from server \(NotFound\): configmaps "nope" not found/);
    assert.match(await kubectl.ok(['create', 'configmap', 'dry', '--dry-run=server']), /created \(server dry run\)/);
    assert.equal((await kubectl.run(['get', 'configmap', 'dry'])).code, 1);
  });

  test('get in its forms, and describe', async () => {
    const table = await kubectl.ok(['get', 'deployments', '-o', 'wide', '-A']);
    assert.match(table, /NAMESPACE +NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR/);
    assert.match(table, /default +web +0\/2 +0 +0 +\S+ +web +nginx:2 +app=web/);
    assert.equal(await kubectl.ok(['get', 'deploy', '-l', 'app in (web)', '-o', 'name']), 'deployment.apps/web\n');
    assert.equal(
      await kubectl.ok(['get', 'cm', '--field-selector=metadata.name=settings', '-o', 'name']),
      'configmap/settings\n',
    );
    assert.equal(await kubectl.ok(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}']), '2');
    assert.match(await kubectl.ok(['get', 'cm', '--show-labels', '--sort-by=.metadata.name']), /settings/);
    assert.match(await kubectl.ok(['get', 'all', '-A']), /deployment.apps\/web/);
    assert.match(await kubectl.ok(['describe', 'deployment', 'web']), /Replicas: +2 desired/);
    assert.match(await kubectl.ok(['explain', 'deployment.spec.replicas']), /FIELD: replicas <integer>/);
    assert.match(await kubectl.ok(['api-resources']), /stacks +flotilla.dev\/v1alpha1 +true +Stack/);
    assert.match(await kubectl.ok(['version']), /Server Version: v1\.35\.0\+flotilla-0\.1\.0/);
    assert.match(await kubectl.ok(['auth', 'whoami']), /flotilla:admin/);
    assert.equal(await kubectl.ok(['auth', 'can-i', 'delete', 'pods']), 'yes\n');
  });

  test('scale, the three patches, set, label, annotate, replace, edit', async () => {
    await kubectl.ok(['scale', 'deployment', 'web', '--replicas=4']);
    await kubectl.ok(['scale', 'deployment', 'web', '--current-replicas=4', '--replicas=5']);
    assert.equal((await web()).spec.replicas, 5);
    assert.equal((await kubectl.run(['scale', 'deployment', 'web', '--current-replicas=4', '--replicas=6'])).code, 1);
    const template = {
      spec: { template: { spec: { containers: [{ name: 'web', env: [{ name: 'B', value: '2' }] }] } } },
    };
    await kubectl.ok(['patch', 'deployment', 'web', '-p', JSON.stringify(template)]);
    const env = (await web()).spec.template.spec?.containers[0]?.env?.map((one) => one.name);
    assert.deepEqual(env?.toSorted(), ['A', 'B']);
    await kubectl.ok(['patch', 'deployment', 'web', '--type=merge', '-p', '{"spec":{"replicas":3}}']);
    const operation =
      '[{"op":"test","path":"/spec/replicas","value":3},{"op":"replace","path":"/spec/replicas","value":1}]';
    await kubectl.ok(['patch', 'deployment', 'web', '--type=json', '-p', operation]);
    assert.equal((await kubectl.run(['patch', 'deployment', 'web', '--type=json', '-p', operation])).code, 1);
    assert.equal((await web()).spec.replicas, 1);
    await kubectl.ok(['set', 'image', 'deployment/web', 'web=nginx:9']);
    await kubectl.ok(['rollout', 'restart', 'deployment/web']);
    assert.ok((await web()).spec.template.metadata?.annotations?.['kubectl.kubernetes.io/restartedAt']);
    await kubectl.ok(['label', 'deployment', 'web', 'tier=front', 'app-']);
    assert.deepEqual((await web()).metadata.labels, { tier: 'front' });
    await kubectl.ok(['annotate', 'deployment', 'web', 'note=x y']);
    const stale = JSON.stringify(await web());
    await kubectl.ok(['annotate', 'deployment', 'web', 'note-']);
    assert.match((await kubectl.run(['replace', '-f', '-'], stale)).stderr, /the object has been modified/);
    const fresh = await web();
    fresh.spec.replicas = 7;
    await kubectl.ok(['replace', '-f', '-'], JSON.stringify(fresh));
    assert.equal((await web()).spec.replicas, 7);
  });

  test('get -w shows changes; a watch resumes after its version', async () => {
    const { metadata } = await object<Deployment>('configmap', 'settings');
    const watching = kubectl.start(['get', 'configmap', 'settings', '-w', '--output-watch-events']);
    try {
      await untilOutput(watching, /ADDED +settings +1/);
      const modified = untilOutput(watching, /MODIFIED +settings +2/);
      await kubectl.ok(['patch', 'configmap', 'settings', '-p', '{"data":{"b":"2"}}']);
      await modified;
    } finally {
      const ended = once(watching, 'exit');
      watching.kill();
      await ended;
    }
    const raw = `/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion=${metadata.resourceVersion}`;
    const lines = (await kubectl.ok(['get', '--raw', raw]))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ type, object: { data } }) => [type, data]),
      [['MODIFIED', { a: '1', b: '2' }]],
    );
  });

  test('wait sees what is written later', async () => {
    const waiting = kubectl.ok(['wait', 'configmap/settings', '--for=jsonpath={.data.c}=3', '--timeout=20s']);
    await kubectl.ok(['patch', 'configmap', 'settings', '-p', '{"data":{"c":"3"}}']);
    assert.match(await waiting, /condition met/);
  });

  test('delete waits until it is gone; a finalizer holds it', async () => {
    await kubectl.ok(['create', 'configmap', 'held']);
    await kubectl.ok([
      'patch',
      'configmap',
      'held',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":["example.com/x"]}}',
    ]);
    const deleting = kubectl.ok(['delete', 'configmap', 'held', '--timeout=20s']);
    await kubectl.ok(['wait', 'configmap/held', '--for=jsonpath={.metadata.deletionTimestamp}', '--timeout=20s']);
    await kubectl.ok(['patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    assert.match(await deleting, /deleted/);
    await kubectl.ok(['delete', 'deployment', 'web', '--cascade=orphan', '--wait=false']);
    await kubectl.ok(['delete', 'configmap', '--all', '-n', 'shop']);
    assert.equal(await kubectl.ok(['get', 'configmap', '-n', 'shop', '-o', 'name']), '');
  });

  test('discovery is negotiated, documents are asked for once', async () => {
    const documents = seen.filter((one) => one.url.startsWith('/openapi/v3/'));
    assert.equal(new Set(documents.map((one) => one.url)).size, documents.length);
    assert.ok(!seen.some((one) => one.url.startsWith('/apis/apps/v1?')), 'aggregated discovery was understood');
  });
}

async function untilOutput(child: ChildProcess, pattern: RegExp): Promise<void> {
  let text = '';
  const signal = AbortSignal.timeout(20_000);
  while (!pattern.test(text)) text += String((await once(child.stdout!, 'data', { signal }))[0]);
}

test('over HTTP/2 a body that is refused half-way does not hold the stream', { timeout: 20_000 }, async () => {
  const api = await startTestApi();
  const server = createHttp2Server((request, response) => {
    const path = new URL(request.url, 'http://server');
    void api.handler.handle(api.context(), request, response, path);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/api/v1/namespaces/default/configmaps' });
  stream.end(Buffer.alloc(5 * 1024 * 1024, 0x20));
  const [headers] = await once(stream, 'response');
  assert.equal(headers[':status'], 413);
  stream.resume();
  await once(stream, 'close');
  session.close();
  server.close();
  await api.stop();
});
