// One host, one server. The agent and its engine are ended at every step of a pod's life, and the world is changed behind
// the agent's back; after each, what the API tells and what the host has are one to one.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container } from 'kubernetes-types/core/v1.js';
import { stepTypes } from '../../src/agent/pod/steps/run-step.ts';
import type { HttpClient } from '../../src/client/http-client.ts';
import type { MachineLayout } from '../../src/lab/layout.ts';
import { type Pod, pods as podKind } from '../../src/resources/kinds.ts';
import { isReady } from './cluster.ts';
import { machineOf, observeHost, runOn, shellOn } from './host-state.ts';
import { assertOneToOne, clientOf } from './invariants.ts';
import { eventually, startLab, type TestLab } from './lab.ts';
import { holdUnit, type OwnAgent, releaseUnit, startOwnAgent } from './own-agent.ts';

const namespace = 'default';
const allPoints = stepTypes.flatMap((step) => [`${step}:before`, `${step}:after`]);

describe('an agent and its engine under faults', { timeout: 300_000 }, () => {
  let lab: TestLab;
  let host: MachineLayout;
  let client: HttpClient;
  let agent: OwnAgent;
  before(async () => {
    lab = await startLab({ name: 'afault', octet: 227, hosts: 1 });
    host = await machineOf(lab, 'h1');
    client = clientOf(lab);
    await holdUnit(host, 'agent');
    agent = await startOwnAgent(host);
  });
  after(async () => {
    await agent?.kill();
    client?.close();
    await lab?.down();
  });
  afterEach(async () => {
    for (const pod of (await client.list(podKind, { namespace })).items) {
      await client.delete(podKind, { namespace, name: pod.metadata.name }, { gracePeriodSeconds: 0 }).catch(() => {});
    }
    await assertOneToOne(lab, ['h1']);
  });

  const restartAgent = async (options?: Parameters<typeof startOwnAgent>[1]) => {
    await agent.kill();
    agent = await startOwnAgent(host, options);
  };
  const create = async (name: string, container: Partial<Container> = {}, spec: Partial<Pod['spec']> = {}) => {
    await client.create(podKind, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } },
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
        ],
        volumes: [
          { name: 'tmp', emptyDir: {} },
          { name: 'ram', emptyDir: { medium: 'Memory' } },
        ],
      },
    });
  };
  const get = (name: string) => client.get(podKind, { namespace, name });
  const isGone = async (name: string) =>
    !(await client.list(podKind, { namespace })).items.some((pod) => pod.metadata.name === name);
  const readyNow = async (name: string) => {
    const pod = await get(name);
    return isReady(pod as Parameters<typeof isReady>[0]) ? pod : undefined;
  };
  const ready = (name: string, timeoutMs = 30_000) =>
    eventually(`${name} to be ready`, () => readyNow(name), timeoutMs);
  const remove = (name: string) => client.delete(podKind, { namespace, name });
  const gone = (name: string, timeoutMs = 30_000) => eventually(`${name} to be gone`, () => isGone(name), timeoutMs);
  const containerIdOf = (pod: Pod) => pod.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '') ?? '';
  const docker = async (...args: string[]) => {
    const { code, stdout, stderr } = await runOn(host, ['docker', ...args]);
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const isEngineUp = async () => (await runOn(host, ['docker', 'version'])).code === 0;

  /** A pod's whole life, with a pause by somebody else in it; `attend` is called until each part of it is done. */
  const live = async (name: string, attend: () => Promise<void>) => {
    const until = async (what: string, isSo: () => Promise<boolean>) => {
      const endMs = performance.now() + 60_000;
      while (!(await isSo().catch(() => false))) {
        await attend();
        if (performance.now() > endMs) throw new Error(`not within 60 s: ${what}\n${(await agent.log()).slice(-3000)}`);
        await delay(20);
      }
    };
    await create(name, { imagePullPolicy: 'Always' });
    await until(`${name} ready`, async () => (await readyNow(name)) !== undefined);
    const id = containerIdOf(await get(name));
    await docker('pause', id).catch(() => {});
    await until(`${name} to go on`, async () => (await docker('inspect', '-f', '{{.State.Status}}', id)) === 'running');
    await assertOneToOne(lab, ['h1']);
    await remove(name);
    await until(`${name} gone`, () => isGone(name));
    await assertOneToOne(lab, ['h1']);
  };

  it('the agent is killed once before and once after every step', async () => {
    const left = new Set(allPoints);
    const arm = () => ({ FLOTILLA_FAILPOINT: [...left].map((point) => `${point}:kill`).join(',') });
    const attend = async () => {
      if (!agent.hasEnded()) return;
      const point = /^fail point (.*)$/m.exec(await agent.log())?.[1];
      if (point === undefined) throw new Error(`the agent ended by itself:\n${(await agent.log()).slice(-3000)}`);
      left.delete(point);
      agent = await startOwnAgent(host, left.size > 0 ? { env: arm() } : {});
    };
    await restartAgent({ env: arm() });
    for (let lives = 0; left.size > 0; lives++) {
      assert.ok(lives < 4, `never reached: ${[...left].join(', ')}`);
      await live(`killed-${lives}`, attend);
    }
  });

  it('dockerd is killed once before and once after every step', async () => {
    const left = new Set(allPoints);
    let read = 0;
    const attend = async () => {
      if (!(await agent.isFrozen())) return;
      const reached = [...(await agent.log()).matchAll(/^fail point (.*)$/gm)].map((match) => match[1] ?? '');
      for (const point of reached.slice(read)) left.delete(point);
      read = reached.length;
      await holdUnit(host, 'dockerd');
      await agent.signal('SIGCONT'); // it finds no engine
      await delay(50);
      await releaseUnit(host, 'dockerd');
      await eventually('dockerd', isEngineUp, 20_000);
    };
    await restartAgent({ env: { FLOTILLA_FAILPOINT: allPoints.map((point) => `${point}:freeze`).join(',') } });
    for (let lives = 0; left.size > 0; lives++) {
      assert.ok(lives < 4, `never reached: ${[...left].join(', ')}`);
      await live(`engine-${lives}`, attend);
    }
    await restartAgent();
  });
});
