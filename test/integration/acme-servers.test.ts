// Two real servers on one etcd, a real ACME server, and a leader that goes in the middle of an order.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { HttpClient } from '../../src/client/http-client.ts';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type Certificate, certificates, grids } from '../../src/resources/kinds.ts';
import { systemGrid } from '../../src/resources/names.ts';
import { type EtcdCluster, startEtcdCluster } from './etcd-cluster.ts';
import { type Pebble, type Responder, startPebble, startResponder, withoutPebble } from './pebble.ts';
import { type ServerProcesses, startServerProcesses } from './server-processes.ts';
import { until } from './until.ts';

const hasEtcd = spawnSync('etcd', ['--version']).error === undefined;
if (!hasEtcd && process.env.CI) throw new Error('etcd is missing: apt-get install etcd-server');
const skip = hasEtcd ? withoutPebble() : 'etcd is missing: apt-get install etcd-server';

describe('an order whose leader', { skip }, () => {
  let directory: string;
  let etcd: EtcdCluster;
  let servers: ServerProcesses;
  let client: HttpClient;
  let pebble: Pebble;
  let responder: Responder;
  let follower: Informer<Certificate>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-acme-servers-'));
    // Time enough to catch a leader while the ACME server looks.
    responder = await startResponder(1_500);
    [etcd, pebble] = await Promise.all([
      startEtcdCluster({ members: 1 }),
      startPebble({ challengePort: responder.port, environment: { PEBBLE_AUTHZREUSE: '0' } }),
    ]);
    const argv = etcd.endpoints.flatMap((endpoint) => ['--store', endpoint]);
    await etcd.ready();
    servers = await startServerProcesses({ directory, count: 2, argv });
    client = servers.client([0, 1]);
    follower = startInformer({
      client,
      kind: certificates,
      onChange: (_key, one) => {
        for (const { token, keyAuthorization } of one?.status?.challenges ?? []) {
          responder.answers.set(token, keyAuthorization);
        }
      },
      log: silentLogger,
      clock: systemClock,
    });
    const { directoryURL, caCertificate } = pebble;
    const acme = { directoryURL, email: 'a@example.org', caCertificate };
    const body = { spec: { ingress: { acme } } };
    await client.forGrid(systemGrid).patch(grids, { name: 'main' }, { type: 'merge', body });
  });
  after(async () => {
    await follower?.stop();
    await servers?.stop();
    await Promise.all([pebble?.stop(), etcd?.stop(), responder?.stop()]);
    await rm(directory, { recursive: true, force: true });
  });

  const read = (name: string) => client.get(certificates, { namespace: 'default', name });
  const isReady = async (name: string) =>
    (await read(name)).status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  /** How often any server has said so of a certificate. */
  const said = async (name: string, sentence: string) => {
    const logs = await Promise.all([servers.log(0), servers.log(1)]);
    return logs.flat().filter(({ msg, certificate }) => msg === sentence && certificate === `default/${name}`).length;
  };

  /** Until the ACME server looks; who leads then. */
  async function begin(name: string): Promise<number> {
    const leader = await servers.leader();
    await client.create(certificates, {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Certificate',
      metadata: { name, namespace: 'default' },
      spec: { hosts: [`${name}.example.org`], issuer: 'acme' },
    });
    const looks = responder.asked.length;
    await until('the ACME server looks', () => responder.asked.length > looks);
    return leader;
  }

  it('stands still is ended by the next one, and the first one changes nothing when it wakes', async () => {
    const first = await begin('frozen');
    servers.signal(first, 'SIGSTOP');
    await until('there is a certificate', () => isReady('frozen'), 30_000);
    const { status } = await read('frozen');
    servers.signal(first, 'SIGCONT');
    await until('the first one knows that it leads no more', async () => (await servers.leader()) === 1 - first);
    assert.equal((await read('frozen')).status?.serialNumber, status?.serialNumber);
    assert.equal(await said('frozen', 'asks for a certificate'), 1, 'one order');
    assert.equal(await said('frozen', 'a certificate was issued'), 1, 'one certificate');
  });

  it('is killed is ended by the next one', async () => {
    const first = await begin('killed');
    servers.signal(first, 'SIGKILL');
    await until('there is a certificate', () => isReady('killed'), 30_000);
    assert.equal(await said('killed', 'asks for a certificate'), 1, 'one order');
    assert.equal(await said('killed', 'a certificate was issued'), 1, 'one certificate');
  });
});
