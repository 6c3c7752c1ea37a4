import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { PodTarget } from '../../adapters/dialer/port.ts';
import { createFakeRuntime } from '../../adapters/runtime/fake.ts';
import type { ContainerObservation, ContainerSpec } from '../../adapters/runtime/port.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { hostLabels } from '../../resources/names.ts';
import { PodRecord } from '../pod/pod-record.ts';
import { podOf } from '../pod/test-objects.ts';
import { createPodApi } from './agent-api.ts';

/** A pod `web-1` of `web` and `helper` after `init`, with its pause container, as an engine has it. */
async function group() {
  const runtime = createFakeRuntime();
  runtime.images.add('acme/web:1');
  const record = new PodRecord('uid-1');
  const pod = podOf({}, {}, { initContainers: [{ name: 'init' }] });
  record.pod = { ...pod, spec: { ...pod.spec, containers: [...pod.spec.containers, { name: 'helper' }] } };
  const look = async (id: string) => record.observe((await runtime.inspect(id)) as ContainerObservation, 0);
  const begin = async (name: string, network: ContainerSpec['network']) => {
    const labels = { [hostLabels.container]: name, [hostLabels.podUid]: 'uid-1', [hostLabels.attempt]: '0' };
    const spec = { name: `fl_${name}`, image: 'acme/web:1', labels, environment: [], network, ports: [], mounts: [] };
    const id = await runtime.create(spec);
    await runtime.start(id);
    await look(id);
    return id;
  };
  const pause = await begin('POD', { name: 'flotilla', address: '10.80.0.2' });
  const ids = { pause, init: '', web: '', helper: '' };
  for (const name of ['init', 'web', 'helper'] as const) ids[name] = await begin(name, { container: pause });
  const dialled: PodTarget[] = [];
  const api = createPodApi({
    ...{ pods: { find: () => record }, runtime, renderMetrics: () => '', clock: systemClock, log: silentLogger },
    network: async () => ({ node: 'h1', notes: [], applied: { revision: 0 }, peers: [] }),
    ingress: async () => ({ node: 'h1', problems: [] }),
    accessLog: async function* () {},
    dialer: {
      dial: async (target) => {
        dialled.push(target);
        return new Socket();
      },
      stop: () => {},
    },
  });
  const end = async (name: keyof typeof ids, exitCode: number) => {
    runtime.exit(ids[name], exitCode);
    await look(ids[name]);
  };
  const ref = (container: string) => ({ namespace: 'shop', pod: 'web-1', container, requestId: 'r1' });
  return { api, runtime, ids, ref, end, dialled };
}

const { signal } = new AbortController();

describe('what servers ask of a pod of several containers', () => {
  it('is of the container that they name', async () => {
    const { api, runtime, ids, ref, end } = await group();
    runtime.write(ids.helper, 'I help\n');
    runtime.write(ids.init, 'I began\n');
    await end('init', 0);
    const logOf = async (container: string) => {
      let text = '';
      const options = { follow: false, previous: false, timestamps: false };
      for await (const chunk of await api.logs(ref(container), options, signal)) text += Buffer.from(chunk).toString();
      return text;
    };
    assert.deepEqual([await logOf('helper'), await logOf('init'), await logOf('web')], ['I help\n', 'I began\n', '']);
    const command = { command: ['true'], tty: false, stdin: false, stdout: true, stderr: true };
    await api.exec(ref('helper'), command, signal);
    assert.ok(runtime.calls.includes(`exec ${ids.helper}`));
    await assert.rejects(api.exec(ref('init'), command, signal), /container "init" of pod web-1 is not running/);
    for (const name of ['nope', 'POD']) {
      await assert.rejects(logOf(name), /is not one of pod web-1: it has "init", "web", "helper"/);
    }
  });

  it('leads into their network, also while the one that is named is down', async () => {
    const { api, ids, ref, end, dialled } = await group();
    await end('web', 1);
    await api.forward(ref('web'), 8080, signal);
    assert.deepEqual(
      dialled.map(({ containerId, address, port }) => [containerId, address, port]),
      [[ids.pause, '10.80.0.2', 8080]],
    );
  });
});
