import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { GridNetworkSpec } from '../resources/grid-network.ts';
import { etcdMembers } from './etcd.ts';
import { renderDaemonJson, renderHosts, renderInit } from './init-script.ts';
import { planLayout } from './layout.ts';
import { planUnits } from './units.ts';

const options = {
  name: 'lab',
  network: '10.99.0.0/24',
  hosts: 2,
  servers: 2,
  root: '/labs',
  flotilla: true,
};
const lab = planLayout(options);

describe('the script that is process 1 of a machine', () => {
  for (const machine of [lab.hosts[0]!, lab.servers[1]!]) {
    it(`is a shell script for ${machine.name}`, () => {
      const script = renderInit(lab, machine, planUnits(lab, machine));
      const checked = spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' });
      assert.equal(checked.stderr, '');
      assert.match(script, new RegExp(`hostname ${machine.name}`));
    });
  }

  it('tells each server the network of the grid; hosts of a lab trust each other where nothing is said', () => {
    const scriptOf = (grid: GridNetworkSpec) => {
      const one = planLayout({ ...options, grid });
      return renderInit(one, one.servers[1]!, planUnits(one, one.servers[1]!));
    };
    assert.match(scriptOf({}), /^unit server .* --trusted-subnet 10\.99\.0\.0\/24 --base-domain localhost' &$/m);
    const said = scriptOf({ overlay: 'vxlan', trustedSubnets: [], podRange: '10.160.0.0/12' });
    assert.match(said, /^unit server .* --pod-range 10\.160\.0\.0\/12 --overlay vxlan --base-domain localhost' &$/m);
  });

  it('starts an agent only when its join token is there, and tells it every server', () => {
    const script = renderInit(lab, lab.hosts[1]!, planUnits(lab, lab.hosts[1]!));
    assert.match(script, /^unit dockerd 2 '' 'dockerd --config-file \/labs\/lab\/h2\/daemon\.json' &$/m);
    assert.match(script, /^unit agent 1 '\/labs\/lab\/h2\/join-token' .*--name h2 --address 10\.99\.0\.2' &$/m);
    assert.match(script, /--server https:\/\/10\.99\.0\.241:7443 --server https:\/\/10\.99\.0\.242:7443/);
  });

  it('starts a further server only with the identity of the first', () => {
    const [first, second] = lab.servers.map((server) => planUnits(lab, server)[1]!);
    assert.equal(first!.waitFor, undefined);
    assert.equal(second!.waitFor, '/labs/lab/s2/data/identity/secrets.key');
    // Its own member of etcd first.
    assert.match(second!.command, / --store http:\S+242:2379 --store http:\S+241:2379 --store http:\S+254:2379 /);
  });

  it('runs a member of etcd beside each server, and one on the switch when that makes their number odd', () => {
    const three = planLayout({
      name: 'lab',
      network: '10.99.0.0/24',
      hosts: 1,
      servers: 3,
      root: '/labs',
      flotilla: true,
    });
    assert.deepEqual(
      [lab, three].map((one) => etcdMembers(one).map(({ name }) => name)),
      [
        ['s1', 's2', 'sw'],
        ['s1', 's2', 's3'],
      ],
    );
    const [etcd] = planUnits(three, three.servers[2]!);
    assert.equal(etcd!.name, 'etcd');
    assert.match(
      etcd!.command,
      /^etcd --name s3 --data-dir \/labs\/lab\/s3\/etcd .*--initial-cluster s1=\S+241:2380,s2=/,
    );
    const alone = planLayout({
      name: 'lab',
      network: '10.99.0.0/24',
      hosts: 1,
      servers: 1,
      root: '/labs',
      flotilla: true,
    });
    assert.deepEqual(
      planUnits(alone, alone.servers[0]!).map(({ name }) => name),
      ['server'],
    );
  });

  it('keeps Docker apart from the machine: its own directories, groups, registry', () => {
    const options = JSON.parse(renderDaemonJson(lab, lab.hosts[0]!));
    assert.equal(options['data-root'], '/labs/lab/h1/docker');
    assert.equal(options['cgroup-parent'], '/fllab-lab-h1');
    assert.deepEqual(options['registry-mirrors'], ['http://10.99.0.254:5000']);
    assert.equal(options['live-restore'], true);
  });

  it('knows the machines by name', () => {
    assert.match(renderHosts(lab), /^10\.99\.0\.1 h1\n10\.99\.0\.2 h2\n10\.99\.0\.241 s1\n/m);
  });
});
