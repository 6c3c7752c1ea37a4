import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '../lib/errors.ts';
import { cgroupMounts } from './cgroups.ts';
import { parseRecord } from './lab-record.ts';
import { renderTable } from './list.ts';
import { findOverlap, requireTools } from './preflight.ts';
import { isInitStatus } from './processes.ts';

describe('what the lab reads from the machine', () => {
  it('knows the process 1 of a machine from that of a container on its network', () => {
    assert.equal(isInitStatus('Name:\tsh\nNSpid:\t4711\t1\n'), true);
    assert.equal(isInitStatus('Name:\tsh\nNSpid:\t4711\t17\n'), false);
    assert.equal(isInitStatus('Name:\tsh\nNSpid:\t4711\n'), false);
    assert.equal(isInitStatus('Name:\tsh\nNSpid:\t4711\t17\t1\n'), false);
    assert.equal(isInitStatus('Name:\tsh\n'), false);
  });

  it('finds the control groups of version 1, of version 2 and of both at once', () => {
    const mounts = `tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
`;
    assert.deepEqual(cgroupMounts(mounts), ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/unified']);
  });

  it('finds a route that the network would cover, and passes by default routes', () => {
    const routes = [
      { dst: 'default', gateway: '192.0.2.1', dev: 'eth0' },
      { dst: '192.0.2.0/24', dev: 'eth0' },
      { dst: '10.99.0.7', dev: 'tun0' },
      { type: 'broadcast', dst: '10.99.3.255', dev: 'x' },
    ];
    assert.equal(findOverlap('10.99.0.0/24', routes), '10.99.0.7 dev tun0');
    assert.equal(findOverlap('10.99.1.0/24', routes), undefined);
    assert.equal(findOverlap('10.99.3.0/24', routes), undefined);
    assert.equal(findOverlap('10.99.1.0/24', [{ dst: '10.0.0.0/8', dev: 'vpn' }]), '10.0.0.0/8 dev vpn');
    assert.equal(findOverlap('192.168.1.0/24', [{ dst: '10.0.0.0/8', dev: 'vpn' }]), undefined);
  });

  it('names the packages of what is missing', async () => {
    await assert.rejects(
      requireTools('/nowhere', { etcd: true, wireguard: true }),
      (error) =>
        hasCode(error, 'HostToolFailed') &&
        /dockerd/.test(error.message) &&
        /docker\.io.*etcd-server/.test(`${error.hint}`),
    );
  });

  it('refuses a record of another version or half a record', () => {
    assert.throws(() => parseRecord('{"version":2}', 'lab.json'), /lab\.json has version 2/);
    assert.throws(() => parseRecord('{"version":1,"name":"lab"}', 'lab.json'), /lacks name, network/);
    assert.throws(() => parseRecord('{', 'lab.json'), /lab\.json is not JSON/);
    const record = { version: 1, name: 'lab', network: '10.99.0.0/24', hosts: 3, servers: 1, flotilla: true } as const;
    assert.deepEqual(parseRecord(JSON.stringify(record), 'lab.json'), record);
  });

  it('prints machines in columns', () => {
    const table = renderTable([
      { lab: 'lab', name: 'h1', role: 'host', address: '10.99.0.1', power: 'on', cable: 'cut', directory: '/x' },
    ]);
    assert.deepEqual(
      table.split('\n').map((line) => line.split(/\s{3,}/)),
      [
        ['LAB', 'NAME', 'ROLE', 'ADDRESS', 'POWER', 'CABLE'],
        ['lab', 'h1', 'host', '10.99.0.1', 'on', 'cut'],
      ],
    );
  });
});
