// A server that is killed, as its clients see it; candidates for one lease; and what the server says of itself.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap } from '@kubernetes/client-node';
import { type ServerProcesses, startServerProcesses } from '../integration/server-processes.ts';
import { startElector } from './elector.ts';
import { clientsOf, conformanceAlone, eventually } from './scene.ts';

describe('a server of its own', () => {
  let directory = '';
  let servers: ServerProcesses;
  let config: KubeConfig;
  let core: CoreV1Api;
  const namespace = 'default';

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-restart-'));
    servers = await startServerProcesses({ directory, count: 1, argv: ['--advertise', 'https://192.0.2.10:7443'] });
    config = new KubeConfig();
    config.loadFromClusterAndUser(
      {
        name: 'own',
        server: servers.urls[0] ?? '',
        caData: Buffer.from(servers.caCertificate).toString('base64'),
        skipTLSVerify: false,
      },
      { name: 'admin', token: servers.token },
    );
    core = config.makeApiClient(CoreV1Api);
  });
  after(async () => {
    await servers.stop();
    await rm(directory, { recursive: true, force: true });
  });

  conformanceAlone('EndpointSlice API: should have Endpoints and EndpointSlices pointing to API Server', async () => {
    const { discovery } = clientsOf(config);
    await eventually(() => core.readNamespacedService({ namespace, name: 'kubernetes' }), 10_000);
    const labelSelector = 'kubernetes.io/service-name=kubernetes';
    await eventually(async () => {
      const { items } = await discovery.listNamespacedEndpointSlice({ namespace, labelSelector });
      const told = items.flatMap(({ endpoints, ports }) =>
        endpoints.flatMap((one) => one.addresses.map((address) => `${address}:${ports?.[0]?.port}`)),
      );
      assert.deepEqual(told, ['192.0.2.10:7443'], 'the other address is a loopback');
    }, 10_000);
  });

  test('client-node: an informer goes through a kill of the server; no object is lost or invented', async () => {
    /** What was answered with success; undefined: deleted. A write without an answer may have happened or not. */
    const acknowledged = new Map<string, string | undefined>();
    const asked = new Map<string, Set<string | undefined>>();
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const labelSelector = 'informed=yes';
    const informer = makeInformer<V1ConfigMap>(
      config,
      path,
      () => core.listNamespacedConfigMap({ namespace, labelSelector }),
      labelSelector,
    );
    const problems: string[] = [];
    const known = new Map<string, string>();
    const note = (type: string, { metadata, data }: V1ConfigMap) => {
      const name = metadata?.name ?? '';
      if (type === 'add' && known.has(name)) problems.push(`${name} is added, though it was known`);
      if (type !== 'add' && !known.has(name)) problems.push(`${name}: ${type} of what was not known`);
      if (type === 'delete') {
        known.delete(name);
        if (!asked.get(name)?.has(undefined)) problems.push(`${name} was never deleted`);
        return;
      }
      const version = metadata?.resourceVersion ?? '';
      if (BigInt(version) < BigInt(known.get(name) ?? '0')) problems.push(`${name} goes back to ${version}`);
      known.set(name, version);
      if (!asked.get(name)?.has(data?.value)) problems.push(`${name} never had ${data?.value}`);
    };
    for (const type of ['add', 'update', 'delete'] as const) informer.on(type, (object) => note(type, object));
    let restarts = 0;
    let isOver = false;
    informer.on('error', () => {
      if (isOver) return;
      restarts += 1;
      setTimeout(() => void informer.start().catch(() => {}), 50);
    });
    await informer.start();

    let isWriting = true;
    const write = async (index: number) => {
      const name = `c${index % 40}`;
      const value = index % 7 === 6 ? undefined : String(index);
      asked.set(name, (asked.get(name) ?? new Set()).add(value));
      const body = { metadata: { name, labels: { informed: 'yes' } }, data: { value: value ?? '' } };
      try {
        if (value === undefined) await core.deleteNamespacedConfigMap({ namespace, name });
        else if (acknowledged.get(name) === undefined) await core.createNamespacedConfigMap({ namespace, body });
        else await core.replaceNamespacedConfigMap({ namespace, name, body });
        acknowledged.set(name, value);
      } catch {
        // Away, or another state than thought: whatever it is, nothing was promised.
        const state = await eventually(
          () => core.listNamespacedConfigMap({ namespace, fieldSelector: `metadata.name=${name}` }),
          20_000,
        );
        const now = state.items[0]?.data?.value;
        const before = acknowledged.get(name);
        if (now !== before && now !== value) problems.push(`${name} has ${now}, not ${before} nor ${value}`);
        acknowledged.set(name, now);
      }
    };
    const writing = (async () => {
      for (let index = 0; isWriting; index += 1) await write(index);
    })();
    await eventually(async () => assert.ok(known.size >= 20), 20_000);
    const lastBefore = BigInt((await core.listNamespacedConfigMap({ namespace })).metadata?.resourceVersion ?? '0');
    servers.signal(0, 'SIGKILL');
    await servers.ended(0);
    await servers.start(0);
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    assert.ok(BigInt(metadata?.resourceVersion ?? '0') >= lastBefore, 'the revision goes on');
    await delay(500); // written to the new one
    isWriting = false;
    await writing;

    const wanted = [...acknowledged].filter(([, value]) => value !== undefined).sort();
    await eventually(async () => {
      const held = informer.list(namespace).map((one) => [one.metadata?.name, one.data?.value]);
      assert.deepEqual(held.sort(), wanted);
    }, 20_000);
    const { items } = await core.listNamespacedConfigMap({ namespace, labelSelector });
    assert.deepEqual(items.map((one) => [one.metadata?.name, one.data?.value]).sort(), wanted);
    assert.deepEqual(problems, []);
    assert.ok(restarts >= 1, 'it noticed');
    isOver = true;
    await informer.stop();
  });

  test('leader election on a Lease: who is killed is followed after the lease duration, and never are there two', async () => {
    const settings = { name: 'election', namespace, leaseDurationMs: 1_000, renewDeadlineMs: 700, retryPeriodMs: 100 };
    /** In the order of the lease's own revisions. */
    const leads: { readonly candidate: string; readonly fromMs: number; untilMs: number }[] = [];
    const electors = ['a', 'b', 'c'].map((candidate) =>
      startElector(clientsOf(config).coordination, { ...settings, candidate }, (untilMs) => {
        const last = leads.at(-1);
        if (last?.candidate === candidate) last.untilMs = untilMs;
        else leads.push({ candidate, fromMs: performance.now(), untilMs });
      }),
    );
    try {
      await eventually(async () => assert.equal(leads.length, 1), 10_000);
      await delay(1_500);
      assert.equal(leads.length, 1, 'a holder that renews stays');
      const [first = assert.fail()] = leads;
      const killedAtMs = performance.now();
      await electors.find(({ candidate }) => candidate === first.candidate)?.kill();
      const second = await eventually(async () => leads[1] ?? assert.fail('nobody follows'), 10_000);
      assert.ok(second.fromMs >= first.untilMs, 'the first one had stopped believing that it leads');
      const waitedMs = second.fromMs - killedAtMs;
      assert.ok(waitedMs >= settings.renewDeadlineMs - settings.retryPeriodMs, `after ${waitedMs} ms`);
      const { spec } = await clientsOf(config).coordination.readNamespacedLease({ namespace, name: settings.name });
      assert.deepEqual([spec?.holderIdentity, spec?.leaseTransitions], [second.candidate, 1]);
      await delay(500);
      assert.equal(leads.length, 2);
    } finally {
      for (const elector of electors) await elector.kill();
    }
  });

  test('of many that take a free lease with the revision that all have read, one gets it', async () => {
    const { coordination } = clientsOf(config);
    const name = 'race';
    let read = await coordination.createNamespacedLease({
      namespace,
      body: { metadata: { name }, spec: { holderIdentity: '' } },
    });
    for (let round = 0; round < 5; round += 1) {
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          coordination.replaceNamespacedLease({
            namespace,
            name,
            body: { ...read, spec: { holderIdentity: `${round}-${index}` } },
          }),
        ),
      );
      const won = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      assert.equal(won.length, 1);
      read = await coordination.readNamespacedLease({ namespace, name });
      assert.equal(read.spec?.holderIdentity, won[0]?.spec?.holderIdentity);
    }
  });
});
