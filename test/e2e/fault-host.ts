import type { Container } from 'kubernetes-types/core/v1.js';
import type { HttpClient } from '../../src/client/http-client.ts';
import type { MachineLayout } from '../../src/lab/layout.ts';
import { type Pod, pods as podKind } from '../../src/resources/kinds.ts';
import { isReady } from './cluster.ts';
import { machineOf, runOn } from './host-state.ts';
import { assertOneToOne, clientOf } from './invariants.ts';
import { eventually, startLab, type TestLab } from './lab.ts';
import { holdUnit, type OwnAgent, type OwnAgentOptions, startOwnAgent } from './own-agent.ts';

const namespace = 'default';

/** A lab of one host whose agent is in the test's hands, and pods on it that are made without a controller. */
export interface FaultHost {
  readonly lab: TestLab;
  readonly host: MachineLayout;
  readonly client: HttpClient;
  agent: OwnAgent;
  restartAgent(options?: OwnAgentOptions): Promise<void>;
  /** `main`, and the containers of `spec` beside it. */
  create(name: string, container?: Partial<Container>, spec?: Partial<Pod['spec']>): Promise<void>;
  get(name: string): Promise<Pod>;
  /** Undefined while it is not. */
  readyNow(name: string): Promise<Pod | undefined>;
  ready(name: string, timeoutMs?: number): Promise<Pod>;
  readyPods(): Promise<readonly Pod[]>;
  remove(name: string): Promise<void>;
  isGone(name: string): Promise<boolean>;
  gone(name: string, timeoutMs?: number): Promise<true>;
  /** Deletes all pods, and waits until nothing of them is left. */
  clean(): Promise<void>;
  docker(...args: string[]): Promise<string>;
  isEngineUp(): Promise<boolean>;
  end(): Promise<void>;
}

export async function startFaultHost(name: string, octet: number): Promise<FaultHost> {
  const lab = await startLab({ name, octet, hosts: 1 });
  const host = await machineOf(lab, 'h1');
  const client = clientOf(lab);
  await holdUnit(host, 'agent');
  const list = async () => (await client.list(podKind, { namespace })).items;
  const one: FaultHost = {
    ...{ lab, host, client, agent: await startOwnAgent(host) },
    async restartAgent(options) {
      await one.agent.kill();
      one.agent = await startOwnAgent(host, options);
    },
    async create(podName, container = {}, spec = {}) {
      await client.create(podKind, {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: podName, namespace } },
        spec: {
          ...{ nodeName: 'h1', terminationGracePeriodSeconds: 1, ...spec },
          containers: [
            {
              ...{ name: 'main', image: 'busybox', imagePullPolicy: 'IfNotPresent' },
              command: ['sh', '-c', 'trap "exit 0" TERM; sleep 36000 & wait'],
              volumeMounts: [
                { name: 'tmp', mountPath: '/scratch' },
                { name: 'ram', mountPath: '/ram' },
              ],
              ...container,
            },
            ...(spec.containers ?? []),
          ],
          volumes: [
            { name: 'tmp', emptyDir: {} },
            { name: 'ram', emptyDir: { medium: 'Memory' } },
            ...(spec.volumes ?? []),
          ],
        },
      });
    },
    get: (podName) => client.get(podKind, { namespace, name: podName }),
    async readyNow(podName) {
      const pod = await one.get(podName);
      return isReady(pod as Parameters<typeof isReady>[0]) ? pod : undefined;
    },
    ready: (podName, timeoutMs = 30_000) =>
      eventually(`${podName} to be ready`, () => one.readyNow(podName), timeoutMs),
    readyPods: async () => (await list()).filter((pod) => isReady(pod as Parameters<typeof isReady>[0])),
    remove: (podName) => client.delete(podKind, { namespace, name: podName }),
    isGone: async (podName) => !(await list()).some((pod) => pod.metadata.name === podName),
    async gone(podName, timeoutMs = 30_000) {
      return eventually(
        `${podName} to be gone`,
        async () => ((await one.isGone(podName)) ? (true as const) : undefined),
        timeoutMs,
      );
    },
    async clean() {
      for (const { metadata } of await list()) {
        await client
          .delete(podKind, { namespace, name: metadata.name }, { gracePeriodSeconds: 1 })
          .catch((error: unknown) => {
            if (!/not found/.test(String(error))) throw error;
          });
      }
      await eventually('no pod', async () => (await list()).length === 0, 90_000);
      await assertOneToOne(lab, ['h1']);
    },
    async docker(...args) {
      const { code, stdout, stderr } = await runOn(host, ['docker', ...args]);
      if (code !== 0) throw new Error(stderr);
      return stdout.trim();
    },
    isEngineUp: async () => (await runOn(host, ['docker', 'version'])).code === 0,
    async end() {
      await one.agent.kill();
      client.close();
      await lab.down();
    },
  };
  return one;
}

export function containerIdOf(pod: Pod): string {
  return pod.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '') ?? '';
}
