import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createPodDialer } from '../../src/adapters/dialer/pod-dialer.ts';
import type { ContainerRuntime } from '../../src/adapters/runtime/port.ts';
import { createPodApi } from '../../src/agent/api/agent-api.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { busyboxImage, dockerIsMissing } from './docker-daemon.ts';
import { enginePods, sleepingPod } from './engine-pods.ts';

const missing = dockerIsMissing();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`this test needs Docker: ${missing}`);
  it('pods on a real engine', { skip: missing });
} else {
  describe('pods on a real engine', () => {
    const host = enginePods();
    const { start, startAgent, until, ready, running, remove } = host;
    const web = sleepingPod;
    const stateOf = () => host.api.pods.get('web-1')?.status?.containerStatuses?.[0];

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
        await host.daemon.docker('kill', container?.id ?? '');
        await until((status) => status?.containerStatuses?.[0]?.restartCount === round);
        await ready();
      }
      assert.equal(stateOf()?.lastState?.terminated?.exitCode, 137);
      const states = (await host.runtime.list()).map((one) => one.state).sort();
      assert.deepEqual(states, ['exited', 'running']);
      await remove(pods, 0);
    });

    it('get another image, with a new container, though nothing would start again', async () => {
      const other = 'other-box:2';
      await host.daemon.docker('tag', busyboxImage, other);
      const pods = await start(web({}, {}, { restartPolicy: 'Never', terminationGracePeriodSeconds: 1 }));
      await ready();
      const pod = host.api.pods.get('web-1');
      assert.ok(pod);
      const changed = {
        ...pod,
        spec: { ...pod.spec, containers: [{ ...pod.spec.containers[0], name: 'web', image: other }] },
      };
      host.api.pods.set('web-1', changed);
      pods.upsert(changed);
      await until((status) => status?.containerStatuses?.[0]?.image === other);
      await ready();
      assert.deepEqual([stateOf()?.restartCount, host.api.pods.get('web-1')?.status?.phase], [1, 'Running']);
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
      assert.ok(host.api.events.includes('web-1 Unhealthy'));
      await remove(pods, 0);
    });

    it('have their log and their commands', async () => {
      const pods = await start(web({ command: ['/bin/sh', '-c', 'echo hello; sleep 1000'] }));
      await ready();
      const served = createPodApi({
        pods,
        runtime: host.runtime,
        dialer: createPodDialer(),
        renderMetrics: () => '',
        network: async () => ({ node: 'h1', notes: [], applied: { revision: 0 }, peers: [] }),
        ingress: async () => ({ node: 'h1', problems: [] }),
        accessLog: async function* () {},
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
      await host.daemon.restart();
      const [after] = await running();
      assert.equal(after?.pid, before?.pid);
      assert.equal(stateOf()?.restartCount, 0);
      await remove(pods, 0);
    });

    it('that are deleted while their image comes end at once', async () => {
      // Takes the connection and says nothing; ends when the engine hangs up, which takes this one some seconds.
      host.daemon.exec(['busybox', 'nc', '-l', '-p', '5999']).catch(() => {});
      const pods = await start(web({ image: '127.0.0.1:5999/slow:1' }));
      await until((status) => /^pulling/.test(status?.containerStatuses?.[0]?.state?.waiting?.message ?? ''));
      const isConnected = async () => /ESTAB/.test(await host.daemon.exec(['ss', '-tn', 'dport', '=', ':5999']));
      while (!(await isConnected())) await delay(20);
      const startMs = performance.now();
      await remove(pods, 0);
      assert.ok(performance.now() - startMs < 3_000, `${performance.now() - startMs} ms`);
    });

    it('converge from wherever an agent was killed', async () => {
      for (let cut = 0; cut < 3; cut++) {
        await start();
        host.api.pods.set('web-1', web());
        let calls = 0;
        const cutOff = new Proxy(host.runtime, {
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
        await host.endAgents();
        const second = await startAgent();
        await ready();
        assert.equal((await running()).length, 1, `cut ${cut}`);
        await remove(second, 0);
      }
    });
  });
}
