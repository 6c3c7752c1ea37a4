// Deployments as their users see them, on real containers: what runs at every moment of a rollout, and what a chart's usual
// fields come to.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Deployment, ReplicaSet } from '../../src/resources/kinds.ts';
import type { Kubectl } from '../integration/kubectl.ts';
import { assertSameAsDocker, collectLines, containersOn, kubectlOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const hosts = ['h1', 'h2'];
const program =
  "const {createServer} = require('http'); const s = createServer((q, r) => r.end(process.env.TEXT + ' ' + process.getuid()));" +
  " s.listen(8080); process.on('SIGTERM', () => process.exit(0))";

/** As a chart would have it. */
const manifest = (text: string, image = 'node:24-alpine') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {kubernetes.io/change-cause: "${text}"}}
spec:
  replicas: 4
  progressDeadlineSeconds: 15
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      securityContext: {runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true}
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - {weight: 1, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}}
      containers:
      - name: web
        image: ${image}
        command: [node, -e, "${program}"]
        env: [{name: TEXT, value: ${text}}]
        ports: [{name: http, containerPort: 8080}]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        readinessProbe: {httpGet: {port: http}, periodSeconds: 1}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 256Mi}}
`;

describe('deployments', { timeout: 240_000 }, () => {
  let lab: TestLab;
  let kubectl: Kubectl;
  before(async () => {
    lab = await startLab({ name: 'e2edeploy', octet: 233, hosts: 2 });
    kubectl = await kubectlOf(lab, '35');
  });
  after(async () => {
    await kubectl?.remove();
    await lab?.down();
  });

  const running = async () => (await Promise.all(hosts.map((host) => containersOn(lab, host)))).flat();
  const web = async () => JSON.parse(await kubectl.ok(['get', 'deployment', 'web', '-o', 'json'])) as Deployment;
  const done = () => kubectl.ok(['rollout', 'status', 'deployment/web', '--timeout=60s']);

  /** Every number of available pods that was told meanwhile, and the most containers that ran when somebody looked. */
  async function watched(act: () => Promise<unknown>) {
    const path = 'jsonpath={.status.availableReplicas}{"\\n"}';
    const watching = collectLines(kubectl.start(['get', 'deployment', 'web', '-w', '-o', path]));
    let mostContainers = 0;
    let isOver = false;
    const look = async () => {
      while (!isOver) mostContainers = Math.max(mostContainers, (await running()).length);
    };
    const looking = look();
    try {
      await act();
    } finally {
      isOver = true;
      await looking;
      await watching.stop();
    }
    return { available: watching.lines.map(({ text }) => Number(text)), mostContainers };
  }

  it('run with the rights that a chart asks for', async () => {
    const applied = await kubectl.run(['apply', '-f', '-'], manifest('one'));
    assert.match(applied.stderr, /Warning: .*preferredDuringScheduling\w+: accepted, and not done/);
    await done();
    await assertSameAsDocker(lab, hosts);
    assert.equal((await containersOn(lab, 'h1')).length, 2, 'they are spread all the same');
    const script = "fetch('http://127.0.0.1:8080').then((r) => r.text()).then(console.log)";
    assert.equal(await kubectl.ok(['exec', 'deploy/web', '--', 'node', '-e', script]), 'one 1000\n');
    const status = await kubectl.ok(['exec', 'deploy/web', '--', 'cat', '/proc/1/status']);
    assert.match(status, /NoNewPrivs:\t1/);
    assert.match(status, /CapEff:\t0000000000000000/);
    assert.equal((await kubectl.run(['exec', 'deploy/web', '--', 'touch', '/x'])).code, 1);
  });

  it('keep as many as promised while they roll, and start no more than allowed', async () => {
    const seen = await watched(async () => {
      await kubectl.ok(['apply', '-f', '-'], manifest('two'));
      await done();
    });
    assert.ok(seen.available.length > 2, JSON.stringify(seen));
    assert.ok(Math.min(...seen.available) >= 3, JSON.stringify(seen));
    // A container that is being stopped still runs: those of the surge and those that go.
    assert.ok(seen.mostContainers <= 4 + 1 + 2, JSON.stringify(seen));
  });

  it('hold on to what runs when the next image is nowhere, and go back', async () => {
    await kubectl.ok(['apply', '-f', '-'], manifest('three', 'nowhere:1'));
    const failed = await kubectl.run(['rollout', 'status', 'deployment/web', '--timeout=60s']);
    assert.match(failed.stderr, /deployment "web" exceeded its progress deadline/);
    assert.equal((await web()).status?.availableReplicas, 3);
    assert.match(await kubectl.ok(['get', 'pods', '-l', 'app=web']), /ImagePullBackOff|ErrImagePull/);
    await kubectl.ok(['rollout', 'undo', 'deployment/web']);
    await done();
    const history = await kubectl.ok(['rollout', 'history', 'deployment/web']);
    assert.match(history, /1 +one\n3 +three\n4 +two\n/);
    const { items } = JSON.parse(await kubectl.ok(['get', 'replicasets', '-o', 'json'])) as { items: ReplicaSet[] };
    assert.deepEqual(items.map((one) => one.spec.replicas).sort(), [0, 0, 4]);
    await eventually('four containers', async () => (await running()).length === 4);
    await assertSameAsDocker(lab, hosts);
  });
});
