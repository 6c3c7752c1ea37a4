import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Exec } from '../../lib/exec.ts';
import { chooseAddresses, findHostAddresses, parseInterfaces } from './host-address.ts';

const interfaces = parseInterfaces(
  JSON.stringify([
    { ifname: 'lo', addr_info: [{ local: '127.0.0.1' }] },
    { ifname: 'eth0', addr_info: [{ local: '203.0.113.7' }, { local: '203.0.113.8' }] },
    { ifname: 'eth1', addr_info: [{ local: '10.0.0.7' }] },
    { ifname: 'wlan0' },
  ]),
);

describe('by which address its peers know a host', () => {
  it('is the one that was asked for, or the first one of the interface', () => {
    const eth0 = { addresses: ['203.0.113.8'], interfaceName: 'eth0' };
    assert.deepEqual(chooseAddresses(interfaces, ['203.0.113.8'], undefined), eth0);
    assert.deepEqual(chooseAddresses(interfaces, ['203.0.113.8'], 'eth0'), eth0);
    assert.deepEqual(chooseAddresses(interfaces, [], 'eth1'), { addresses: ['10.0.0.7'], interfaceName: 'eth1' });
    const both = chooseAddresses(interfaces, ['10.0.0.7', '203.0.113.7'], undefined);
    assert.deepEqual(both, { addresses: ['10.0.0.7', '203.0.113.7'], interfaceName: 'eth1' });
  });

  it('is refused by name when it is not there; what there is is said', () => {
    const cases = [
      [['10.0.0.9'], undefined, /--address 10\.0\.0\.9 is on no interface of this host/],
      [['10.0.0.7'], 'eth0', /--address 10\.0\.0\.7 is on another interface than eth0/],
      [[], 'eth9', /--interface eth9 is not there/],
      [[], 'wlan0', /--interface wlan0 is not there, or has no IPv4 address/],
    ] as const;
    for (const [addresses, name, message] of cases) {
      assert.throws(
        () => chooseAddresses(interfaces, addresses, name),
        (error: { code: string; message: string; hint: string }) => {
          assert.equal(error.code, 'BadUsage');
          assert.match(error.message, message);
          assert.match(error.hint, /10\.0\.0\.7 on eth1/);
          return true;
        },
      );
    }
  });

  it('is without a wish that of the way to a server; to one on this host, that of the way out', async () => {
    const routes: Exec = async (argv) => {
      const target = argv.at(-1) ?? '';
      const route = target.startsWith('127.') ? { dev: 'lo', prefsrc: target } : { dev: 'eth1', prefsrc: '10.0.0.7' };
      return { stdout: JSON.stringify([route]), stderr: '', code: 0 };
    };
    for (const server of ['https://10.0.0.1:7443', 'https://127.0.0.1:7443']) {
      const found = await findHostAddresses({ server }, routes);
      assert.deepEqual(found, { addresses: ['10.0.0.7'], interfaceName: 'eth1' });
    }
  });
});
