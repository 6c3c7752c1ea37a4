import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { PodStatus } from 'kubernetes-types/core/v1.js';
import { createPodDialer } from '../../src/adapters/dialer/pod-dialer.ts';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerRuntime } from '../../src/adapters/runtime/port.ts';
import { createPodApi } from '../../src/agent/api/agent-api.ts';
import type { AddressPoolState } from '../../src/agent/network/address-pool.ts';
import type { Pods } from '../../src/agent/pod/pods.ts';
import { podOf } from '../../src/agent/pod/test-objects.ts';
import { createTestApi, startTestPods, type TestApi } from '../../src/agent/pod/test-pods.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { Pod } from '../../src/resources/kinds.ts';
import { busyboxImage, type DockerDaemon, dockerIsMissing, startDockerDaemon } from './docker-daemon.ts';

const missing = dockerIsMissing();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`this test needs Docker: ${missing}`);
  it('pods on a real engine', { skip: missing });
} else {
  describe('pods on a real engine', () => {
    let daemon: DockerDaemon;
    let runtime: ContainerRuntime;
    let api: TestApi;
    let addresses: AddressPoolState;
    let agents: { end(): Promise<void> }[] = [];

    before(async () => {
      daemon = await startDockerDaemon();
      runtime = createDockerRuntime({ socketPath: daemon.socketPath, log: silentLogger });
      await runtime.ensureNetwork({
        name: 'flotilla',
        bridgeName: 'fl0',
        subnet: '10.80.7.0/24',
        gateway: '10.80.7.1',
        mtu: 1500,
        labels: {},
        trustedInterfaces: [],
      });
    });
    after(() => daemon.stop());
    afterEach(async () => {
      await Promise.all(agents.map((agent) => agent.end()));
      agents = [];
    });

    const startAgent = async (engine: ContainerRuntime = runtime): Promise<Pods> => {
      const dataDirectory = join(daemon.directory, 'agent');
      const pods = await startTestPods({ runtime: engine, api, dataDirectory, addresses, podCIDR: '10.80.7.0/24' });
      const abort = new AbortController();
      runtime.watch(
        {
          onContainer: (id) => pods.look(id),
          onResync: () => {
            const askedAtMs = performance.now();
            void runtime.list().then(
              (all) => pods.resync(all, askedAtMs),
              () => {},
            );
          },
          onDisconnect: () => {},
        },
        abort.signal,
      );
      agents.push({
        end: async () => {
          abort.abort();
          await pods.stop();
        },
      });
      return pods;
    };
    const start = async (...pods: Pod[]): Promise<Pods> => {
      api = createTestApi();
      addresses = { next: 0, byPod: {} };
      for (const pod of pods) api.pods.set(pod.metadata.name, pod);
      return startAgent();
    };
    const web = (container: object = {}, meta: object = {}, spec: object = {}) =>
      podOf({ image: busyboxImage, command: ['/bin/sleep', '1000'], ...container }, meta, spec);
    const until = (isSo: (status: PodStatus | undefined) => boolean) => api.until('web-1', isSo);
    const ready = () =>
      until((status) => status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false);
    const stateOf = () => api.pods.get('web-1')?.status?.containerStatuses?.[0];
    const running = async () => (await runtime.list()).filter((one) => one.state === 'running');
    const remove = async (pods: Pods, graceSeconds = 1) => {
      const pod = api.pods.get('web-1');
      assert.ok(pod);
      const metadata = { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: graceSeconds };
      api.pods.set('web-1', { ...pod, metadata });
      pods.upsert({ ...pod, metadata });
      await api.until('web-1', (_status, left) => left === undefined);
      assert.deepEqual(await runtime.list(), []);
      assert.deepEqual(addresses.byPod, {});
    };

    it('go from nothing to Ready in a second, and are gone without a trace', async () => {
      const startMs = performance.now();
      const pods = await start(web({ readinessProbe: { exec: { command: ['/bin/true'] } } }));
      await ready();
      const tookMs = performance.now() - startMs;
      assert.ok(tookMs < 3_000, `${tookMs} ms`);
      const [container] = await running();
      assert.deepEqual(container?.addresses, ['10.80.7.2']);
      assert.match(container?.name ?? '', /^fl_shop_web-1_web_uid-1_0$/);
      await remove(pods, 0);
    });

    it('start anew after docker kill, and keep exactly the last end', async () => {
      const pods = await start(web());
      await ready();
      for (const round of [1, 2]) {
        const [container] = await running();
        await daemon.docker('kill', container?.id ?? '');
        await until((status) => status?.containerStatuses?.[0]?.restartCount === round);
        await ready();
      }
      assert.equal(stateOf()?.lastState?.terminated?.exitCode, 137);
      const states = (await runtime.list()).map((one) => one.state).sort();
      assert.deepEqual(states, ['exited', 'running']);
      await remove(pods, 0);
    });

    it('get another image, with a new container, though nothing would start again', async () => {
      const other = 'other-box:2';
      await daemon.docker('tag', busyboxImage, other);
      const pods = await start(web({}, {}, { restartPolicy: 'Never', terminationGracePeriodSeconds: 1 }));
      await ready();
      const pod = api.pods.get('web-1');
      assert.ok(pod);
      const changed = {
        ...pod,
        spec: { ...pod.spec, containers: [{ ...pod.spec.containers[0], name: 'web', image: other }] },
      };
      api.pods.set('web-1', changed);
      pods.upsert(changed);
      await until((status) => status?.containerStatuses?.[0]?.image === other);
      await ready();
      assert.deepEqual([stateOf()?.restartCount, api.pods.get('web-1')?.status?.phase], [1, 'Running']);
      assert.deepEqual(
        (await running()).map(({ image }) => image),
        [other],
      );
      await remove(pods, 0);
    });

    it('say OOMKilled, and end as Failed where nothing starts again', async () => {
      const command = ['/bin/sh', '-c', 'x=$(cat /dev/zero | busybox tr "\\\\0" x); echo $x'];
      const pods = await start(
        web({ command, resources: { limits: { memory: '16Mi' } } }, {}, { restartPolicy: 'Never' }),
      );
      await until((status) => status?.phase === 'Failed');
      assert.equal(stateOf()?.state?.terminated?.reason, 'OOMKilled');
      await remove(pods);
    });

    it('are started anew by a failing liveness probe', async () => {
      const livenessProbe = { exec: { command: ['/bin/false'] }, periodSeconds: 1, failureThreshold: 1 };
      const pods = await start(web({ livenessProbe }, {}, { terminationGracePeriodSeconds: 0 }));
      await until((status) => (status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
      assert.ok(api.events.includes('web-1 Unhealthy'));
      await remove(pods, 0);
    });

    it('have their log and their commands', async () => {
      const pods = await start(web({ command: ['/bin/sh', '-c', 'echo hello; sleep 1000'] }));
      await ready();
      const served = createPodApi({
        pods,
        runtime,
        dialer: createPodDialer(),
        renderMetrics: () => '',
        clock: systemClock,
        log: silentLogger,
      });
      const ref = { namespace: 'shop', pod: 'web-1', container: 'web', requestId: 'r1' };
      const { signal } = new AbortController();
      const options = { follow: false, previous: false, timestamps: false, limitBytes: 4 };
      let text = '';
      for (let tries = 0; text === '' && tries < 20; tries++, await delay(50)) {
        for await (const chunk of await served.logs(ref, options, signal)) text += Buffer.from(chunk).toString('utf8');
      }
      assert.equal(text, 'hell');
      await assert.rejects(served.logs(ref, { ...options, previous: true }, signal), /previous terminated container/);
      const command = ['/bin/sh', '-c', 'exit 7'];
      const session = await served.exec(ref, { command, stdin: false, stdout: true, stderr: true, tty: false }, signal);
      session.stdout.resume();
      session.stderr.resume();
      assert.equal(await session.exitCode(), 7);
      await remove(pods, 0);
    });

    it('live through a killed daemon', async () => {
      const pods = await start(web());
      await ready();
      const [before] = await running();
      await daemon.restart();
      const [after] = await running();
      assert.equal(after?.pid, before?.pid);
      assert.equal(stateOf()?.restartCount, 0);
      await remove(pods, 0);
    });

    it('that are deleted while their image comes end at once', async () => {
      // Takes the connection and says nothing; ends when the engine hangs up, which takes this one some seconds.
      daemon.exec(['busybox', 'nc', '-l', '-p', '5999']).catch(() => {});
      const pods = await start(web({ image: '127.0.0.1:5999/slow:1' }));
      await until((status) => /^pulling/.test(status?.containerStatuses?.[0]?.state?.waiting?.message ?? ''));
      const isConnected = async () => /ESTAB/.test(await daemon.exec(['ss', '-tn', 'dport', '=', ':5999']));
      while (!(await isConnected())) await delay(20);
      const startMs = performance.now();
      await remove(pods, 0);
      assert.ok(performance.now() - startMs < 3_000, `${performance.now() - startMs} ms`);
    });

    it('converge from wherever an agent was killed', async () => {
      for (let cut = 0; cut < 3; cut++) {
        await start();
        api.pods.set('web-1', web());
        let calls = 0;
        const cutOff = new Proxy(runtime, {
          get(target, name: keyof ContainerRuntime) {
            const value = target[name];
            if (!['create', 'start', 'inspect'].includes(name)) return value;
            return async (...args: unknown[]) => {
              const isCut = calls++ >= cut;
              const result = await (value as (...all: unknown[]) => unknown).apply(target, args);
              if (isCut) throw new Error('killed');
              return result;
            };
          },
        });
        await startAgent(cutOff);
        while (calls <= cut) await delay(20);
        await Promise.all(agents.map((agent) => agent.end()));
        agents = [];
        const second = await startAgent();
        await ready();
        assert.equal((await running()).length, 1, `cut ${cut}`);
        await remove(second, 0);
      }
    });
  });
}
