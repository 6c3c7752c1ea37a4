// A program in a pod finds token, authority and namespace where every client looks for them, calls the API by them, and is
// refused what its Role does not allow.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Kubectl } from '../integration/kubectl.ts';
import { kubectlOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

interface Told {
  readonly files: readonly string[];
  readonly variables: readonly string[];
  readonly namespace?: string;
  readonly pods?: { readonly code: number; readonly names: readonly string[] };
  readonly secrets?: { readonly code: number; readonly message: string };
  readonly byName?: readonly string[];
}

const program = `
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const https = require('node:https');
const dns = require('node:dns').promises;
const at = '/var/run/secrets/kubernetes.io/serviceaccount';
const text = (file) => readFileSync(at + '/' + file, 'utf8');
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
const get = (path) => new Promise((resolve, reject) => {
  const headers = { authorization: 'Bearer ' + text('token').trim() };
  https.get({ host, port, path, headers, ca: text('ca.crt') }, (response) => {
    let body = '';
    response.on('data', (chunk) => (body += chunk));
    response.on('end', () => resolve({ code: response.statusCode, body: JSON.parse(body) }));
  }).on('error', reject);
});
(async () => {
  const files = existsSync(at) ? readdirSync(at).filter((name) => !name.startsWith('..')).sort() : [];
  const variables = Object.keys(process.env).filter((name) => name.startsWith('KUBERNETES_')).sort();
  if (files.length === 0) return { files, variables };
  const namespace = text('namespace');
  const pods = await get('/api/v1/namespaces/' + namespace + '/pods');
  const secrets = await get('/api/v1/namespaces/' + namespace + '/secrets');
  return {
    files, variables, namespace,
    pods: { code: pods.code, names: pods.body.items.map((pod) => pod.metadata.name).sort() },
    secrets: { code: secrets.code, message: secrets.body.message },
    byName: await dns.resolve4('kubernetes.default.svc.cluster.local'),
  };
})().then((told) => console.log(JSON.stringify(told)), (error) => console.log(JSON.stringify({ error: String(error) })));
setInterval(() => {}, 1000);
process.on('SIGTERM', () => process.exit(0));
`;

function podManifest(name: string, more: string): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 1
${more}
  containers:
  - name: main
    image: node:24-alpine
    command: [node, -e, ${JSON.stringify(program)}]
`;
}

/** As a kubelet writes them, for every pod: where the API is says nothing about who may call it. */
const apiVariables = [
  'KUBERNETES_PORT',
  'KUBERNETES_PORT_443_TCP',
  'KUBERNETES_PORT_443_TCP_ADDR',
  'KUBERNETES_PORT_443_TCP_PORT',
  'KUBERNETES_PORT_443_TCP_PROTO',
  'KUBERNETES_SERVICE_HOST',
  'KUBERNETES_SERVICE_PORT',
  'KUBERNETES_SERVICE_PORT_HTTPS',
];

describe('a service account', { timeout: 180_000 }, () => {
  let lab: TestLab;
  let kubectl: Kubectl;
  const k = (...args: string[]) => kubectl.ok(['-n', 'shop', ...args]);
  const told = async (pod: string): Promise<Told> => {
    let text = '';
    await eventually(
      `what ${pod} says`,
      async () => {
        text = (await kubectl.run(['-n', 'shop', 'logs', pod])).stdout;
        return text.includes('\n');
      },
      60_000,
    );
    return JSON.parse(text.split('\n')[0] ?? '') as Told;
  };

  before(async () => {
    lab = await startLab({ name: 'e2eauth', octet: 231, hosts: 1 });
    kubectl = await kubectlOf(lab, '35');
    await kubectl.ok(['create', 'namespace', 'shop']);
    await k('create', 'serviceaccount', 'reader');
    await k('create', 'role', 'reader', '--verb=get,list', '--resource=pods');
    await k('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=shop:reader');
    await kubectl.ok(['-n', 'shop', 'apply', '-f', '-'], podManifest('asks', '  serviceAccountName: reader'));
    await kubectl.ok(
      ['-n', 'shop', 'apply', '-f', '-'],
      podManifest('silent', '  automountServiceAccountToken: false'),
    );
  });
  after(async () => {
    await kubectl?.remove();
    await lab?.down();
  });

  it('reads its files, calls the API, and is refused what its Role does not allow', async () => {
    const { files, variables, namespace, pods, secrets, byName } = await told('asks');
    assert.deepEqual(files, ['ca.crt', 'namespace', 'token']);
    assert.deepEqual(variables, apiVariables);
    assert.equal(namespace, 'shop');
    assert.deepEqual(pods, { code: 200, names: ['asks', 'silent'] });
    assert.equal(secrets?.code, 403);
    assert.equal(
      secrets?.message,
      'secrets is forbidden: User "system:serviceaccount:shop:reader" cannot list resource "secrets" in API group "" in the namespace "shop"',
    );
    assert.deepEqual(byName, ['10.96.0.1'], 'the first address of the service range');
  });

  it('is not given to a pod that does not want it', async () => {
    assert.deepEqual(await told('silent'), { files: [], variables: apiVariables });
  });

  it('what was applied stays unchanged, though the server added to it', async () => {
    const again = await kubectl.ok(
      ['-n', 'shop', 'apply', '-f', '-'],
      podManifest('asks', '  serviceAccountName: reader'),
    );
    assert.equal(again, 'pod/asks unchanged\n');
    assert.match(await k('get', 'pod', 'asks', '-o', 'jsonpath={.spec.volumes[*].name}'), /^kube-api-access-\w{5}$/);
  });

  it('the token of a pod that is gone opens nothing any more', async () => {
    const token = await k('exec', 'asks', '--', 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/token');
    const asPod = async () => (await kubectl.run(['-n', 'shop', 'get', 'pods', `--token=${token}`])).code;
    assert.equal(await asPod(), 0);
    await k('delete', 'pod', 'asks', '--wait=true');
    await eventually('it is refused', async () => (await asPod()) !== 0);
  });
});
