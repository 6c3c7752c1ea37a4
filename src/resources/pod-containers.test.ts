import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from './kinds.ts';
import { defaultContainer, defaultContainerStatus, hasSeveralContainers, podContainers } from './pod-containers.ts';

const pod = (change: Partial<Pod['spec']> = {}, annotations: Record<string, string> = {}): Pod => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', annotations } },
  spec: { containers: [{ name: 'a' }, { name: 'b' }], ...change },
});

test('containers of a pod in the order in which they begin, with what each is', () => {
  const initContainers = [{ name: 'i' }, { name: 's', restartPolicy: 'Always' }];
  assert.deepEqual(
    podContainers(pod({ initContainers })).map(({ role, container }) => `${role} ${container.name}`),
    ['init i', 'sidecar s', 'app a', 'app b'],
  );
  const containers = [{ name: 'a' }];
  const several = [{ containers }, { containers, initContainers: [] }, { containers, initContainers }, {}];
  assert.deepEqual(
    several.map((spec) => hasSeveralContainers(pod(spec))),
    [false, false, true, true],
  );
});

test('the container that is meant where none is named', () => {
  const marked = pod({}, { 'kubectl.kubernetes.io/default-container': 'b' });
  assert.deepEqual([defaultContainer(pod()), defaultContainer(marked)], ['a', 'b']);
  const status = (name: string) => ({ name, image: '', imageID: '', ready: true, restartCount: 0 });
  const containerStatuses = [status('a'), status('b')];
  assert.equal(defaultContainerStatus({ ...marked, status: { containerStatuses } })?.name, 'b');
  assert.equal(defaultContainerStatus(marked), undefined);
});
