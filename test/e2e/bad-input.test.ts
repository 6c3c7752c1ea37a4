import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { containersOn, kubectlOf, podsOf } from './cluster.ts';
import { eventually, startLab, type TestLab } from './lab.ts';

const hosts = ['h1', 'h2'];

describe('what goes wrong is said', { timeout: 280_000 }, () => {
  let lab: TestLab;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-bad-'));
    lab = await startLab({ name: 'e2ebad', octet: 213, hosts: 2 });
  });
  after(async () => {
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const deploy = async (name: string, service: string, ...more: string[]) => {
    const file = join(directory, `${name}.yml`);
    await writeFile(file, `name: ${name}\nservices:\n  app:\n${service.replaceAll(/^/gm, '    ')}\n`);
    return lab.tryFlotilla(['deploy', '-f', file, ...more], { timeoutMs: 120_000 });
  };

  it('a file with mistakes: every one with its place, nothing made', async () => {
    const ended = await deploy('wrong', 'image: busybox\nbuild: .\nimagee: x\nports: ["abc"]');
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /wrong\.yml:5:5: .*build/);
    assert.match(ended.stderr, /wrong\.yml:6:5: .*imagee[\s\S]*image/);
    assert.match(ended.stderr, /wrong\.yml:7:13: /);
    assert.equal(await lab.flotilla(['stack', 'ls', '-q']), '');
  });

  it('an image that does not exist', async () => {
    const ended = await deploy('noimage', 'image: acme/nothing:9');
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /error: stack noimage: app: instance app-\S+ cannot get its image: .*acme\/nothing:9/);
    assert.match(await lab.flotilla(['ps', 'noimage']), /ErrImagePull|ImagePullBackOff/);
    await lab.flotilla(['rm', 'noimage']);
  });

  it('a container that exits at once: its last lines are shown', async () => {
    const ended = await deploy('exits', `image: busybox\ncommand: [sh, -c, 'echo the disk is on fire; exit 3']`);
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /error: stack exits: app: instance app-\S+ ended with exit code 3/);
    assert.match(ended.stderr, /last lines of app-\S+:\n {2}\| the disk is on fire/);
    await lab.flotilla(['rm', 'exits']);
    for (const host of hosts) assert.deepEqual(await containersOn(lab, host, true), []);
  });

  it('nothing that fits: a sentence with counts', async () => {
    const ended = await deploy(
      'big',
      'image: busybox\ncommand: [sleep, "60"]\ndeploy: {resources: {reservations: {memory: 900g}}}',
    );
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /has no node: .*2 .*memory/);
    await lab.flotilla(['rm', 'big']);
  });

  it('a container that ignores SIGTERM is killed when its grace period ends', async () => {
    const ended = await deploy(
      'deaf',
      `image: busybox\ncommand: [sh, -c, 'trap "" TERM; while true; do sleep 1; done']\nstop_grace_period: 2s`,
    );
    assert.equal(ended.code, 0, ended.stderr);
    const startedMs = performance.now();
    await lab.flotilla(['rm', 'deaf']);
    const ms = performance.now() - startedMs;
    assert.ok(ms >= 2_000, `${ms}`);
    for (const host of hosts) assert.deepEqual(await containersOn(lab, host, true), []);
  });

  it('a container that eats more than its memory limit', async () => {
    const ended = await deploy(
      'hungry',
      `image: node:24-alpine\ncommand: [node, -e, 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))']\ndeploy: {resources: {limits: {memory: 64M}}}\nhealthcheck: {test: [CMD, /never-healthy], interval: 30s}`,
    );
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /instance app-\S+ used more memory than its limit and was killed/);
    await lab.flotilla(['rm', 'hungry']);
  });

  it('two services that want one host port on too few hosts', async () => {
    const ended = await deploy('ports', `image: busybox\ncommand: [sleep, "600"]\nports: ["8088:80"]\ninstances: 3`);
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /has no node: .*2 .*port/);
    await lab.flotilla(['rm', 'ports']);
  });

  it('an image behind a registry that is down is pulled when it is back', async () => {
    // The image is not on the hosts; with the cable of the registry's side cut, h1 alone cannot reach it.
    const before = await lab.tryFlotilla(['node', 'drain', 'h2']);
    assert.equal(before.code, 0);
    await lab.exec('h1', ['iptables', '-I', 'OUTPUT', '-p', 'tcp', '--dport', '5000', '-j', 'REJECT']);
    const ended = await deploy('later', 'image: redis:7-alpine');
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /cannot get its image/);
    await lab.exec('h1', ['iptables', '-D', 'OUTPUT', '-p', 'tcp', '--dport', '5000', '-j', 'REJECT']);
    await eventually(
      'the pull to succeed by itself',
      async () => (await podsOf(lab, 'later')).some((pod) => pod.status?.phase === 'Running'),
      90_000,
    );
    await lab.flotilla(['node', 'undrain', 'h2']);
    await lab.flotilla(['rm', 'later']);
  });

  it('kubectl: unknown and unsupported fields, wrong types, illegal names, stale versions', async () => {
    const kubectl = await kubectlOf(lab, '35');
    try {
      const pod = (spec: object) =>
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'p' },
          spec: { containers: [{ name: 'c', image: 'busybox' }], ...spec },
        });
      const apply = async (text: string) => {
        const ended = await kubectl.run(['create', '-f', '-'], text);
        assert.equal(ended.code, 1, text);
        return ended.stderr;
      };
      assert.match(await apply(pod({ nodeNam: 'h1' })), /strict decoding error: unknown field "spec\.nodeNam"/);
      assert.match(await apply(pod({ priorityClassName: 'high' })), /spec\.priorityClassName.*not supported/i);
      assert.match(await apply(pod({ terminationGracePeriodSeconds: 'x' })), /terminationGracePeriodSeconds/);
      assert.match(
        await apply(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'Not_A_Name' } })),
        /metadata\.name: Invalid value: "Not_A_Name"/,
      );
      await kubectl.ok(['create', 'configmap', 'c', '--from-literal=a=b']);
      const stale = await kubectl.run(
        ['replace', '-f', '-'],
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'c', namespace: 'default', resourceVersion: '1' },
          data: { a: 'c' },
        }),
      );
      assert.match(stale.stderr, /Conflict.*the object has been modified/);
    } finally {
      await kubectl.remove();
    }
  });
});
