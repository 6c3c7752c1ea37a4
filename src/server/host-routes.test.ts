import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlotillaError } from '../lib/errors.ts';
import { silentLogger } from '../lib/log.ts';
import { parseHostRoutes, readHostRoutes } from './host-routes.ts';
import { requireFreeRanges } from './registry/ensure-grid.ts';

const routes = parseHostRoutes(
  JSON.stringify([
    { dst: 'default', gateway: '192.0.2.1', dev: 'eth0', flags: [] },
    { dst: '10.81.0.0/16', gateway: '192.0.2.9', dev: 'eth0', flags: [] },
    { dst: '10.80.7.0/24', dev: 'fl0', protocol: 'kernel', scope: 'link' },
    { dst: '10.80.8.0/24', gateway: '192.0.2.8', dev: 'eth0', protocol: '81' },
    { dst: '10.97.0.7', dev: 'tun0', scope: 'link' },
    { dst: '192.0.2.0/24', dev: 'eth0', protocol: 'kernel', scope: 'link' },
  ]),
);

describe('routes of the host of a new cluster', () => {
  it('are those of others', () => {
    assert.deepEqual(
      routes.map((one) => one.text),
      ['10.81.0.0/16 via 192.0.2.9 dev eth0', '10.97.0.7 dev tun0', '192.0.2.0/24 dev eth0'],
    );
  });

  it('are named, with the option, when a range overlaps one', () => {
    const message = '--pod-range 10.80.0.0/12 overlaps a route of this host: 10.81.0.0/16 via 192.0.2.9 dev eth0';
    assert.throws(() => requireFreeRanges({}, routes), { code: 'BadUsage', message });
    assert.throws(() => requireFreeRanges({ podRange: '10.160.0.0/12', serviceRange: '10.97.0.0/16' }, routes), {
      code: 'BadUsage',
      message: '--service-range 10.97.0.0/16 overlaps a route of this host: 10.97.0.7 dev tun0',
    });
    requireFreeRanges({ podRange: '10.160.0.0/12' }, routes);
  });

  it('stop nothing where they cannot be read', async () => {
    const missing = async () => {
      throw new FlotillaError('HostToolFailed', 'no ip');
    };
    assert.deepEqual(await readHostRoutes(silentLogger, missing), []);
  });
});
