// helm 4 installs, upgrades and rolls back by server-side apply; a small chart of our own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ConfigMap, Deployment, Service } from '../../src/resources/kinds.ts';
import { type ListeningApi, startListeningApi } from './api-server.ts';
import { createKubectl, type Kubectl, kubectlProgram } from './kubectl.ts';

const chart: Readonly<Record<string, string>> = {
  'Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 0.1.0\n',
  'values.yaml': 'image: nginx:1\nreplicas: 2\ncolours: {a: red, b: blue}\nhasPort: true\n',
  'templates/settings.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {{ toJson .Values.colours }}
`,
  'templates/service.yaml': `apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
  - {name: http, port: 80}
{{- if .Values.hasPort }}
  - {name: metrics, port: 9090}
{{- end }}
`,
  'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: {{ .Values.image | quote }}}]}
`,
};

describe('helm 4', () => {
  let server: ListeningApi;
  let kubectl: Kubectl;
  let directory: string;
  let program: string;

  before(async () => {
    server = await startListeningApi();
    kubectl = await createKubectl('35', [`--server=${server.url}`]);
    program = await kubectlProgram('35', 'helm');
    directory = await mkdtemp(join(tmpdir(), 'flotilla-helm-'));
    await mkdir(join(directory, 'shop/templates'), { recursive: true });
    for (const [name, text] of Object.entries(chart)) await writeFile(join(directory, 'shop', name), text);
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
    await kubectl.remove();
    await server.stop();
  });

  function helm(...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH ?? '', HOME: directory };
    const all = [...args, '--kube-apiserver', server.url, '--namespace', 'default'];
    return new Promise((resolve, reject) => {
      execFile(program, all, { env, timeout: 60_000, cwd: directory }, (error, stdout, stderr) => {
        if (error) reject(new Error(`helm ${args.join(' ')}: ${stderr}${stdout}`));
        else resolve(stdout);
      });
    });
  }
  const object = async <T>(...args: string[]) =>
    JSON.parse(await kubectl.ok(['get', '-o', 'json', '--show-managed-fields', ...args])) as T;
  const data = async () => (await object<ConfigMap>('cm', 'web-settings')).data;
  const ports = async () => (await object<Service>('service', 'web')).spec.ports?.map((one) => one.name);
  const web = () => object<Deployment>('deployment', 'web');

  test('installs by apply, and owns what it made', async () => {
    assert.match(await helm('install', 'web', './shop'), /STATUS: deployed/);
    assert.deepEqual(await data(), { a: 'red', b: 'blue' });
    assert.deepEqual(await ports(), ['http', 'metrics']);
    const owners = (await web()).metadata.managedFields?.map((one) => `${one.manager} ${one.operation}`);
    assert.deepEqual(owners, ['helm Apply']);
  });

  test('an upgrade takes away what the chart no longer has, and leaves what others added', async () => {
    await kubectl.ok(['patch', 'cm', 'web-settings', '-p', '{"data":{"mine":"kept"}}']);
    await helm('upgrade', 'web', './shop', '--set', 'image=nginx:2,hasPort=false,colours.b=null,colours.c=green');
    assert.deepEqual(await data(), { a: 'red', c: 'green', mine: 'kept' });
    assert.deepEqual(await ports(), ['http']);
    assert.equal((await web()).spec.template.spec?.containers[0]?.image, 'nginx:2');
    assert.match(await helm('list'), /web\s+default\s+2\s+.*deployed/);
  });

  test('a field that somebody changed since is a conflict; force takes it back', async () => {
    await kubectl.ok(['set', 'image', 'deployment/web', 'web=nginx:9']);
    const upgrade = ['upgrade', 'web', './shop', '--set', 'image=nginx:3'];
    await assert.rejects(
      helm(...upgrade),
      /conflict with "kubectl-set" using apps\/v1: \.spec\.template\.spec\.containers\[name="web"\]\.image/,
    );
    await helm(...upgrade, '--force-conflicts');
    assert.equal((await web()).spec.template.spec?.containers[0]?.image, 'nginx:3');
  });

  test('a rollback brings the first release back; uninstall removes all', async () => {
    await helm('rollback', 'web', '1', '--force-conflicts');
    assert.deepEqual(await data(), { a: 'red', b: 'blue', mine: 'kept' });
    assert.deepEqual(await ports(), ['http', 'metrics']);
    assert.equal((await web()).spec.template.spec?.containers[0]?.image, 'nginx:1');
    assert.match(await helm('uninstall', 'web'), /uninstalled/);
    assert.equal(await kubectl.ok(['get', 'cm,service,deployment,secret', '-o', 'name']), '');
  });
});
