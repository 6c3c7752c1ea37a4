import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '../lib/errors.ts';
import { type LayoutOptions, planLayout } from './layout.ts';

const options: LayoutOptions = {
  name: 'lab',
  network: '10.99.0.0/24',
  hosts: 3,
  servers: 1,
  root: '/labs',
  flotilla: true,
};

describe('planLayout', () => {
  it('numbers hosts from .1 and servers from .241', () => {
    const lab = planLayout(options);
    assert.deepEqual(
      [...lab.hosts, ...lab.servers].map(({ name, address, namespace, port }) => [name, address, namespace, port]),
      [
        ['h1', '10.99.0.1', 'fllab-lab-h1', 'p-h1'],
        ['h2', '10.99.0.2', 'fllab-lab-h2', 'p-h2'],
        ['h3', '10.99.0.3', 'fllab-lab-h3', 'p-h3'],
        ['s1', '10.99.0.241', 'fllab-lab-s1', 'p-s1'],
      ],
    );
    assert.equal(lab.registry, '10.99.0.254:5000');
    assert.equal(lab.hosts[0]?.mac, '02:fb:0a:63:00:01');
  });

  it('has no server where there is only Docker', () => {
    assert.deepEqual(planLayout({ ...options, flotilla: false }).servers, []);
  });

  it('puts a host behind a router of its own, whose address on the switch is that of the host', () => {
    const [, second, third] = planLayout({ ...options, natHosts: ['h3'] }).hosts;
    assert.equal(second?.nat, undefined);
    assert.deepEqual([third?.address, third?.nat?.insideAddress], ['10.99.0.3', '192.168.77.2']);
    assert.ok(third?.nat?.namespace.startsWith('fllab-lab-'), 'taken down with the lab');
    assert.throws(
      () => planLayout({ ...options, natHosts: ['h9'] }),
      (error) => {
        assert.ok(hasCode(error, 'BadUsage'));
        assert.match(`${error.message} ${error.hint}`, /no host "h9" the hosts are h1, h2, h3/);
        return true;
      },
    );
  });

  it('keeps every link within the 15 bytes that the kernel allows', () => {
    const lab = planLayout({ ...options, name: 'a123456789', hosts: 200 });
    for (const link of [lab.uplink.link, ...lab.hosts.map((host) => host.port)]) assert.ok(link.length <= 15, link);
  });

  const refused: readonly (readonly [string, Partial<LayoutOptions>, RegExp])[] = [
    ['a pod range', { network: '10.80.0.0/24' }, /lies in the range of pods or services/],
    ['the end of the pod range', { network: '10.95.255.0/24' }, /lies in the range/],
    ['the service range', { network: '10.96.7.0/24' }, /lies in the range/],
    ['another size', { network: '10.99.0.0/16' }, /is not an IPv4 \/24/],
    ['no octet', { network: '10.999.0.0/24' }, /is not an IPv4 \/24/],
    ['no hosts', { hosts: 0 }, /--hosts is 0/],
    ['half a host', { hosts: 1.5 }, /--hosts is 1\.5/],
    ['not a number', { hosts: Number.NaN }, /--hosts is NaN/],
    ['too many servers', { servers: 6 }, /--servers is 6/],
    ['a dash, which would make lab a and lab a-b meet', { name: 'a-b' }, /lab name "a-b"/],
    ['a path', { name: '../x' }, /lab name/],
    ['the place of the images', { name: 'registry' }, /lab name "registry"/],
  ];
  for (const [what, wrong, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => planLayout({ ...options, ...wrong }),
        (error) => hasCode(error, 'BadUsage') && message.test(error.message),
      );
    });
  }
});
