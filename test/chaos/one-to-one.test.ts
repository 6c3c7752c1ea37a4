import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerOf, podOf } from '../../src/agent/pod/test-objects.ts';
import type { Pod } from '../../src/resources/kinds.ts';
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
      [{ containers: [], containerMounts: 0, bridgePorts: 0 }, /has 0 running containers/],
      [{ containers: [running, second], containerMounts: 2, bridgePorts: 2 }, /has 2 running containers/],
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
});
