import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { RuntimeInfo } from '../../adapters/runtime/port.ts';
import type { Client } from '../../client/client.ts';
import { silentLogger } from '../../lib/log.ts';
import { startNodeReporter } from './node-reporter.ts';

describe('what admission measures against', () => {
  it('is known with the engine, however long a server takes to write a report', async () => {
    const asked = Promise.withResolvers<void>();
    const patch = async (_kind: unknown, _key: unknown, _patch: unknown, { signal }: { signal: AbortSignal }) => {
      asked.resolve();
      await once(signal, 'abort');
      throw signal.reason;
    };
    const reporter = startNodeReporter({
      client: { patch } as unknown as Client,
      nodeName: 'h1',
      addresses: [],
      dataDirectory: '/',
      agent: { capacity: { pods: 210 }, labels: {}, version: '0.1.0' },
      log: silentLogger,
    });
    await asked.promise;
    assert.equal(reporter.allocatable, undefined);
    reporter.update({ engine: { cpus: 2, memoryBytes: 2 ** 30 } as RuntimeInfo });
    assert.deepEqual(reporter.allocatable, { cpu: '2', memory: `${Math.floor(2 ** 20 * 0.95)}Ki`, pods: '210' });
    await reporter.stop();
  });
});
