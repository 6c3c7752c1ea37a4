import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Deployment, Pod, Stack } from '../../resources/kinds.ts';
import { findScaleTarget, instanceOf, portsOf, selectInstances, sortInstances, statusOf } from './instances.ts';

function pod(
  name: string,
  options: {
    labels?: Record<string, string>;
    owner?: string;
    status?: Pod['status'];
    ports?: number[];
    annotations?: Record<string, string>;
  } = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      labels: options.labels ?? {},
      annotations: options.annotations ?? {},
      ...(options.owner
        ? {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: options.owner, uid: 'u', controller: true },
            ],
          }
        : {}),
    },
    spec: {
      nodeName: 'h1',
      containers: [
        {
          name: 'c',
          image: 'i',
          ports: (options.ports ?? []).map((hostPort) => ({ containerPort: 80, hostPort, protocol: 'TCP' })),
        },
      ],
    },
    ...(options.status ? { status: options.status } : {}),
  };
}

const of = (stack: string, service: string) => ({ 'flotilla.dev/stack': stack, 'flotilla.dev/service': service });

describe('which instances are meant', () => {
  const all = [
    pod('web-1', { labels: of('shop', 'web') }),
    pod('web-2', { labels: of('shop', 'web') }),
    pod('web-9', { labels: of('blog', 'web') }),
    pod('db-1', { labels: of('shop', 'db') }),
    pod('plain-abc-x', { labels: { 'pod-template-hash': 'abc' }, owner: 'plain-abc' }),
  ].map(instanceOf);
  const names = (target: string) => selectInstances(all, target).map((one) => one.pod.metadata.name);

  test('by service, stack and service, instance, stack', () => {
    assert.deepEqual(names('db'), ['db-1']);
    assert.deepEqual(names('shop/web'), ['web-1', 'web-2']);
    assert.deepEqual(names('web-9'), ['web-9']);
    assert.deepEqual(names('blog'), ['web-9']);
    assert.deepEqual(names('default/plain'), ['plain-abc-x']);
  });

  test('nothing, or too much, is said so', () => {
    assert.throws(() => names('nobody'), { code: 'NotFound', message: /"nobody"/ });
    assert.throws(() => names('web'), { code: 'BadUsage', hint: 'say which: blog/web, shop/web' });
  });

  test('sorted by stack, service, name', () => {
    assert.deepEqual(
      sortInstances(all).map((one) => `${one.stack}/${one.service}`),
      ['blog/web', 'default/plain', 'shop/db', 'shop/web', 'shop/web'],
    );
  });
});

test('what a pod is doing', () => {
  const container = (state: object) => ({
    phase: 'Running',
    containerStatuses: [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state }],
  });
  const cases: [Pod['status'], string][] = [
    [undefined, 'Starting'],
    [container({ running: {} }), 'Running'],
    [container({ waiting: { reason: 'ImagePullBackOff' } }), 'ImagePullBackOff'],
    [container({ terminated: { exitCode: 3 } }), 'Exited (3)'],
    [container({ terminated: { exitCode: 137, reason: 'OOMKilled' } }), 'OOMKilled'],
    [{ phase: 'Running', conditions: [{ type: 'flotilla.dev/NodeLost', status: 'True' }] }, 'Lost'],
    [{ phase: 'Running', conditions: [{ type: 'flotilla.dev/Leaving', status: 'True' }] }, 'Leaving'],
  ];
  for (const [status, text] of cases) assert.equal(statusOf(pod('p', status ? { status } : {})), text);
  const init = { name: 'i', image: 'i', imageID: '', ready: false, restartCount: 0 };
  const initContainerStatuses = [{ ...init, state: { terminated: { exitCode: 1, reason: 'Error' } } }];
  const one = pod('p', { status: { phase: 'Pending', initContainerStatuses } });
  const several = { ...one, spec: { ...one.spec, nodeName: 'h1', initContainers: [{ name: 'i' }] } };
  assert.equal(statusOf(several), 'Init:Error');
});

test('ports that can be reached from outside', () => {
  const status = { hostIP: '10.99.0.1' };
  assert.equal(portsOf(pod('p', { ports: [8080], status })), '10.99.0.1:8080→80/tcp');
  const annotations = {
    'flotilla.dev/bound-host-ports': JSON.stringify([{ containerPort: 53, hostPort: 32768, protocol: 'UDP' }]),
  };
  assert.equal(portsOf(pod('p', { annotations, status })), '10.99.0.1:32768→53/udp');
  assert.equal(portsOf(pod('p', { annotations: { 'flotilla.dev/bound-host-ports': '{' }, status })), '');
});

test('what is scaled', () => {
  const stack = (name: string): Stack => ({
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name, namespace: name },
    spec: { services: { web: { image: 'i', instances: 1 } } },
  });
  const deployment: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'api', namespace: 'default' },
    spec: { selector: {}, template: {} },
  };
  assert.equal(findScaleTarget([stack('shop')], [deployment], 'web').type, 'stack');
  assert.equal(findScaleTarget([stack('shop')], [deployment], 'api').type, 'deployment');
  assert.throws(() => findScaleTarget([stack('shop'), stack('blog')], [], 'web'), { code: 'BadUsage' });
  assert.throws(() => findScaleTarget([stack('shop')], [], 'shop/db'), { code: 'NotFound' });
});
