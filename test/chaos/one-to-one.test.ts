import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerOf, podOf } from '../../src/agent/pod/test-objects.ts';
import type { Pod } from '../../src/resources/kinds.ts';
import { hostLabels } from '../../src/resources/names.ts';
import type { HostState } from '../e2e/host-state.ts';
import { hostViolations } from '../e2e/invariants.ts';

const address = '10.80.1.2';
const running = containerOf(0, 'running', { addresses: [address] });
const pod: Pod = {
  ...podOf(),
  status: {
    phase: 'Running',
    podIP: address,
    containerStatuses: [
      { name: 'web', image: '', imageID: '', ready: true, restartCount: 0, containerID: `docker://${running.id}` },
    ],
  },
};
const calm: HostState = {
  ...{ host: 'h1', containers: [running], foreignContainers: [], networks: ['flotilla'], volumes: [] },
  ...{ addresses: { 'uid-1': address }, podDirectories: ['pods/uid-1'], podMounts: [] },
  ...{ containerMounts: 1, bridgePorts: 1 },
};
const said = (change: Partial<HostState>, pods = [pod]) => hostViolations({ ...calm, ...change }, pods, []);

describe('pods and containers one to one', () => {
  it('has nothing to say of a calm host, nor of the last container that ended', () => {
    assert.deepEqual(said({}), []);
    assert.deepEqual(said({ containers: [containerOf(1, 'exited'), running] }), []);
  });

  it('names whatever is too much, too little or elsewhere', () => {
    const second = containerOf(1, 'running', { addresses: [address] });
    const cases: readonly [Partial<HostState>, RegExp][] = [
      [
        { containers: [], containerMounts: 0, bridgePorts: 0 },
        /container web of pod shop\/web-1 .* runs 0 times, not 1/,
      ],
      [{ containers: [running, second], containerMounts: 2, bridgePorts: 2 }, /runs 2 times, not 1/],
      [{ containers: [containerOf(1, 'exited'), containerOf(2, 'exited'), running] }, /keeps 2 containers that ended/],
      [{ containers: [{ ...running, state: 'paused' }] }, /paused/],
      [{ containers: [{ ...running, id: 'other' }] }, /tells of docker:\/\/c0/],
      [{ containers: [{ ...running, addresses: ['10.80.1.9'] }] }, /has 10.80.1.9, not 10.80.1.2/],
      [{ addresses: { 'uid-1': address, gone: '10.80.1.3' } }, /address 10.80.1.3 of no pod/],
      [{ addresses: { 'uid-1': address, gone: address } }, /given twice/],
      [{ podDirectories: ['memory/gone'] }, /directory memory\/gone of no pod/],
      [{ podMounts: ['pods/gone/volumes/ram'] }, /mount pods\/gone/],
      [{ foreignContainers: ['c9 nginx'] }, /c9 nginx without our label/],
      [{ networks: ['flotilla', 'shop_default'] }, /network shop_default/],
      [{ volumes: ['fl-main-shop-data'] }, /volume fl-main-shop-data/],
      [{ containerMounts: 2 }, /2 root mounts, 1 running/],
      [{ bridgePorts: 0 }, /0 cables/],
    ];
    for (const [change, expected] of cases) assert.match(said(change).join(), expected);
    assert.match(said({}, []).join(), /container fl_shop_web-1_web_uid-1_0 \(running\) of no pod/);
    const dying = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: 'x' } };
    assert.match(said({}, [dying]).join(), /still being deleted/);
  });

  it('knows what runs of a pod of several containers, and that they live together', () => {
    const of = (name: string, state: 'running' | 'exited', more: object = {}) => {
      const one = containerOf(0, state, { id: name, name, ...more });
      const joined = name === 'POD' ? {} : { [hostLabels.pause]: 'POD' };
      return { ...one, labels: { ...one.labels, [hostLabels.container]: name, ...joined } };
    };
    const told = (name: string) => ({
      ...{ name, image: '', imageID: '', ready: true, restartCount: 0, containerID: `docker://${name}` },
    });
    const several: Pod = {
      ...pod,
      spec: { ...pod.spec, initContainers: [{ name: 'init' }], containers: [{ name: 'web' }, { name: 'helper' }] },
      status: { ...pod.status, initContainerStatuses: [told('init')], containerStatuses: ['web', 'helper'].map(told) },
    };
    const pause = of('POD', 'running', { addresses: [address] });
    const containers = [pause, of('init', 'exited'), of('web', 'running'), of('helper', 'running')];
    const saying = (change: Partial<HostState>) =>
      said({ containers, containerMounts: 3, ...change }, [several]).join();
    assert.equal(saying({}), '');
    assert.match(saying({ containers: containers.slice(1), bridgePorts: 0 }), /container POD .* runs 0 times, not 1/);
    assert.match(saying({ containers: containers.slice(0, 3) }), /container helper .* runs 0 times, not 1/);
    assert.match(
      saying({ containers: [...containers, of('init', 'running')] }),
      /container init .* runs 1 times, not 0/,
    );
    const other = { ...pause, id: 'newer' };
    assert.match(saying({ containers: [other, ...containers.slice(1)] }), /web of pod .* lives with POD, not newer/);
  });
});
