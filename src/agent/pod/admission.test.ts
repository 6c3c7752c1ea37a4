import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admitPod } from './admission.ts';
import { podOf } from './test-objects.ts';

const node = {
  metadata: { name: 'h1', labels: { disk: 'ssd' } },
  status: { allocatable: { cpu: '2', memory: '1Gi', pods: '3' } },
};
const wants = (cpu: string, memory: string, uid = 'new') =>
  podOf({ resources: { requests: { cpu, memory } } }, { uid, name: uid });
const port = (hostPort: number, uid: string, hostIP?: string) =>
  podOf({ ports: [{ containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}) }] }, { uid, name: uid });

describe('admission', () => {
  it('takes what fits exactly', () => {
    assert.equal(admitPod(wants('1500m', '1Gi'), [wants('500m', '0', 'a')], node), undefined);
  });
  it('counts cpu, memory and pods, with the numbers in the message', () => {
    const refused = admitPod(wants('1600m', '0'), [wants('500m', '0', 'a')], node);
    assert.equal(refused?.reason, 'OutOfcpu');
    assert.match(refused?.message ?? '', /requested: 1600, used: 500, capacity: 2000/);
    assert.equal(admitPod(wants('0', '2Gi'), [], node)?.reason, 'OutOfmemory');
    const three = ['a', 'b', 'c'].map((uid) => podOf({}, { uid }));
    assert.equal(admitPod(podOf({}, { uid: 'd' }), three, node)?.reason, 'OutOfpods');
  });
  it('does not count what has finished, nor itself', () => {
    const finished = podOf({ resources: { requests: { cpu: '2' } } }, { uid: 'a' }, {}, 'Succeeded');
    assert.equal(admitPod(wants('2', '0'), [finished, wants('2', '0')], node), undefined);
  });
  it('gives a host port once an address', () => {
    assert.match(admitPod(port(8080, 'b'), [port(8080, 'a')], node)?.message ?? '', /8080\/TCP is used by pod shop\/a/);
    assert.equal(admitPod(port(8081, 'b'), [port(8080, 'a')], node), undefined);
    assert.equal(admitPod(port(8080, 'b', '192.0.2.1'), [port(8080, 'a', '192.0.2.2')], node), undefined);
  });
  it('holds the node selector', () => {
    assert.equal(admitPod(podOf({}, {}, { nodeSelector: { disk: 'ssd' } }), [], node), undefined);
    assert.equal(admitPod(podOf({}, {}, { nodeSelector: { disk: 'hdd' } }), [], node)?.reason, 'NodeAffinity');
  });
});
