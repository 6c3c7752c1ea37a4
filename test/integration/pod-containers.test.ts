// Pods of several containers on a real engine: one address, in order, and whole again whatever of it is killed.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import { podOf } from '../../src/agent/pod/test-objects.ts';
import type { Pod } from '../../src/resources/kinds.ts';
import { hostLabels } from '../../src/resources/names.ts';
import { busyboxImage, dockerIsMissing } from './docker-daemon.ts';
import { enginePods } from './engine-pods.ts';
import { until } from './until.ts';

const sleep = 'trap "exit 0" TERM; sleep 1000 & wait';
const shell = (name: string, script: string, more: Partial<Container> = {}): Container => ({
  ...{ name, image: busyboxImage, command: ['/bin/sh', '-c', script] },
  volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
  ...more,
});
/** Who was where, when: each line of the file that all containers of the pod mount. */
const note = (word: string) => `echo ${word} >> /shared/notes`;

const missing = dockerIsMissing();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`this test needs Docker: ${missing}`);
  it('pods of several containers', { skip: missing });
} else {
  describe('pods of several containers', { timeout: 100_000 }, () => {
    const host = enginePods();
    const podOfMany = (containers: Container[], spec: Partial<PodSpec> = {}): Pod => {
      const pod = podOf({}, {}, { terminationGracePeriodSeconds: 5, ...spec });
      const volumes = [{ name: 'shared', emptyDir: {} }];
      return { ...pod, spec: { ...pod.spec, volumes, ...spec, containers } };
    };
    const namesRunning = async () => (await host.running()).map(({ labels }) => labels[hostLabels.container]).sort();
    const inContainer = async (name: string, script: string) => {
      const one = (await host.running()).find(({ labels }) => labels[hostLabels.container] === name);
      return (await host.daemon.docker('exec', one?.id ?? '', '/bin/sh', '-c', script)).trim();
    };
    const statusOf = () => host.api.pods.get('web-1')?.status;
    const idOf = async (name: string) =>
      (await host.running()).find(({ labels }) => labels[hostLabels.container] === name)?.id ?? '';

    it('begin in order, and share address, names, queues and volumes', async () => {
      const pods = await host.start(
        podOfMany(
          [
            shell('app', `${note('app')}; ${sleep}`),
            shell('helper', 'echo hello > /tmp/index.html; httpd -f -p 8080 -h /tmp'),
          ],
          {
            hostname: 'www',
            initContainers: [
              shell('first', note('first')),
              shell('side', `sleep 0.3; ${note('side')}; echo > /tmp/up; ${sleep}`, {
                restartPolicy: 'Always',
                startupProbe: { exec: { command: ['cat', '/tmp/up'] }, periodSeconds: 1, failureThreshold: 30 },
              }),
              shell('second', note('second')),
            ],
          },
        ),
      );
      await host.ready();
      assert.deepEqual(await namesRunning(), ['POD', 'app', 'helper', 'side']);
      assert.equal(await inContainer('app', 'cat /shared/notes'), 'first\nside\nsecond\napp');
      assert.equal(await inContainer('app', 'busybox wget -qO- http://127.0.0.1:8080/'), 'hello');
      assert.equal(await inContainer('side', 'busybox hostname'), 'www');
      const address = statusOf()?.podIP ?? '';
      assert.equal(address, '10.80.7.2');
      assert.match(await inContainer('helper', 'busybox ip -o -4 addr show'), new RegExp(` ${address}/`));
      assert.match(await inContainer('app', 'busybox grep www /etc/hosts'), new RegExp(`^${address}\\s`));
      assert.match(await inContainer('app', 'cat /etc/resolv.conf'), /nameserver 10\.80\.7\.1/);
      const ipc = await Promise.all(
        ['app', 'helper'].map((name) => inContainer(name, 'busybox readlink /proc/self/ns/ipc')),
      );
      assert.equal(ipc[0], ipc[1]);
      assert.deepEqual(
        statusOf()?.initContainerStatuses?.map(({ name, ready, state }) => [name, ready, Object.keys(state ?? {})[0]]),
        [
          ['first', true, 'terminated'],
          ['side', true, 'running'],
          ['second', true, 'terminated'],
        ],
      );
      await host.remove(pods);
    });

    it('see each other as processes where they share them, and the pause program reaps what nobody waits for', async () => {
      const pods = await host.start(
        podOfMany([shell('app', sleep), shell('other', sleep)], { shareProcessNamespace: true }),
      );
      await host.ready();
      assert.match(await inContainer('app', 'cat /proc/1/cmdline'), /^\/pause/);
      await inContainer('app', 'sh -c "sleep 0.1 & exit 0"');
      const zombies = () => inContainer('app', 'sleep 0.3; cat /proc/[0-9]*/stat | busybox grep -c " Z " || true');
      assert.equal(await zombies(), '0');
      await host.remove(pods);
    });

    it('begin again when their pause container is killed, and when one of them is only that one', async () => {
      await host.start(
        podOfMany([shell('app', `${note('app')}; ${sleep}`), shell('helper', sleep)], {
          initContainers: [shell('init', note('init'))],
        }),
      );
      await host.ready();
      await host.daemon.docker('kill', await idOf('helper'));
      await host.until((status) => status?.containerStatuses?.[1]?.restartCount === 1);
      await host.ready();
      assert.deepEqual(
        statusOf()?.containerStatuses?.map(({ restartCount }) => restartCount),
        [0, 1],
      );
      await host.daemon.docker('kill', '-s', 'KILL', await idOf('POD'));
      await host.until((status) => status?.containerStatuses?.[0]?.restartCount === 1);
      await host.ready();
      assert.deepEqual(await namesRunning(), ['POD', 'app', 'helper']);
      assert.equal(await inContainer('app', 'cat /shared/notes'), 'init\napp\ninit\napp');
      assert.match(await inContainer('app', 'busybox ip -o -4 addr show'), / 10\.80\.7\.2\//);
      // Nobody that the engine still has from before is left running, and a new agent leaves them alone.
      await host.endAgents();
      const again = await host.startAgent();
      await host.ready();
      assert.deepEqual(
        statusOf()?.containerStatuses?.map(({ restartCount }) => restartCount),
        [1, 2],
      );
      assert.deepEqual(await namesRunning(), ['POD', 'app', 'helper']);
      await host.remove(again);
    });

    it('in the host’s network have no address of their own, and share the rest', async () => {
      const pods = await host.start(
        podOfMany([shell('app', sleep), shell('helper', 'httpd -f -p 127.0.0.1:8099 -h /www')], { hostNetwork: true }),
      );
      await host.ready();
      assert.equal(statusOf()?.podIP, '192.0.2.1');
      assert.match(await inContainer('app', 'busybox wget -qO- http://127.0.0.1:8099/ 2>&1 || true'), /404/);
      const of = (what: string) =>
        Promise.all(['app', 'helper'].map((name) => inContainer(name, `busybox readlink /proc/self/ns/${what}`)));
      const [ipc, other] = await of('ipc');
      assert.equal(ipc, other);
      assert.notEqual(ipc, (await host.daemon.exec(['readlink', '/proc/self/ns/ipc'])).trim());
      assert.equal((await of('net'))[0], (await host.daemon.exec(['readlink', '/proc/self/ns/net'])).trim());
      await host.remove(pods);
    });

    it('begin again when their pause container ended with nobody looking', async () => {
      await host.start(podOfMany([shell('app', sleep), shell('helper', sleep)]));
      await host.ready();
      const pid = Number(await host.daemon.docker('inspect', '-f', '{{.State.Pid}}', await idOf('POD')));
      await host.endAgents();
      await host.daemon.restart(async () => void process.kill(pid, 'SIGKILL'));
      const pods = await host.startAgent();
      await host.until((status) => status?.containerStatuses?.every(({ restartCount }) => restartCount === 1) ?? false);
      await host.ready();
      assert.deepEqual(await namesRunning(), ['POD', 'app', 'helper']);
      await host.remove(pods);
    });

    it('end together within one grace period, sidecars last, the last one first', async () => {
      const words = (word: string) => `trap '${note(word)}; exit 0' TERM; sleep 1000 & wait`;
      const directory = join(host.daemon.directory, 'notes');
      const pods = await host.start(
        podOfMany([shell('a', words('app')), shell('b', words('app'))], {
          initContainers: ['one', 'two'].map((name) => shell(name, words(name), { restartPolicy: 'Always' })),
          volumes: [{ name: 'shared', hostPath: { path: directory } }],
        }),
      );
      await host.ready();
      await host.remove(pods, 10);
      assert.equal(await readFile(join(directory, 'notes'), 'utf8'), 'app\napp\ntwo\none\n');
    });

    it('that are to run once end as their containers do, their sidecars after them', async () => {
      const pods = await host.start(
        podOfMany([shell('app', 'exit 0'), shell('other', 'sleep 0.3; exit 0')], {
          restartPolicy: 'Never',
          initContainers: [shell('side', sleep, { restartPolicy: 'Always' })],
        }),
      );
      await host.until((status) => status?.phase === 'Succeeded');
      assert.deepEqual(
        (await namesRunning()).filter((name) => name !== 'POD'),
        [],
      );
      await until('the pause container to end, too', async () => (await namesRunning()).length === 0);
      await host.remove(pods);
      const failing = await host.start(
        podOfMany([shell('app', sleep)], { restartPolicy: 'Never', initContainers: [shell('init', 'exit 3')] }),
      );
      await host.until((status) => status?.phase === 'Failed');
      assert.equal(statusOf()?.initContainerStatuses?.[0]?.state?.terminated?.exitCode, 3);
      assert.equal(statusOf()?.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing');
      await host.remove(failing);
    });
  });
}
