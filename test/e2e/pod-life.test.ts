// A pod's life as somebody with kubectl sees it: handlers, startup, last words, the log before, taints. A lab of one host.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Kubectl } from '../integration/kubectl.ts';
import { kubectlOf } from './cluster.ts';
import { type FaultHost, startFaultHost } from './fault-host.ts';
import { eventually } from './lab.ts';

describe('life of a pod', { timeout: 150_000 }, () => {
  let one: FaultHost;
  let kubectl: Kubectl;
  before(async () => {
    one = await startFaultHost('podlife', 230);
    kubectl = await kubectlOf(one.lab, '35');
  });
  after(() => one?.end());

  const shell = (script: string) => ({ command: ['sh', '-c', script] });
  const logsOf = async (...args: string[]) => (await kubectl.run(['logs', ...args])).stdout;

  it('postStart and preStop run in the container, before it is ready and before SIGTERM', async () => {
    await one.create(
      'hooked',
      {
        ...shell('trap "echo term > /proc/1/fd/1; exit 0" TERM; while :; do sleep 0.1; done'),
        lifecycle: {
          postStart: { exec: shell('sleep 1; echo started > /proc/1/fd/1') },
          preStop: { exec: shell('echo stopping > /proc/1/fd/1; sleep 1') },
        },
      },
      { terminationGracePeriodSeconds: 5 },
    );
    await eventually('it to run', async () => {
      const status = (await one.get('hooked')).status?.containerStatuses?.[0];
      return status?.state?.running !== undefined && status.started === false && !status.ready;
    });
    await one.ready('hooked');
    assert.equal(await logsOf('hooked'), 'started\n');
    const follow = logsOf('hooked', '-f');
    await one.remove('hooked');
    assert.equal(await follow, 'started\nstopping\nterm\n');
    await one.gone('hooked');
  });

  it('a startup probe holds the others back, and starts anew who never comes up', async () => {
    await one.create(
      'slow',
      {
        ...shell('sleep 3; touch /tmp/up; sleep 1000'),
        startupProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1, failureThreshold: 20 },
        livenessProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 1, failureThreshold: 1 },
      },
      { terminationGracePeriodSeconds: 0 },
    );
    await one.create('never', {
      ...shell('sleep 1000'),
      startupProbe: {
        ...{ exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 2, terminationGracePeriodSeconds: 1 },
      },
    });
    const pod = await one.ready('slow');
    assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
    await eventually(
      'a restart',
      async () => ((await one.get('never')).status?.containerStatuses?.[0]?.restartCount ?? 0) > 0,
    );
    const events = (await kubectl.run(['events', '--for', 'pod/never'])).stdout;
    assert.match(events, /Unhealthy .* Startup probe failed/);
    await one.remove('never');
    await one.remove('slow');
  });

  it('startup, readiness and liveness are probed by HTTP, by TCP and by commands, in each container for itself', async () => {
    const kinds = ['startup', 'readiness', 'liveness'] as const;
    type Kind = (typeof kinds)[number];
    /** What a probe looks at, and how it becomes so and is not so any more. */
    const forms = {
      http: {
        script: 'mkdir /tmp/www; httpd -p 8080 -h /tmp/www',
        probe: (kind: Kind) => ({ httpGet: { port: 8080, path: `/${kind}` } }),
        on: (kind: Kind) => `touch /tmp/www/${kind}`,
        off: (kind: Kind) => `rm /tmp/www/${kind}`,
        words: /Startup probe failed: HTTP probe failed with statuscode: 404/,
      },
      tcp: {
        script: 'true',
        probe: (kind: Kind) => ({ tcpSocket: { port: portOf(kind) } }),
        on: (kind: Kind) => `httpd -f -p ${portOf(kind)} -h /tmp >/dev/null 2>&1 & echo $! > /tmp/${kind}`,
        off: (kind: Kind) => `kill $(cat /tmp/${kind})`,
        words: /Startup probe failed: connect ECONNREFUSED [\d.]+:9001/,
      },
      exec: {
        script: 'true',
        probe: (kind: Kind) => ({ exec: { command: ['cat', `/tmp/${kind}`] } }),
        on: (kind: Kind) => `touch /tmp/${kind}`,
        off: (kind: Kind) => `rm /tmp/${kind}`,
        words: /Startup probe failed: cat: .*\/tmp\/startup/,
      },
    };
    const portOf = (kind: Kind) => 9001 + kinds.indexOf(kind);
    const containers = Object.entries(forms).map(([name, { script, probe }]) => {
      const often = { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 1 };
      return {
        ...{ name, image: 'busybox', imagePullPolicy: 'IfNotPresent' },
        ...shell(`${script}; trap "exit 0" TERM; sleep 36000 & wait`),
        startupProbe: { ...often, ...probe('startup'), failureThreshold: 300 },
        readinessProbe: { ...often, ...probe('readiness') },
        livenessProbe: { ...often, ...probe('liveness') },
      };
    });
    const [first, ...others] = containers;
    await one.create('probed', first, { containers: others });
    const statuses = async () => (await one.get('probed')).status?.containerStatuses ?? [];
    /** `started ready restarts` of all three. */
    const all = (what: string, expected: string) =>
      eventually(what, async () => {
        const found = (await statuses()).map((status) => `${status.started} ${status.ready} ${status.restartCount}`);
        return found.length === 3 && found.every((text) => text === expected);
      });
    const turn = async (way: 'on' | 'off', kind: Kind) => {
      const found = await statuses();
      for (const [name, form] of Object.entries(forms)) {
        const { containerID = '' } = found.find((status) => status.name === name) ?? {};
        await one.docker('exec', containerID.replace('docker://', ''), 'sh', '-c', form[way](kind));
      }
    };
    await eventually('all to run', async () => (await statuses()).filter(({ state }) => state?.running).length === 3);
    await all('nothing to have started', 'false false 0');
    await eventually('each to say why', async () => {
      const told = (await kubectl.run(['events', '--for', 'pod/probed'])).stdout;
      return Object.values(forms).every(({ words }) => words.test(told));
    });
    await turn('on', 'liveness');
    await turn('on', 'startup');
    await all('all to have started', 'true false 0');
    await turn('on', 'readiness');
    await all('all to be ready', 'true true 0');
    await one.ready('probed');
    await turn('off', 'readiness');
    await all('none to be ready', 'true false 0');
    await turn('off', 'liveness');
    await all('all to be started anew', 'false false 1');
    await one.remove('probed');
    await one.gone('probed');
  });

  it('last words, the state before and the log before are kept over a restart', async () => {
    await one.create('talker', shell('echo run $(date +%s); echo because > /dev/termination-log; sleep 1; exit 3'));
    const status = async () => (await one.get('talker')).status?.containerStatuses?.[0];
    await eventually('the second restart', async () => ((await status())?.restartCount ?? 0) >= 2);
    const ended = (await status())?.lastState?.terminated;
    assert.deepEqual([ended?.exitCode, ended?.message, ended?.reason], [3, 'because\n', 'Error']);
    assert.match(await logsOf('talker', '--previous'), /^run \d+\n$/);
    await eventually('the back-off', async () => (await status())?.state?.waiting?.reason === 'CrashLoopBackOff');
    assert.match(await logsOf('talker', '--previous'), /^run \d+\n$/);
    await one.create(
      'mute',
      {
        ...shell('echo out of cheese; exit 1'),
        terminationMessagePolicy: 'FallbackToLogsOnError',
      },
      { restartPolicy: 'Never' },
    );
    await eventually('its end', async () => {
      const message = (await one.get('mute')).status?.containerStatuses?.[0]?.state?.terminated?.message;
      return message === 'out of cheese\n';
    });
    await one.clean();
  });

  it('kubectl taint with NoExecute moves away who does not tolerate it, and for how long it does', async () => {
    const toleration = { key: 'disk', operator: 'Exists', effect: 'NoExecute' };
    await one.create('stays', {}, { tolerations: [toleration] });
    await one.create('soon', {}, { tolerations: [{ ...toleration, tolerationSeconds: 3 }] });
    await one.create('goes');
    for (const name of ['stays', 'soon', 'goes']) await one.ready(name);
    const startMs = performance.now();
    await kubectl.run(['taint', 'nodes', 'h1', 'disk=bad:NoExecute']);
    await one.gone('goes', 10_000);
    assert.equal(await one.isGone('soon'), false);
    await one.gone('soon', 15_000);
    assert.ok(performance.now() - startMs >= 3_000);
    await one.ready('stays');
    await kubectl.run(['taint', 'nodes', 'h1', 'disk-']);
    await one.clean();
  });
});
