// The store's contract on a real etcd, alone on loopback.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../src/lib/errors.ts';
import { storeContract } from '../../src/store/contract.ts';
import { openEtcdStore } from '../../src/store/etcd.ts';
import type { Store } from '../../src/store/port.ts';
import { freePort } from './free-port.ts';

const isMissing = spawnSync('etcd', ['--version']).error !== undefined;
if (isMissing && process.env.CI) throw new Error('etcd is missing: apt-get install etcd-server');

if (isMissing) it('etcd store', { skip: 'etcd is missing: apt-get install etcd-server' }, () => {});
else {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-etcd-'));
  let etcd: Etcd;

  before(async () => {
    etcd = await startEtcd(folder, await freePort(), await freePort());
  });
  after(async () => {
    await etcd.stop();
    rmSync(folder, { recursive: true });
  });

  storeContract('etcd', async () => {
    return {
      store: await openEtcdStore({ endpoints: [etcd.endpoint], prefix: '/contract' }),
      pass: (seconds) => delay(seconds * 1000),
    };
  });

  describe('etcd store', () => {
    it('shares an etcd: prefixes do not see each other', async () => {
      const [a, b] = await Promise.all(
        ['/a', '/b'].map((prefix) => openEtcdStore({ endpoints: [etcd.endpoint], prefix })),
      );
      assert.ok(a && b);
      await a.commit([], [{ type: 'put', key: '/o/x', value: Buffer.from('of a') }]);
      assert.equal(await b.get('/o/x'), undefined);
      assert.deepEqual((await b.list('/')).entries, []);
      await Promise.all([a.close(), b.close()]);
    });

    it('two servers: written through one, read and watched through the other at once', async () => {
      const [a, b] = await Promise.all([1, 2].map(() => openEtcdStore({ endpoints: [etcd.endpoint] })));
      assert.ok(a && b);
      const seen = Promise.withResolvers<string>();
      const stop = new AbortController();
      b.watch('/o/', {
        afterRevision: await b.head(),
        signal: stop.signal,
        onEnd: seen.reject,
        onChanges: ([change]) => seen.resolve(change?.type === 'put' ? change.entry.key : 'delete'),
      });
      const { revision } = await a.commit([], [{ type: 'put', key: '/o/shared', value: Buffer.from('1') }]);
      assert.equal((await b.get('/o/shared'))?.modRevision, revision);
      assert.ok((await b.head()) >= revision);
      assert.equal(await seen.promise, '/o/shared');
      stop.abort();
      await Promise.all([a.close(), b.close()]);
    });

    it('compacts from time to time when asked to', async () => {
      const store = await openEtcdStore({ endpoints: [etcd.endpoint], compactEveryMs: 50 });
      const { revision } = await store.commit([], [{ type: 'put', key: '/o/old', value: Buffer.from('1') }]);
      for (let tries = 0; tries < 100; tries++) {
        await store.commit([], [{ type: 'put', key: '/o/old', value: Buffer.from(`${tries}`) }]);
        const old = await store.list('/o/', { atRevision: revision }).catch((error: Error) => error.name);
        if (old === 'StoreCompacted') return store.close();
        await delay(50);
      }
      assert.fail('nothing was compacted');
    });

    it('a lost etcd ends watches and calls within their deadline, and is found again', {
      timeout: 60_000,
    }, async () => {
      const store = await openEtcdStore({ endpoints: [etcd.endpoint], timeoutMs: 1000 });
      const { revision } = await store.commit([], [{ type: 'put', key: '/o/k', value: Buffer.from('1') }]);
      const ended = watchEnd(store, revision);
      const { port, peerPort } = etcd;
      await etcd.stop();
      assert.ok(hasCode(await ended, 'StoreUnavailable'));
      for (const call of [() => store.head(), () => store.commit([], [{ type: 'delete', key: '/o/k' }])]) {
        const startMs = performance.now();
        await assert.rejects(call(), (error) => hasCode(error, 'StoreUnavailable') && error.retryable);
        assert.ok(performance.now() - startMs < 5000);
      }
      etcd = await startEtcd(folder, port, peerPort);
      for (;;) {
        if (await store.head().catch(() => 0)) break;
        await delay(100);
      }
      assert.equal((await store.get('/o/k'))?.modRevision, revision);
      await store.close();
    });

    it('says clearly that no etcd answers', async () => {
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      await assert.rejects(
        openEtcdStore({ endpoints: [endpoint], timeoutMs: 500 }),
        (error) => hasCode(error, 'StoreUnavailable') && error.message.includes(endpoint),
      );
    });
  });
}

interface Etcd {
  readonly endpoint: string;
  readonly port: number;
  readonly peerPort: number;
  stop(): Promise<void>;
}

async function startEtcd(folder: string, port: number, peerPort: number): Promise<Etcd> {
  const endpoint = `http://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const args = [
    '--data-dir',
    join(folder, 'data'),
    '--listen-client-urls',
    endpoint,
    '--advertise-client-urls',
    endpoint,
  ];
  args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`);
  const child: ChildProcess = spawn('etcd', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${endpoint}/health`).then(
      (response) => response.text(),
      () => '',
    );
    if (answer.includes('"true"')) break;
    if (tries > 200 || child.exitCode !== null) throw new Error('etcd does not start');
    await delay(50);
  }
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { endpoint, port, peerPort, stop };
}

function watchEnd(store: Store, afterRevision: number): Promise<Error> {
  const { signal } = new AbortController();
  return new Promise((resolve) => {
    store.watch('/o/', { afterRevision, signal, onEnd: resolve, onChanges: () => {} });
  });
}
