// Real kubectl against all controllers and simulated agents: rollouts as their users drive them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Deployment, Event, Pod, ReplicaSet } from '../../src/resources/kinds.ts';
import { allKubectlVersions, createKubectl, type Kubectl, type KubectlVersion } from './kubectl.ts';
import { type ServedKube, serveKube } from './serve-kube.ts';
import { eventually, readyStatus, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const manifest = (image: string, more = '') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kubernetes.io/change-cause: "image ${image}"}}
spec:
  replicas: 4
  ${more}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "${image}"}]
`;

for (const version of allKubectlVersions) describe(`rollouts with kubectl 1.${version}`, () => suite(version));

/** Images named broken never start. */
function outcomeOf(pod: Pod): NonNullable<Pod['status']> {
  const { image = '' } = pod.spec.containers[0] ?? {};
  if (!image.startsWith('broken')) return readyStatus('10.80.0.9');
  const waiting = { reason: 'ImagePullBackOff', message: 'not found' };
  const status = { name: 'web', image, imageID: '', ready: false, restartCount: 0, state: { waiting } };
  return { phase: 'Pending', containerStatuses: [status] };
}

function suite(version: KubectlVersion): void {
  let cluster: SimulatedCluster;
  let served: ServedKube;
  let kubectl: Kubectl;

  before(async () => {
    cluster = await startSimulatedCluster({ outcomeOf });
    await cluster.addNode('n1');
    await cluster.addNode('n2');
    served = await serveKube(cluster.kube);
    kubectl = await createKubectl(version, [`--server=${served.url}`]);
  });
  after(async () => {
    await kubectl.remove();
    served.stop();
    await cluster.stop();
  });

  const object = async <T>(...args: string[]) => JSON.parse(await kubectl.ok(['get', '-o', 'json', ...args])) as T;
  const web = () => object<Deployment>('deployment', 'web');
  const setsByImage = async () => {
    const { items } = await object<{ items: ReplicaSet[] }>('replicasets', '-l', 'app=web');
    return new Map(items.map((one) => [one.spec.template?.spec?.containers[0]?.image ?? '', one]));
  };
  const reasonOf = (one: Deployment) => one.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason;
  const done = () => kubectl.ok(['rollout', 'status', 'deployment/web', '--timeout=30s']);

  test('status waits for the end, history lists the revisions', async () => {
    await kubectl.ok(['apply', '-f', '-'], manifest('web:1'));
    assert.match(await done(), /deployment "web" successfully rolled out\n$/);
    await kubectl.ok(['apply', '-f', '-'], manifest('web:2'));
    await done();
    await kubectl.ok(['set', 'image', 'deployment/web', 'web=web:3']);
    await done();
    const history = await kubectl.ok(['rollout', 'history', 'deployment/web']);
    assert.match(history, /REVISION +CHANGE-CAUSE\n1 +image web:1\n2 +image web:2\n3 +image web:2\n/);
    const second = await kubectl.ok(['rollout', 'history', 'deployment/web', '--revision=2']);
    assert.match(second, /revision #2[\s\S]*Image:\s+web:2/);
    const events = await kubectl.ok([
      'get',
      'events',
      '--field-selector=involvedObject.name=web,reason=ScalingReplicaSet',
    ]);
    assert.match(events, /Normal +ScalingReplicaSet +deployment\/web +Scaled up replica set web-\S+ from 0 to 4/);
    const described = await kubectl.ok(['describe', 'deployment', 'web']);
    assert.match(described, /Progressing +True +NewReplicaSetAvailable/);
    assert.match(described, /OldReplicaSets: +web-\S+ \(0\/0 replicas created\), web-\S+ \(0\/0 replicas created\)/);
    assert.match(described, /NewReplicaSet: +web-\S+ \(4\/4 replicas created\)/);
  });

  test('undo goes to the revision before, or to the one that is asked for', async () => {
    await kubectl.ok(['rollout', 'undo', 'deployment/web', '--to-revision=1']);
    await done();
    const undone = await web();
    assert.equal(undone.spec.template.spec?.containers[0]?.image, 'web:1');
    assert.equal(undone.metadata.annotations?.['kubernetes.io/change-cause'], 'image web:1');
    const set = (await setsByImage()).get('web:1');
    assert.equal(set?.metadata.annotations?.['deployment.kubernetes.io/revision'], '4');
    assert.equal(set?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
    await kubectl.ok(['rollout', 'undo', 'deployment/web']);
    await done();
    assert.equal((await web()).spec.template.spec?.containers[0]?.image, 'web:3');
    assert.match(await kubectl.ok(['rollout', 'history', 'deployment/web']), /\n2 .*\n4 .*\n5 .*\n/);
    const missing = await kubectl.run(['rollout', 'undo', 'deployment/web', '--to-revision=99']);
    assert.match(missing.stderr, /unable to find specified revision 99 in history/);
  });

  test('restart makes new pods of the same image', async () => {
    const podNames = async () => (await kubectl.ok(['get', 'pods', '-l', 'app=web', '-o', 'name'])).trim().split('\n');
    const old = await podNames();
    await kubectl.ok(['rollout', 'restart', 'deployment/web']);
    await done();
    await eventually(async () => {
      const now = await podNames();
      assert.equal(now.length, 4);
      assert.deepEqual(
        now.filter((name) => old.includes(name)),
        [],
      );
    });
  });

  test('a paused one takes changes and a new size, and rolls when it is resumed', async () => {
    await kubectl.ok(['rollout', 'pause', 'deployment/web']);
    await eventually(async () => assert.equal(reasonOf(await web()), 'DeploymentPaused'));
    await kubectl.ok(['set', 'image', 'deployment/web', 'web=web:4']);
    await kubectl.ok(['scale', 'deployment/web', '--replicas=6']);
    await kubectl.ok(['wait', 'deployment/web', '--for=jsonpath={.status.availableReplicas}=6', '--timeout=20s']);
    assert.equal((await setsByImage()).has('web:4'), false);
    const refused = await kubectl.run(['rollout', 'undo', 'deployment/web']);
    assert.match(refused.stderr, /you cannot rollback a paused deployment/);
    await kubectl.ok(['rollout', 'resume', 'deployment/web']);
    await done();
    assert.equal((await setsByImage()).get('web:4')?.status?.availableReplicas, 6);
  });

  test('a template that cannot start ends at its deadline, holds what runs, scales with it, and is undone', async () => {
    await kubectl.ok(['patch', 'deployment', 'web', '-p', '{"spec":{"progressDeadlineSeconds":1,"replicas":10}}']);
    await done();
    await kubectl.ok(['set', 'image', 'deployment/web', 'web=broken:1']);
    const failed = await kubectl.run(['rollout', 'status', 'deployment/web', '--timeout=30s']);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /deployment "web" exceeded its progress deadline/);
    assert.equal((await web()).status?.availableReplicas, 8);
    const sizes = async () => {
      const sets = await setsByImage();
      return ['web:4', 'broken:1'].map((image) => sets.get(image)?.spec.replicas);
    };
    assert.deepEqual(await sizes(), [8, 5]);
    await kubectl.ok(['scale', 'deployment/web', '--replicas=20']);
    await eventually(async () => assert.deepEqual(await sizes(), [15, 10]));
    await kubectl.ok(['rollout', 'undo', 'deployment/web']);
    await done();
    assert.equal((await web()).status?.availableReplicas, 20);
  });

  test('history is kept as long as asked for', async () => {
    await kubectl.ok(['patch', 'deployment', 'web', '-p', '{"spec":{"revisionHistoryLimit":1,"replicas":2}}']);
    await eventually(async () => assert.equal((await setsByImage()).size, 2));
  });

  test('Recreate stops all before it starts any', async () => {
    const alone = manifest('web:5', 'strategy: {type: Recreate}').replace('name: web,', 'name: alone,');
    await kubectl.ok(['delete', 'deployment', 'web']);
    await kubectl.ok(['apply', '-f', '-'], alone);
    await kubectl.ok(['rollout', 'status', 'deployment/alone', '--timeout=30s']);
    await kubectl.ok(['set', 'image', 'deployment/alone', '*=web:6']);
    await kubectl.ok(['rollout', 'status', 'deployment/alone', '--timeout=30s']);
    await eventually(async () => {
      const { items } = await object<{ items: Event[] }>(
        'events',
        '--field-selector=reason=ScalingReplicaSet,involvedObject.name=alone',
      );
      const scalings = items.map(({ message }) => message?.replace(/replica set \S+/, 'all'));
      assert.deepEqual(scalings.sort(), [
        'Scaled down all from 4 to 0',
        'Scaled up all from 0 to 4',
        'Scaled up all from 0 to 4',
      ]);
    });
  });

  test('its sets, left behind, are taken in by the next of its name', async () => {
    const uid = (await setsByImage()).get('web:6')?.metadata.uid;
    await kubectl.ok(['delete', 'deployment', 'alone', '--cascade=orphan']);
    assert.deepEqual((await setsByImage()).get('web:6')?.metadata.ownerReferences ?? [], []);
    await kubectl.ok(['apply', '-f', '-'], manifest('web:6', 'strategy: {type: Recreate}'));
    await done();
    assert.equal((await setsByImage()).get('web:6')?.metadata.uid, uid);
  });
}
