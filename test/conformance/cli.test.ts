// sig-cli: what real kubectl does. Where Kubernetes uses a ReplicationController, a ReplicaSet stands here.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { V1Deployment, V1Pod, V1Service } from '@kubernetes/client-node';
import { conformance, eventually, podOf, refused, runningPod, type Scene } from './scene.ts';

const controller = (replicas: number) => `apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: agnhost-primary, labels: {app: agnhost}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: agnhost, role: primary}}
  template:
    metadata: {labels: {app: agnhost, role: primary}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: agnhost-primary, image: "web:1", ports: [{name: agnhost-server, containerPort: 6379}]}]
`;
const service = `apiVersion: v1
kind: Service
metadata: {name: agnhost-primary, labels: {app: agnhost}}
spec: {ports: [{port: 6379, targetPort: agnhost-server}], selector: {app: agnhost, role: primary}}
`;

async function started({ kubectl }: Scene, replicas: number): Promise<void> {
  await kubectl(['create', '-f', '-'], controller(replicas));
  await kubectl([
    'wait',
    'replicaset/agnhost-primary',
    `--for=jsonpath={.status.readyReplicas}=${replicas}`,
    '--timeout=20s',
  ]);
}

async function object<T>({ kubectl }: Scene, ...args: string[]): Promise<T> {
  return JSON.parse(await kubectl(['get', '-o', 'json', ...args])) as T;
}

/** What `kubectl proxy` answers at `/api/`. */
function versionsFrom(where: { port: number } | { socketPath: string }): Promise<{ versions: string[] }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...where, host: '127.0.0.1', path: '/api/' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(JSON.parse(text) as { versions: string[] }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Runs `kubectl proxy`, hands over what it says it listens on, and ends it. */
async function withProxy(
  { cluster }: Scene,
  args: readonly string[],
  body: (said: string) => Promise<void>,
): Promise<void> {
  const child = cluster.kubectl.start(['proxy', ...args]);
  try {
    for await (const line of createInterface({ input: child.stdout ?? assert.fail() })) {
      if (!line.startsWith('Starting to serve on ')) continue;
      await body(line.slice('Starting to serve on '.length));
      return;
    }
    assert.fail('kubectl proxy does not serve');
  } finally {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

describe('sig-cli: about the server', { concurrency: 4 }, () => {
  conformance('Kubectl, check version v1', async ({ kubectl }) => {
    assert.ok((await kubectl(['api-versions'])).split('\n').includes('v1'));
  });

  conformance('Kubectl, cluster info', async ({ kubectl }) => {
    const plain = stripVTControlCharacters(await kubectl(['cluster-info']));
    assert.match(plain, /Kubernetes control plane is running at https:/);
  });

  conformance('Kubectl, version', async ({ kubectl }) => {
    const { clientVersion, serverVersion } = JSON.parse(await kubectl(['version', '-o', 'json'])) as Record<
      string,
      Record<string, string>
    >;
    for (const version of [clientVersion, serverVersion])
      for (const field of ['major', 'minor', 'gitVersion', 'gitCommit', 'goVersion', 'platform', 'buildDate'])
        assert.equal(typeof version?.[field], 'string', field);
    assert.match(await kubectl(['version']), /Client Version: v[\s\S]*Server Version: v/);
  });

  conformance('Kubectl, proxy port zero', async (scene) => {
    await withProxy(scene, ['--port=0', '--disable-filter'], async (said) => {
      const { versions } = await versionsFrom({ port: Number(said.split(':').at(-1)) });
      assert.deepEqual(versions, ['v1']);
    });
  });

  conformance('Kubectl, proxy socket', async (scene) => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-proxy-'));
    const socketPath = join(directory, 'test');
    try {
      await withProxy(scene, [`--unix-socket=${socketPath}`], async () => {
        const { versions } = await eventually(() => versionsFrom({ socketPath }));
        assert.deepEqual(versions, ['v1']);
      });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('sig-cli: objects', { concurrency: 4 }, () => {
  conformance('Kubectl, describe pod or rc', async (scene) => {
    const { kubectl, namespace } = scene;
    await started(scene, 1);
    await kubectl(['create', '-f', '-'], service);
    const [pod] = (await object<{ items: V1Pod[] }>(scene, 'pods')).items;
    const has = async (args: readonly string[], ...wanted: readonly RegExp[]) => {
      const text = await kubectl(['describe', ...args]);
      for (const one of wanted) assert.match(text, one, args.join(' '));
    };
    await has(
      ['pod', pod?.metadata?.name ?? ''],
      /^Name: +agnhost-primary-/m,
      new RegExp(`^Namespace: +${namespace}$`, 'm'),
      /^Node: +common-/m,
      /^Labels: +app=agnhost\n +role=primary/m,
      /^Status: +Running/m,
      /^IP: +10\./m,
      /^Controlled By: +ReplicaSet\/agnhost-primary/m,
      /Image: +web:1/,
      /State: +Running/,
      /QoS Class: +BestEffort/,
    );
    await has(
      ['replicaset', 'agnhost-primary'],
      /^Replicas: +1 current \/ 1 desired/m,
      /^Pods Status: +1 Running/m,
      /Image: +web:1/,
      /^Events:/m,
    );
    await has(
      ['service', 'agnhost-primary'],
      /^Labels: +app=agnhost/m,
      /^Selector: +app=agnhost,role=primary/m,
      /^Type: +ClusterIP/m,
      /^TargetPort: +agnhost-server\/TCP/m,
      /^Endpoints: +10\./m,
      /^Session Affinity: +None/m,
    );
    await has(
      ['node', pod?.spec?.nodeName ?? ''],
      /^Name: +common-/m,
      /^Conditions:/m,
      /Capacity:/,
      /Allocatable:/,
      /Kubelet Version:/,
      /^Non-terminated Pods:/m,
    );
    await has(['namespace', namespace], new RegExp(`^Name: +${namespace}$`, 'm'), /^Status: +Active/m);
  });

  conformance('Kubectl, diff Deployment', async (scene) => {
    const manifest = (image: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: httpd, labels: {app: httpd}}
spec: {replicas: 1, selector: {matchLabels: {app: httpd}}, template: {metadata: {labels: {app: httpd}}, spec: {containers: [{name: httpd, image: "${image}"}]}}}
`;
    await scene.kubectl(['create', '-f', '-'], manifest('httpd:1'));
    const { code, stdout } = await scene.kubectlRun(['diff', '-f', '-'], manifest('busybox:2'));
    assert.equal(code, 1);
    assert.match(stdout, /^-\s+- image: httpd:1$/m);
    assert.match(stdout, /^\+\s+- image: busybox:2$/m);
    const deployment = await object<V1Deployment>(scene, 'deployment', 'httpd');
    assert.equal(deployment.spec?.template.spec?.containers[0]?.image, 'httpd:1');
  });

  conformance('Kubectl, create service, replication controller', async (scene) => {
    const { kubectl, discovery, namespace } = scene;
    await started(scene, 1);
    const exposed = async (name: string, port: number) => {
      const { spec } = await object<V1Service>(scene, 'service', name);
      assert.deepEqual([spec?.ports?.length, spec?.ports?.[0]?.port, spec?.ports?.[0]?.targetPort], [1, port, 6379]);
      await eventually(async () => {
        const slices = await discovery.listNamespacedEndpointSlice({
          namespace,
          labelSelector: `kubernetes.io/service-name=${name}`,
        });
        assert.equal(slices.items[0]?.endpoints.length, 1);
        assert.equal(slices.items[0]?.ports?.[0]?.port, 6379);
      }, 20_000);
    };
    await kubectl(['expose', 'replicaset', 'agnhost-primary', '--name=rm2', '--port=1234', '--target-port=6379']);
    await exposed('rm2', 1234);
    await kubectl(['expose', 'service', 'rm2', '--name=rm3', '--port=2345', '--target-port=6379']);
    await exposed('rm3', 2345);
  });

  conformance('Kubectl, label update', async (scene) => {
    const { core, namespace, kubectl } = scene;
    await core.createNamespacedPod({ namespace, body: podOf('pause', { labels: { name: 'pause' } }) });
    await runningPod(scene, 'pause');
    const column = async () => (await kubectl(['get', 'pod', 'pause', '-L', 'testing-label'])).trim();
    await kubectl(['label', 'pods', 'pause', 'testing-label=testing-label-value']);
    assert.match(await column(), /testing-label-value$/);
    assert.match(await kubectl(['get', 'pods', '-l', 'testing-label=testing-label-value', '-o', 'name']), /pod\/pause/);
    await kubectl(['label', 'pods', 'pause', 'testing-label-']);
    assert.doesNotMatch(await column(), /testing-label-value/);
  });

  conformance('Kubectl, patch to annotate', async (scene) => {
    await started(scene, 1);
    const pods = async () => (await object<{ items: V1Pod[] }>(scene, 'pods', '-l', 'app=agnhost')).items;
    for (const { metadata } of await pods())
      await scene.kubectl(['patch', 'pod', metadata?.name ?? '', '-p', '{"metadata":{"annotations":{"x":"y"}}}']);
    assert.deepEqual(
      (await pods()).map(({ metadata }) => metadata?.annotations?.x),
      ['y'],
    );
  });

  conformance('Kubectl, replace', async (scene) => {
    const { kubectl, core, namespace } = scene;
    await kubectl(['run', 'one', '--image=httpd:1', '--labels=run=one']);
    await runningPod(scene, 'one');
    const pod = await kubectl(['get', 'pod', 'one', '-o', 'json']);
    await kubectl(['replace', '-f', '-'], pod.replaceAll('httpd:1', 'busybox:2'));
    const { spec } = await core.readNamespacedPod({ namespace, name: 'one' });
    assert.equal(spec?.containers[0]?.image, 'busybox:2');
  });

  conformance('Kubectl, run pod', async (scene) => {
    await scene.kubectl(['run', 'one', '--restart=Never', '--image=httpd:1']);
    const { spec } = await object<V1Pod>(scene, 'pod', 'one');
    assert.deepEqual(
      [spec?.containers.length, spec?.containers[0]?.image, spec?.restartPolicy],
      [1, 'httpd:1', 'Never'],
    );
  });

  conformance('Kubectl, server-side dry-run Pod', async (scene) => {
    const { kubectl } = scene;
    await kubectl(['run', 'one', '--image=httpd:1', '--labels=run=one']);
    const patch = { spec: { containers: [{ name: 'one', image: 'busybox:2' }] } };
    const shown = JSON.parse(
      await kubectl(['patch', 'pod', 'one', '-p', JSON.stringify(patch), '--dry-run=server', '-o', 'json']),
    ) as V1Pod;
    assert.equal(shown.spec?.containers[0]?.image, 'busybox:2');
    const { spec } = await object<V1Pod>(scene, 'pod', 'one');
    assert.equal(spec?.containers[0]?.image, 'httpd:1');
  });

  conformance('Kubectl, replication controller', async (scene) => {
    const { kubectl, apps, core, namespace } = scene;
    await started(scene, 2);
    assert.equal((await object<{ items: V1Pod[] }>(scene, 'pods', '-l', 'app=agnhost')).items.length, 2);
    await kubectl(['delete', '--grace-period=0', '--force', '-f', '-'], controller(2));
    await refused(404, apps.readNamespacedReplicaSet({ namespace, name: 'agnhost-primary' }));
    await eventually(async () => assert.deepEqual((await core.listNamespacedPod({ namespace })).items, []), 20_000);
  });

  conformance('Kubectl, scale replication controller', async (scene) => {
    const { kubectl } = scene;
    await started(scene, 2);
    for (const replicas of [1, 2]) {
      await kubectl(['scale', 'replicaset', 'agnhost-primary', `--replicas=${replicas}`, '--timeout=20s']);
      await eventually(async () => {
        const { items } = await object<{ items: V1Pod[] }>(
          scene,
          'pods',
          '-l',
          'app=agnhost',
          '--field-selector=status.phase=Running',
        );
        assert.equal(items.length, replicas);
      }, 20_000);
    }
  });
});
