import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';
import type { PodStatus } from 'kubernetes-types/core/v1.js';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerObservation, ContainerRuntime } from '../../src/adapters/runtime/port.ts';
import type { AddressPoolState } from '../../src/agent/network/address-pool.ts';
import type { Pods } from '../../src/agent/pod/pods.ts';
import { podOf } from '../../src/agent/pod/test-objects.ts';
import { createTestApi, startTestPods, type TestApi } from '../../src/agent/pod/test-pods.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { Pod } from '../../src/resources/kinds.ts';
import { busyboxImage, type DockerDaemon, startDockerDaemon } from './docker-daemon.ts';

/** The pods part of an agent over a real engine; the pod is called `web-1`. Of the describe block in which it is made. */
export interface EnginePods {
  readonly daemon: DockerDaemon;
  readonly runtime: ContainerRuntime;
  readonly api: TestApi;
  readonly addresses: AddressPoolState;
  /** With a new API that has these pods; what ran before is ended. */
  start(...pods: Pod[]): Promise<Pods>;
  /** One more, with what there is: as after a restart. */
  startAgent(engine?: ContainerRuntime): Promise<Pods>;
  endAgents(): Promise<void>;
  until(isSo: (status: PodStatus | undefined) => boolean): Promise<void>;
  ready(): Promise<void>;
  running(): Promise<readonly ContainerObservation[]>;
  /** Deletes it; nothing of it is left. */
  remove(pods: Pods, graceSeconds?: number): Promise<void>;
}

/** A pod of one container that sleeps. */
export function sleepingPod(container: object = {}, meta: object = {}, spec: object = {}): Pod {
  return podOf({ image: busyboxImage, command: ['/bin/sleep', '1000'], ...container }, meta, spec);
}

export function enginePods(): EnginePods {
  let daemon: DockerDaemon;
  let runtime: ContainerRuntime;
  let api = createTestApi();
  let addresses: AddressPoolState = { next: 0, byPod: {} };
  let agents: { end(): Promise<void> }[] = [];

  before(async () => {
    daemon = await startDockerDaemon();
    runtime = createDockerRuntime({ socketPath: daemon.socketPath, exec: daemon.hostExec, log: silentLogger });
    await runtime.ensureNetwork({
      ...{ name: 'flotilla', bridgeName: 'fl0', subnet: '10.80.7.0/24', gateway: '10.80.7.1', mtu: 1500 },
      ...{ labels: {}, trustedInterfaces: [] },
    });
  });
  after(() => daemon.stop());
  afterEach(() => host.endAgents());

  const host: EnginePods = {
    get daemon() {
      return daemon;
    },
    get runtime() {
      return runtime;
    },
    get api() {
      return api;
    },
    get addresses() {
      return addresses;
    },
    async startAgent(engine = runtime) {
      const dataDirectory = join(daemon.directory, 'agent');
      const pods = await startTestPods({ runtime: engine, api, dataDirectory, addresses, podCIDR: '10.80.7.0/24' });
      const abort = new AbortController();
      const resync = () => {
        const askedAtMs = performance.now();
        void runtime.list().then(
          (all) => pods.resync(all, askedAtMs),
          () => {},
        );
      };
      runtime.watch({ onContainer: (id) => pods.look(id), onResync: resync, onDisconnect: () => {} }, abort.signal);
      agents.push({
        end: async () => {
          abort.abort();
          await pods.stop();
        },
      });
      return pods;
    },
    async start(...pods) {
      await host.endAgents();
      api = createTestApi();
      addresses = { next: 0, byPod: {} };
      for (const pod of pods) api.pods.set(pod.metadata.name, pod);
      return host.startAgent();
    },
    async endAgents() {
      await Promise.all(agents.map((agent) => agent.end()));
      agents = [];
    },
    until: (isSo) => api.until('web-1', isSo),
    ready: () =>
      host.until((status) => status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false),
    running: async () => (await runtime.list()).filter((one) => one.state === 'running'),
    async remove(pods, graceSeconds = 1) {
      const pod = api.pods.get('web-1');
      assert.ok(pod);
      const metadata = { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: graceSeconds };
      api.pods.set('web-1', { ...pod, metadata });
      pods.upsert({ ...pod, metadata });
      await api.until('web-1', (_status, left) => left === undefined);
      assert.deepEqual(await runtime.list(), []);
      assert.deepEqual(addresses.byPod, {});
    },
  };
  return host;
}
