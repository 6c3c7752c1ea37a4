import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Kubectl, kubectlVersions } from '../integration/kubectl.ts';
import { assertSameAsDocker, collectLines, containersOn, kubectlOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const hosts = ['h1', 'h2'];
const manifest = (text: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ticker}
spec:
  replicas: 1
  selector: {matchLabels: {app: ticker}}
  template:
    metadata: {labels: {app: ticker}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: ticker
          image: node:24-alpine
          command: [node, -e, "setInterval(() => console.log('${text}', Date.now()), 200); process.on('SIGTERM', () => process.exit(0))"]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
`;

describe('kubectl', { timeout: 280_000 }, () => {
  let lab: TestLab;
  before(async () => {
    lab = await startLab({ name: 'e2ekube', octet: 212, hosts: 2 });
  });
  after(() => lab?.down());

  const running = async (namespace: string) =>
    (await Promise.all(hosts.map((host) => containersOn(lab, host))))
      .flat()
      .filter((line) => line.startsWith(`${namespace}/`));

  for (const version of kubectlVersions) {
    describe(`1.${version}`, () => {
      const namespace = `k${version}`;
      let kubectl: Kubectl;
      const k = (...args: string[]) => kubectl.ok(['-n', namespace, ...args]);
      before(async () => {
        kubectl = await kubectlOf(lab, version);
        await kubectl.ok(['create', 'namespace', namespace]);
      });
      after(() => kubectl?.remove());

      it('create deployment, cm, secret', async () => {
        assert.equal(
          await k('create', 'deployment', 'web', '--image=nginx', '--replicas=2'),
          'deployment.apps/web created\n',
        );
        assert.equal(await k('create', 'configmap', 'c', '--from-literal=a=b'), 'configmap/c created\n');
        assert.equal(await k('create', 'secret', 'generic', 's', '--from-literal=p=q'), 'secret/s created\n');
        assert.equal(await k('get', 'secret', 's', '-o', 'jsonpath={.data.p}'), Buffer.from('q').toString('base64'));
        await eventually('two containers', async () => (await running(namespace)).length === 2, 60_000);
        await assertSameAsDocker(lab, hosts);
        assert.match(await k('get', 'deployment', 'web'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +[0-2]\/2 /);
        assert.match(await k('describe', 'deployment', 'web'), /Replicas: +2 desired/);
      });

      it('apply twice is unchanged; an edit is configured', async () => {
        assert.match(
          await kubectl.ok(['-n', namespace, 'apply', '-f', '-'], manifest('tick')),
          /ticker created\nconfigmap\/settings created/,
        );
        assert.match(
          await kubectl.ok(['-n', namespace, 'apply', '-f', '-'], manifest('tick')),
          /ticker unchanged\nconfigmap\/settings unchanged/,
        );
        await k('rollout', 'status', 'deployment/ticker', '--timeout=60s');
        assert.match(
          await kubectl.ok(['-n', namespace, 'apply', '-f', '-'], manifest('tock')),
          /ticker configured\nconfigmap\/settings unchanged/,
        );
        await k('rollout', 'status', 'deployment/ticker', '--timeout=60s');
        await eventually(
          'the earlier pod to go',
          async () => (await running(namespace)).filter((line) => line.includes('/ticker-')).length === 1,
        );
        await eventually('the new words', async () => /^tock /.test(await k('logs', 'deployment/ticker', '--tail=1')));
      });

      it('exec gives output and exit code', async () => {
        const pod = (await k('get', 'pods', '-l', 'app=ticker', '-o', 'jsonpath={.items[0].metadata.name}')).trim();
        const ended = await kubectl.run(
          ['-n', namespace, 'exec', '-i', pod, '--', 'sh', '-c', 'cat; echo err >&2; exit 7'],
          'in\n',
        );
        assert.deepEqual([ended.code, ended.stdout], [7, 'in\n']);
        assert.match(ended.stderr, /err\n.*exit code 7/);
        const seen = await lab.exec(await nodeOf(pod), [
          'docker',
          'ps',
          '-q',
          '--filter',
          `label=flotilla.dev/pod-name=${pod}`,
        ]);
        assert.notEqual(seen.trim(), '');
      });

      it('a line of logs -f arrives within a second of being written', async () => {
        const following = collectLines(kubectl.start(['-n', namespace, 'logs', '-f', '--tail=0', 'deployment/ticker']));
        try {
          const late = await eventually(
            'ten lines',
            async () => following.lines.length >= 10 && following.lines.slice(0, 10),
          );
          // The first lines may have waited for the command to start; clocks are the same machine's.
          const waits = late.slice(2).map(({ text, atMs }) => atMs - Number(text.split(' ')[1]));
          assert.ok(Math.max(...waits) <= 1_000, `waited ${waits.join(', ')} ms`);
        } finally {
          await following.stop();
        }
      });

      it('get -w shows a docker kill', async () => {
        const pod = (await k('get', 'pods', '-l', 'app=ticker', '-o', 'jsonpath={.items[0].metadata.name}')).trim();
        const watching = collectLines(kubectl.start(['-n', namespace, 'get', 'pods', '-w']));
        try {
          await eventually('the list', async () => watching.lines.length >= 2);
          const before = watching.lines.length;
          const node = await nodeOf(pod);
          const id = (
            await lab.exec(node, ['docker', 'ps', '-q', '--filter', `label=flotilla.dev/pod-name=${pod}`])
          ).trim();
          await lab.exec(node, ['docker', 'kill', id]);
          await eventually('the restart in the watch', async () =>
            watching.lines.slice(before).some(({ text }) => text.startsWith(pod) && / 1\/1 +Running +1 /.test(text)),
          );
        } finally {
          await watching.stop();
        }
      });

      it('scale and delete', async () => {
        await k('scale', 'deployment/web', '--replicas=3');
        await eventually('four containers', async () => (await running(namespace)).length === 4, 30_000);
        await k('delete', 'deployment', 'web', 'ticker');
        await eventually('no containers', async () => (await running(namespace)).length === 0, 45_000);
        await kubectl.ok(['delete', 'namespace', namespace]);
        assert.equal((await kubectl.run(['get', 'namespace', namespace])).code, 1);
      });

      const nodeOf = async (pod: string) => (await k('get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}')).trim();
    });
  }
});
