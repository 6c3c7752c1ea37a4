import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createFakeRuntime, type FakeRuntime } from '../../adapters/runtime/fake.ts';
import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { Metrics } from '../../lib/metrics.ts';
import type { Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import type { AddressPoolState } from '../network/address-pool.ts';
import type { Pods } from './pods.ts';
import { podOf } from './test-objects.ts';
import { createTestApi, startTestPods, type TestApi } from './test-pods.ts';
import type { MayStop } from './withdrawal.ts';

let dataDirectory = '';
before(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'flotilla-pods-'));
});
after(() => rm(dataDirectory, { recursive: true, force: true }));

interface Host {
  readonly runtime: FakeRuntime;
  readonly api: TestApi;
  readonly addresses: AddressPoolState;
}

function hostOf(...pods: Pod[]): Host {
  const runtime = createFakeRuntime();
  runtime.registry.add('acme/web:1');
  const api = createTestApi();
  for (const pod of pods) api.pods.set(pod.metadata.name, pod);
  return { runtime, api, addresses: { next: 0, byPod: {} } };
}

/** An agent on a host, following the engine's events. */
async function startOn(
  host: Host,
  runtime: ContainerRuntime = host.runtime,
  network: { wirePorts?(): void } = {},
  may: { readonly mayStop?: () => MayStop; readonly mayStepAside?: () => MayStop } = {},
): Promise<Pods & { end(): Promise<void> }> {
  const pods = await startTestPods({ ...host, runtime, dataDirectory, podCIDR: '10.80.3.0/24', network, ...may });
  const abort = new AbortController();
  host.runtime.watch(
    {
      onContainer: (id) => pods.look(id),
      onResync: () => {
        const askedAtMs = performance.now();
        void host.runtime.list().then(
          (all) => pods.resync(all, askedAtMs),
          () => {},
        );
      },
      onDisconnect: () => {},
    },
    abort.signal,
  );
  return {
    ...pods,
    end: async () => {
      abort.abort();
      await pods.stop();
    },
  };
}

const isReady = (host: Host, name: string) =>
  host.api.until(
    name,
    (status) => status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false,
  );
const deleteIn = (host: Host, pods: Pods, name: string) => {
  const pod = host.api.pods.get(name);
  assert.ok(pod);
  const metadata = { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 1 };
  const dying = { ...pod, metadata };
  host.api.pods.set(name, dying);
  pods.upsert(dying);
};
const engineCalls = (host: Host) => host.runtime.calls.map((call) => call.split(' ')[0]);

describe('pods of a node', () => {
  it('go from nothing to Ready and away again, leaving nothing', async () => {
    const host = hostOf(podOf());
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    assert.equal(host.api.pods.get('web-1')?.status?.podIP, '10.80.3.2');
    assert.deepEqual(host.api.events, ['web-1 Pulling', 'web-1 Pulled', 'web-1 Created', 'web-1 Started']);
    deleteIn(host, pods, 'web-1');
    await host.api.until('web-1', (_status, pod) => pod === undefined);
    assert.deepEqual(await host.runtime.list(), []);
    assert.deepEqual(host.addresses.byPod, {});
    await pods.end();
  });

  it('get a new container when their image changes, even while the old image cannot be had', async () => {
    const pod = podOf({ image: 'acme/missing:1' });
    const host = hostOf(pod);
    host.runtime.registry.add('acme/web:2');
    const pods = await startOn(host);
    const ask = (image: string) => {
      const now = { ...(host.api.pods.get('web-1') ?? pod), spec: podOf({ image }).spec };
      host.api.pods.set('web-1', now);
      pods.upsert(now);
    };
    ask('acme/web:1');
    await isReady(host, 'web-1');
    ask('acme/web:2');
    await host.api.until('web-1', (status) => status?.containerStatuses?.[0]?.image === 'acme/web:2');
    await isReady(host, 'web-1');
    const alive = (await host.runtime.list()).filter(({ state }) => state === 'running');
    assert.deepEqual(
      alive.map(({ image }) => image),
      ['acme/web:2'],
    );
    await pods.end();
  });

  it('start with four calls to the engine when the image is there', async () => {
    const host = hostOf(podOf());
    host.runtime.images.add('acme/web:1');
    const pods = await startTestPods({ ...host, dataDirectory, podCIDR: '10.80.3.0/24' });
    await isReady(host, 'web-1');
    assert.deepEqual(engineCalls(host), ['list', 'hasImage', 'create', 'start', 'inspect']);
    await pods.stop();
  });

  it('are counted: plans, their results, how long steps take', async () => {
    const host = hostOf(podOf());
    const metrics = new Metrics();
    const pods = await startTestPods({ ...host, dataDirectory, podCIDR: '10.80.3.0/24', metrics });
    await isReady(host, 'web-1');
    const text = metrics.render();
    assert.match(text, /^flotilla_agent_pods 1$/m);
    assert.match(text, /^flotilla_agent_reconciles_total\{result="ok"\} [1-9]/m);
    assert.match(text, /^flotilla_agent_step_seconds_count\{.*"create".*\} 1$/m);
    await pods.stop();
  });

  it('start again when their container dies, with the end on record', async () => {
    const host = hostOf(podOf());
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    const [first] = await host.runtime.list();
    host.runtime.exit(first?.id ?? '', 3);
    await host.api.until('web-1', (status) => status?.containerStatuses?.[0]?.restartCount === 1);
    await isReady(host, 'web-1');
    const status = host.api.pods.get('web-1')?.status?.containerStatuses?.[0];
    assert.equal(status?.lastState?.terminated?.exitCode, 3);
    assert.equal((await host.runtime.list()).filter((one) => one.state === 'running').length, 1);
    await pods.end();
  });

  it('are not touched by a restart of the agent', async () => {
    const host = hostOf(podOf());
    const first = await startOn(host);
    await isReady(host, 'web-1');
    await first.end();
    const before = host.runtime.calls.length;
    const second = await startOn(host);
    await isReady(host, 'web-1');
    await second.end();
    const changing = engineCalls(host)
      .slice(before)
      .filter((call) => !['list', 'inspect'].includes(call ?? ''));
    assert.deepEqual(changing, []);
  });

  it('stay ready when the disk of an agent that was killed is behind what it told last', async () => {
    const ask = (word: string) => ({ exec: { command: [word] }, periodSeconds: 0.01, failureThreshold: 1_000 });
    const lifecycle = { postStart: { exec: { command: ['warm'] } } };
    const pod = podOf({ startupProbe: ask('up'), readinessProbe: ask('ready') });
    const hooked = podOf({ lifecycle }, { name: 'web-2', uid: 'uid-2' });
    const host = hostOf(pod, hooked);
    const first = await startOn(host);
    await Promise.all([isReady(host, 'web-1'), isReady(host, 'web-2')]);
    await first.end();
    const { length } = host.api.told;
    const failed = Promise.withResolvers<void>();
    const { promise: warm, resolve: endWarm } = Promise.withResolvers<{ exitCode: number }>();
    let asked = 0;
    host.runtime.onExec = ([word]) => {
      if (word === 'warm') return warm;
      if (++asked === 5) failed.resolve();
      return { exitCode: 1 };
    };
    const fromDisk = { pods: [pod, hooked], until: failed.promise };
    const second = await startTestPods({ ...host, dataDirectory, podCIDR: '10.80.3.0/24', fromDisk });
    await host.api.until('web-2', () => host.api.told.length >= length + 2);
    endWarm({ exitCode: 1 });
    await second.stop();
    for (const { conditions } of host.api.told.slice(length)) {
      assert.equal(conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
    }
  });

  it('say why they wait for an image that is nowhere', async () => {
    const host = hostOf(podOf({ image: 'acme/web:9' }));
    const pods = await startOn(host);
    await host.api.until('web-1', (status) => {
      const waiting = status?.containerStatuses?.[0]?.state?.waiting;
      return waiting?.reason === 'ErrImagePull' && /"acme\/web:9" not found/.test(waiting.message ?? '');
    });
    await pods.end();
  });

  it('wait for a ConfigMap that is missing', async () => {
    const host = hostOf(podOf({ envFrom: [{ configMapRef: { name: 'conf' } }] }));
    const pods = await startOn(host);
    await host.api.until('web-1', (status) => {
      const waiting = status?.containerStatuses?.[0]?.state?.waiting;
      return waiting?.reason === 'CreateContainerConfigError' && waiting.message === 'configmap "conf" not found';
    });
    await pods.end();
  });

  it('are refused when the node has no room', async () => {
    const host = hostOf(podOf({ resources: { requests: { cpu: '5' } } }));
    const pods = await startOn(host);
    await host.api.until('web-1', (status) => status?.phase === 'Failed' && status.reason === 'OutOfcpu');
    assert.deepEqual(await host.runtime.list(), []);
    await pods.end();
  });

  it('that nobody wants any more are swept; what is not ours stays', async () => {
    const host = hostOf(podOf());
    const first = await startOn(host);
    await isReady(host, 'web-1');
    await first.end();
    const foreign = await host.runtime.create({
      name: 'fl_other',
      image: 'acme/web:1',
      labels: { 'flotilla.dev/pod-uid': 'x', 'flotilla.dev/node': 'h2', 'flotilla.dev/grid': 'main' },
      environment: [],
      network: 'none',
      ports: [],
      mounts: [],
    });
    host.api.pods.clear();
    const second = await startOn(host);
    while ((await host.runtime.list()).length > 1 || Object.keys(host.addresses.byPod).length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(
      (await host.runtime.list()).map(({ id }) => id),
      [foreign],
    );
    await second.end();
  });

  it('stop at once when a shorter grace period is given while they stop', async () => {
    const host = hostOf(podOf({}, {}, { terminationGracePeriodSeconds: 30 }));
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    const [container] = await host.runtime.list();
    const id = container?.id ?? '';
    host.runtime.stubborn.add(id);
    deleteIn(host, pods, 'web-1');
    while (!engineCalls(host).includes('stop')) await new Promise((resolve) => setImmediate(resolve));
    host.runtime.expireGrace(id);
    await host.api.until('web-1', (_status, pod) => pod === undefined);
    await pods.end();
  });

  it('a list of the engine that took its time makes no second container', async () => {
    const host = hostOf();
    const pods = await startOn(host);
    const askedAtMs = performance.now();
    const before = await host.runtime.list();
    pods.upsert(podOf());
    host.api.pods.set('web-1', podOf());
    await isReady(host, 'web-1');
    pods.resync(before, askedAtMs);
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await host.runtime.list()).length, 1);
    assert.equal(host.api.pods.get('web-1')?.status?.containerStatuses?.[0]?.restartCount, 0);
    await pods.end();
  });

  it('a change is not lost because the engine was away when it was looked at', async () => {
    const host = hostOf(podOf());
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    const [first] = await host.runtime.list();
    host.runtime.failNext('inspect', new Error('away'));
    host.runtime.exit(first?.id ?? '', 1);
    await host.api.until('web-1', (status) => status?.containerStatuses?.[0]?.restartCount === 1);
    await pods.end();
  });

  it('go on when somebody paused them, and can be deleted then', async () => {
    const host = hostOf(podOf());
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    const [container] = await host.runtime.list();
    host.runtime.pause(container?.id ?? '');
    while ((await host.runtime.inspect(container?.id ?? ''))?.state === 'paused') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    host.runtime.pause(container?.id ?? '');
    deleteIn(host, pods, 'web-1');
    await host.api.until('web-1', (_status, pod) => pod === undefined);
    assert.deepEqual(await host.runtime.list(), []);
    await pods.end();
  });

  it('a pull ends with the last pod that wanted it', async () => {
    const host = hostOf(podOf(), podOf({}, { name: 'web-2', uid: 'uid-2' }));
    let aborted = 0;
    const pods = await startOn(host, {
      ...host.runtime,
      pull: (_image, _onProgress, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted++;
            reject(new FlotillaError('Canceled', 'canceled'));
          });
        }),
    });
    const isPulling = (name: string) =>
      host.api.until(name, (status) => /^pulling/.test(status?.containerStatuses?.[0]?.state?.waiting?.message ?? ''));
    await Promise.all([isPulling('web-1'), isPulling('web-2')]);
    deleteIn(host, pods, 'web-1');
    await host.api.until('web-1', (_status, pod) => pod === undefined);
    assert.equal(aborted, 0);
    deleteIn(host, pods, 'web-2');
    await host.api.until('web-2', (_status, pod) => pod === undefined);
    assert.equal(aborted, 1);
    await pods.end();
  });

  it('an address that could not be written down is not used', async () => {
    const host = hostOf(podOf());
    host.runtime.images.add('acme/web:1');
    let tries = 0;
    const saveState = async () => {
      if (++tries < 3) throw new Error('ENOSPC');
    };
    const pods = await startTestPods({ ...host, dataDirectory, podCIDR: '10.80.3.0/24', saveState });
    await isReady(host, 'web-1');
    assert.equal(tries, 3);
    await pods.stop();
  });

  it('that are to run once do not run again when their container vanished while the agent was away', async () => {
    const status = {
      phase: 'Running',
      containerStatuses: [
        { name: 'web', image: '', imageID: '', ready: true, restartCount: 0, containerID: 'docker://c0' },
      ],
    };
    const host = hostOf({ ...podOf({}, {}, { restartPolicy: 'Never' }), status });
    const pods = await startOn(host);
    await host.api.until('web-1', (told) => told?.phase === 'Failed');
    assert.deepEqual(await host.runtime.list(), []);
    await pods.end();
  });

  it('count restarts on when their container vanished while the agent was away', async () => {
    const containerStatuses = [
      { name: 'web', image: '', imageID: '', ready: true, restartCount: 4, containerID: 'docker://c4' },
    ];
    const host = hostOf({ ...podOf(), status: { phase: 'Running', containerStatuses } });
    const pods = await startOn(host);
    await host.api.until('web-1', (told) => told?.containerStatuses?.[0]?.restartCount === 5);
    await pods.end();
  });

  it('run their handlers after the start and before the end, and are not ready in between', async () => {
    const lifecycle = { postStart: { exec: { command: ['warm'] } }, preStop: { exec: { command: ['drain'] } } };
    const host = hostOf(podOf({ lifecycle }));
    const pods = await startOn(host);
    const { promise: warm, resolve: end } = Promise.withResolvers<{ exitCode: number }>();
    const ran: string[] = [];
    host.runtime.onExec = (command) => {
      ran.push(command.join(' '));
      return command[0] === 'warm' ? warm : { exitCode: 0 };
    };
    await host.api.until('web-1', (status) => status?.containerStatuses?.[0]?.state?.running !== undefined);
    assert.equal(host.api.pods.get('web-1')?.status?.containerStatuses?.[0]?.started, false);
    end({ exitCode: 0 });
    await isReady(host, 'web-1');
    deleteIn(host, pods, 'web-1');
    await host.api.until('web-1', (_status, pod) => pod === undefined);
    assert.deepEqual(ran, ['warm', 'drain']);
    const order = engineCalls(host).filter((call) => ['exec', 'stop'].includes(call ?? ''));
    assert.deepEqual(order, ['exec', 'exec', 'stop']);
    await pods.end();
  });

  it('start anew when their postStart handler fails', async () => {
    const host = hostOf(podOf({ lifecycle: { postStart: { exec: { command: ['warm'] } } } }));
    let runs = 0;
    host.runtime.onExec = () => ({ exitCode: ++runs > 1 ? 0 : 1 });
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    assert.equal(host.api.pods.get('web-1')?.status?.containerStatuses?.[0]?.restartCount, 1);
    assert.ok(host.api.events.includes('web-1 FailedPostStartHook'));
    await pods.end();
  });

  it('wait for their startup probe, and start anew when it never succeeds', async () => {
    const startupProbe = { exec: { command: ['up'] }, periodSeconds: 0.01, failureThreshold: 2 };
    const host = hostOf(podOf({ startupProbe }));
    let asked = 0;
    host.runtime.onExec = () => ({ exitCode: ++asked > 4 ? 0 : 1 });
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    assert.equal(asked, 5);
    assert.equal(host.api.pods.get('web-1')?.status?.containerStatuses?.[0]?.restartCount, 2);
    await pods.end();
  });

  it('are not asked whether they live before their time, also after a startup probe', async () => {
    const ask = (word: string) => ({ exec: { command: [word] }, periodSeconds: 0.01, failureThreshold: 1 });
    // The fake engine's containers start in the first minutes of 2026.
    const initialDelaySeconds = (Date.now() - Date.UTC(2026, 0, 1)) / 1_000 + 3_600;
    const livenessProbe = { ...ask('alive'), initialDelaySeconds };
    const host = hostOf(podOf({ startupProbe: ask('up'), readinessProbe: ask('ready'), livenessProbe }));
    const asked: string[] = [];
    const { promise: oftenAsked, resolve } = Promise.withResolvers<void>();
    host.runtime.onExec = ([word = '']) => {
      asked.push(word);
      if (asked.filter((one) => one === 'ready').length > 5) resolve();
      return { exitCode: word === 'alive' ? 1 : 0 };
    };
    const pods = await startOn(host);
    await oftenAsked;
    assert.deepEqual([...new Set(asked)], ['up', 'ready']);
    await pods.end();
  });

  it('tell the last words of a container, of its file or of its log', async () => {
    const terminationMessagePolicy = 'FallbackToLogsOnError';
    const host = hostOf(podOf({ terminationMessagePolicy }), podOf({}, { name: 'web-2', uid: 'uid-2' }));
    const pods = await startOn(host);
    await Promise.all([isReady(host, 'web-1'), isReady(host, 'web-2')]);
    const all = await host.runtime.list();
    const idOf = (name: string) => all.find((one) => one.name.includes(name))?.id ?? '';
    host.runtime.write(idOf('web-1'), 'out of cheese\n');
    const mounts = host.runtime.specs.get(idOf('web-2'))?.mounts ?? [];
    const file = mounts.find(({ target }) => target === '/dev/termination-log');
    assert.ok(file?.type === 'bind');
    await writeFile(file.source, 'redo from start');
    for (const name of ['web-1', 'web-2']) host.runtime.exit(idOf(name), 1);
    const messageOf = (name: string, message: string) =>
      host.api.until(name, (status) => status?.containerStatuses?.[0]?.lastState?.terminated?.message === message);
    await Promise.all([messageOf('web-1', 'out of cheese\n'), messageOf('web-2', 'redo from start')]);
    await pods.end();
  });

  it('keep their random host port over a reboot', async () => {
    const annotations = {
      'flotilla.dev/random-host-ports': '80',
      'flotilla.dev/bound-host-ports': '[{"containerPort":80,"hostPort":40080,"protocol":"TCP"}]',
    };
    const host = hostOf(podOf({}, { annotations }));
    const pods = await startOn(host);
    await isReady(host, 'web-1');
    assert.equal((await host.runtime.list())[0]?.hostPorts[0]?.hostPort, 40_080);
    await pods.end();
  });

  it('say what is wrong with an annotation of random host ports', async () => {
    const annotations = { 'flotilla.dev/random-host-ports': '80/TCP,http' };
    const host = hostOf(podOf({}, { annotations }));
    const pods = await startOn(host);
    await host.api.until('web-1', (status) =>
      /"http" is not PORT/.test(status?.containerStatuses?.[0]?.state?.waiting?.message ?? ''),
    );
    await pods.end();
  });

  it('of several containers start one after the other on one address, and go as one', async () => {
    const initContainers = [
      { name: 'init', image: 'acme/web:1' },
      { name: 'side', image: 'acme/web:1', restartPolicy: 'Always' },
    ];
    const pod = podOf({ ports: [{ containerPort: 80, hostPort: 8080 }] }, {}, { initContainers });
    const host = hostOf({
      ...pod,
      spec: { ...pod.spec, containers: [...pod.spec.containers, { name: 'two', image: 'acme/web:1' }] },
    });
    let wired = 0;
    const pods = await startOn(host, host.runtime, { wirePorts: () => void wired++ });
    const running = async () => (await host.runtime.list()).filter(({ state }) => state === 'running');
    const named = async (name: string) => (await running()).find(({ name: full }) => full.includes(`_${name}_`));
    await host.api.until('web-1', (status) => status?.initContainerStatuses?.[0]?.state?.running !== undefined);
    assert.equal((await running()).length, 2);
    host.runtime.exit((await named('init'))?.id ?? '', 0);
    await isReady(host, 'web-1');
    const pause = await named('POD');
    assert.deepEqual([pause?.addresses, pause?.hostPorts[0]?.hostPort, wired], [['10.80.3.2'], 8080, 1]);
    const specs = [...host.runtime.specs.values()].filter(({ name }) => !name.includes('_POD_'));
    for (const { network, ports, ipcOf } of specs) {
      assert.deepEqual([network, ports, ipcOf], [{ container: pause?.id }, [], pause?.id]);
    }
    host.runtime.exit(pause?.id ?? '', 137);
    await host.api.until('web-1', (status) => status?.initContainerStatuses?.[0]?.restartCount === 1);
    host.runtime.exit((await named('init'))?.id ?? '', 0);
    await host.api.until(
      'web-1',
      (status) => status?.containerStatuses?.every((one) => one.restartCount === 1) ?? false,
    );
    await isReady(host, 'web-1');
    assert.equal((await running()).length, 4);
    deleteIn(host, pods, 'web-1');
    await host.api.until('web-1', (_status, left) => left === undefined);
    assert.deepEqual([await host.runtime.list(), host.addresses.byPod], [[], {}]);
    await pods.end();
  });

  it('go on after a sidecar that had started before the agent was started anew', async () => {
    const startupProbe = { exec: { command: ['up'] }, periodSeconds: 0.01, failureThreshold: 1_000 };
    const side = { name: 'side', image: 'acme/web:1', restartPolicy: 'Always', startupProbe };
    const host = hostOf(podOf({}, {}, { initContainers: [side] }));
    // The container of the pod, after POD and the sidecar, cannot be made.
    const first = await startOn(host, cutAfter(host.runtime, ['create'], 2, true));
    await host.api.until('web-1', (status) => status?.initContainerStatuses?.[0]?.started === true);
    await first.end();
    host.runtime.onExec = () => ({ exitCode: 1 });
    const second = await startOn(host);
    await isReady(host, 'web-1');
    await second.end();
  });

  it('of several containers say why the container that holds their address does not start', async () => {
    const pod = podOf({ ports: [{ containerPort: 80, hostPort: 8080 }] });
    const containers = [...pod.spec.containers, { name: 'two', image: 'acme/web:1' }];
    const host = hostOf({ ...pod, spec: { ...pod.spec, containers } });
    host.runtime.images.add('acme/web:1');
    const taken = { containerPort: 80, hostPort: 8080, protocol: 'TCP' as const };
    const foreign = await host.runtime.create({
      ...{
        name: 'foreign',
        image: 'acme/web:1',
        labels: {},
        environment: [],
        network: 'none',
        ports: [taken],
        mounts: [],
      },
    });
    await host.runtime.start(foreign);
    const pods = await startOn(host);
    await host.api.until('web-1', (status) =>
      (status?.containerStatuses ?? []).some(
        ({ state }) =>
          state?.waiting?.reason === 'CreatePodSandboxError' && /already allocated/.test(state.waiting.message ?? ''),
      ),
    );
    await host.runtime.remove(foreign);
    await isReady(host, 'web-1');
    await pods.end();
  });

  it('that go run on until nobody is sent to them', async () => {
    const host = hostOf(podOf());
    let isWithdrawn = false;
    const pods = await startOn(
      host,
      host.runtime,
      {},
      {
        mayStop: () => isWithdrawn || { untilMs: performance.now() + 60_000 },
      },
    );
    await isReady(host, 'web-1');
    deleteIn(host, pods, 'web-1');
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!engineCalls(host).includes('stop'));
    isWithdrawn = true;
    pods.wakeAll();
    await host.api.until('web-1', (_status, pod) => pod === undefined);
    await pods.end();
  });

  it('that are ready are timed until all nodes follow', async () => {
    const host = hostOf(podOf());
    const metrics = new Metrics();
    const pods = await startTestPods({ ...host, dataDirectory, podCIDR: '10.80.3.0/24', metrics });
    await isReady(host, 'web-1');
    const pod = host.api.pods.get('web-1');
    assert.ok(pod);
    const conditions = [...(pod.status?.conditions ?? []), { type: podConditions.routed, status: 'True' }];
    for (let times = 0; times < 2; times++) pods.upsert({ ...pod, status: { ...pod.status, conditions } });
    assert.match(metrics.render(), /^flotilla_agent_routed_seconds_count 1$/m);
    await pods.stop();
  });

  it('that get another image are not ready first, and serve until nobody is sent to them', async () => {
    const pod = podOf();
    const host = hostOf(pod);
    host.runtime.registry.add('acme/web:2');
    let isAside = false;
    const mayStepAside = () => isAside || { untilMs: performance.now() + 60_000 };
    const pods = await startOn(host, host.runtime, {}, { mayStepAside });
    await isReady(host, 'web-1');
    const now = { ...(host.api.pods.get('web-1') ?? pod), spec: podOf({ image: 'acme/web:2' }).spec };
    host.api.pods.set('web-1', now);
    pods.upsert(now);
    const readyOf = (status: Pod['status']) => status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    await host.api.until('web-1', (status) => readyOf(status) === 'False');
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!engineCalls(host).includes('stop'));
    assert.equal(host.api.pods.get('web-1')?.status?.containerStatuses?.[0]?.state?.running !== undefined, true);
    isAside = true;
    pods.wakeAll();
    await host.api.until('web-1', (status) => status?.containerStatuses?.[0]?.image === 'acme/web:2');
    await isReady(host, 'web-1');
    await pods.end();
  });

  it('converge from wherever an agent was killed', async () => {
    const changing = ['create', 'start', 'stop', 'remove', 'pull'];
    for (let cut = 0; cut < 8; cut++) {
      for (const isBefore of [true, false]) await liveThroughCut(podOf(), 1, { changing, cut, isBefore });
    }
  });

  it('of several containers, too', async () => {
    const pod = podOf({}, {}, { initContainers: [{ name: 'side', image: 'acme/web:1', restartPolicy: 'Always' }] });
    const several = {
      ...pod,
      spec: { ...pod.spec, containers: [...pod.spec.containers, { name: 'two', image: 'acme/web:1' }] },
    };
    const changing = ['makePauseImage', 'create', 'start', 'stop', 'remove', 'pull'];
    for (let cut = 0; cut < 14; cut++) {
      for (const isBefore of [true, false]) await liveThroughCut(several, 4, { changing, cut, isBefore });
    }
  });
});

interface Cut {
  readonly changing: readonly string[];
  readonly cut: number;
  readonly isBefore: boolean;
}

/** The agent dies in the middle; the next one brings the pod to life and to its end. */
async function liveThroughCut(pod: Pod, containers: number, { changing, cut, isBefore }: Cut): Promise<void> {
  const host = hostOf(pod);
  const killed = Promise.withResolvers<void>();
  const first = await startOn(host, cutAfter(host.runtime, changing, cut, isBefore, killed.resolve));
  await Promise.race([killed.promise, isReady(host, 'web-1')]);
  await first.end(); // its memory is gone; the engine's and the disk's are not
  const second = await startOn(host);
  await isReady(host, 'web-1');
  const running = (await host.runtime.list()).filter((one) => one.state === 'running');
  assert.equal(running.length, containers, `cut ${cut}`);
  deleteIn(host, second, 'web-1');
  await host.api.until('web-1', (_status, left) => left === undefined);
  assert.deepEqual(await host.runtime.list(), []);
  assert.deepEqual(host.addresses.byPod, {});
  await second.end();
}

/** The n-th changing call fails before or after it has done its work, and all after it: as if the agent had died there. */
function cutAfter(
  runtime: FakeRuntime,
  changing: readonly string[],
  cut: number,
  isBefore: boolean,
  onCut = () => {},
): ContainerRuntime {
  let calls = 0;
  return new Proxy(runtime, {
    get(target, name: keyof FakeRuntime) {
      const value = target[name];
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const isCut = changing.includes(name) && calls++ >= cut;
        if (isCut && isBefore) {
          onCut();
          throw new Error('killed');
        }
        const result = await (value as (...all: unknown[]) => unknown).apply(target, args);
        if (isCut) {
          onCut();
          throw new Error('killed');
        }
        return result;
      };
    },
  });
}
