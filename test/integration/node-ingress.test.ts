// What a node lets in follows the API, with a proxy in memory: the label, changes, failures, starts without a server.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createFakeIngressProxy, type FakeIngressProxy } from '../../src/adapters/ingress/fake.ts';
import { readIngressObjects, removeIngressObjects, writeIngressObjects } from '../../src/agent/disk/ingress-file.ts';
import { type NodeIngress, startNodeIngress } from '../../src/agent/ingress/node-ingress.ts';
import type { ServiceView } from '../../src/agent/network/data-plane.ts';
import type { ProxyProgress } from '../../src/agent/watermark.ts';
import type { Client } from '../../src/client/client.ts';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { FlotillaError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { IngressProblem } from '../../src/resources/applied.ts';
import { gridIngressOf } from '../../src/resources/grid-ingress.ts';
import {
  type Certificate,
  certificates,
  type EndpointSlice,
  endpointSlices,
  type Ingress,
  ingresses,
  type Node,
  type Service,
  secrets,
  services,
} from '../../src/resources/kinds.ts';
import { labels } from '../../src/resources/names.ts';
import { createInProcessClient } from '../../src/server/in-process-client.ts';
import { startTestApi, type TestApi } from '../../src/server/test-api.ts';
import { eventually } from './simulated-cluster.ts';

const key = 'the key of this node';
/** crypt(3) of a word. */
const hash = '$6$abcdefgh$M/eYsB4rVXAm3ZNc88J.UD9rCKAT6FB1rahiwJCHtEndQNORCub5qhjxn50qbqVVthkM.9HpEwtf0t.iV9uH0/';
const node = (label: string | undefined): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node', spec: {} },
  metadata: { name: 'h1', ...(label === undefined ? {} : { labels: { [labels.ingress]: label } }) },
});
const meta = (name: string, more: object = {}) => ({ name, namespace: 'default', ...more });
const service: Service = {
  ...{ apiVersion: 'v1', kind: 'Service', metadata: meta('web') },
  spec: { ports: [{ name: 'http', port: 80 }] },
};
const slice = (addresses: readonly string[]): EndpointSlice => ({
  ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
  metadata: meta('web-1', { labels: { [labels.serviceName]: 'web' } }),
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: 'http', port: 8080 }],
});
const ingress = (name: string, host: string, to = 'web'): Ingress => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: meta(name) },
  spec: {
    ingressClassName: 'flotilla',
    rules: [
      {
        host,
        http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: to, port: { number: 80 } } } }] },
      },
    ],
  },
});

describe('a node that lets traffic in', () => {
  let api: TestApi;
  let client: Client;
  let directory: string;
  let proxy: FakeIngressProxy;
  /** How often somebody asked whether the proxy runs. */
  let looks: number;
  let applies: number;
  /** What the proxy takes its time for. */
  let held: Partial<Record<'apply' | 'retire' | 'end', () => Promise<void>>>;
  /** The test is: nothing takes its time any more. */
  let over: PromiseWithResolvers<void>;
  let networkRevision: number;
  let running: NodeIngress | undefined;
  let informers: readonly Informer<Service | EndpointSlice>[];
  let progress: ProxyProgress[];
  let problems: readonly IngressProblem[];

  beforeEach(async () => {
    api = await startTestApi();
    client = createInProcessClient({ registry: api.registry, cache: api.cache, grid: 'main' });
    directory = await mkdtemp(join(tmpdir(), 'node-ingress-'));
    const fake = createFakeIngressProxy();
    looks = 0;
    applies = 0;
    held = {};
    over = Promise.withResolvers();
    networkRevision = 0;
    proxy = {
      ...fake,
      apply: async (state) => {
        applies++;
        await Promise.race([held.apply?.(), over.promise]);
        return fake.apply(state);
      },
      retire: async (graceSeconds) => {
        await Promise.race([held.retire?.(), over.promise]);
        return fake.retire(graceSeconds);
      },
      end: async (graceSeconds) => {
        await Promise.race([held.end?.(), over.promise]);
        return fake.end(graceSeconds);
      },
      stats: async () => {
        looks++;
        if (await fake.hasDrifted()) throw new FlotillaError('HostToolFailed', 'no proxy runs');
        return fake.stats();
      },
    };
    progress = [];
    problems = [];
    await client.create(services, service);
    await client.create(endpointSlices, slice(['10.80.0.2', '10.80.1.2']));
    await client.create(ingresses, ingress('web', 'a.b'));
  });
  afterEach(async () => {
    over.resolve();
    await stop();
    await api.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** As an agent starts; `by` undefined: no server answers. */
  async function start(by: Client | undefined, remembered?: ServiceView): Promise<NodeIngress> {
    const noServer: Client = {
      ...client,
      list: async () => Promise.reject(new FlotillaError('Unavailable', 'no server')),
    };
    let all: Informer<Service> | undefined;
    let every: Informer<EndpointSlice> | undefined;
    const view = (): ServiceView | undefined => {
      if (!all?.isSynced || !every?.isSynced) return remembered;
      const revision = Number(every.resourceVersion);
      return { services: all.list(), slices: every.list(), revision, slicesSince: revision };
    };
    const one = startNodeIngress({
      ...{ proxy, client: by ?? noServer, nodeName: 'h1', serviceView: view, clock: systemClock, log: silentLogger },
      remembered: await readIngressObjects(directory, key),
      writeObjects: (objects) => writeIngressObjects(directory, objects, key),
      removeObjects: () => removeIngressObjects(directory),
      networkRevision: () => networkRevision,
      onProgress: (news) => progress.push(news),
      onProblems: (news) => {
        problems = news;
      },
    });
    running = one;
    one.setGrid(gridIngressOf(undefined));
    one.setNode(node('true'));
    if (!by) return one;
    const common = { client: by, clock: systemClock };
    all = startInformer<Service>({
      ...{ ...common, kind: services },
      onChange: (name, object) => {
        one.setService(name, object);
        one.changed();
      },
    });
    every = startInformer<EndpointSlice>({
      ...{ ...common, kind: endpointSlices },
      onChange: (name, object) => {
        one.setSlice(name, object);
        one.changed();
      },
    });
    informers = [all, every];
    void Promise.all([all.synced, every.synced]).then(() => {
      one.replaceServices(all.list(), every.list());
      one.changed();
    });
    return one;
  }
  async function stop(): Promise<void> {
    await Promise.all((informers ?? []).map((one) => one.stop()));
    informers = [];
    await running?.stop();
    running = undefined;
  }
  const addresses = (host = 'a.b') => proxy.takers(host, '/')?.map(({ address }) => address);
  const last = () => {
    const newest = progress.at(-1);
    assert.ok(typeof newest === 'object', `${newest}`);
    return newest;
  };

  it('follows services, hosts and certificates, and says how far', async () => {
    await start(client);
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
    const changed = await client.update(endpointSlices, slice(['10.80.1.2']));
    await eventually(async () => assert.ok(last().revision >= Number(changed.metadata.resourceVersion)));
    assert.deepEqual(addresses(), ['10.80.1.2'], 'in force when it is told');
    const made = await client.create(ingresses, ingress('more', 'c.b'));
    await eventually(async () => assert.ok(last().ingress.ingresses >= Number(made.metadata.resourceVersion)));
    assert.deepEqual(addresses('c.b'), ['10.80.1.2']);
    const certificate: Certificate = {
      ...{ apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata: meta('web') },
      spec: { hosts: ['a.b'], issuer: 'acme' },
    };
    const asked = await client.create(certificates, certificate);
    const challenges = [{ host: 'a.b', token: 'tok', keyAuthorization: 'tok.x' }];
    const told = await client.updateStatus(certificates, { ...asked, status: { challenges } });
    await eventually(async () => assert.ok(last().ingress.certificates >= Number(told.metadata.resourceVersion)));
    assert.equal(proxy.applied()?.challenges.get('tok'), 'tok.x');
    await client.delete(ingresses, { namespace: 'default', name: 'more' });
    await eventually(async () => assert.equal(addresses('c.b'), undefined));
  });

  it('has no work with services that nobody lets in, and follows them all the same', async () => {
    await start(client);
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
    const before = applies;
    const other = slice(['10.80.0.9']);
    const metadata = meta('other-1', { labels: { [labels.serviceName]: 'other' } });
    const made = await client.create(endpointSlices, { ...other, metadata });
    await eventually(async () => assert.ok(last().revision >= Number(made.metadata.resourceVersion)));
    assert.equal(applies, before);
  });

  it('says what is not as an Ingress object asks for it, and takes it back', async () => {
    await client.create(ingresses, ingress('lost', 'c.b', 'missing'));
    proxy.refuse('default/web#0', 'no such balance');
    await start(client);
    const both = [
      { ingress: 'default/lost', message: 'there is no Service default/missing' },
      { ingress: 'default/web', message: 'no such balance' },
    ];
    await eventually(async () => assert.deepEqual(problems, both));
    await client.delete(ingresses, { namespace: 'default', name: 'lost' });
    await eventually(async () => assert.deepEqual(problems, both.slice(1)));
  });

  it('says that its proxy does not follow, tries again, and puts right what was killed', async () => {
    proxy.failNext(new FlotillaError('HostToolFailed', 'port 80 is taken by nginx'));
    const one = await start(client);
    await eventually(async () => assert.equal(last().ingress.problem, 'port 80 is taken by nginx'));
    assert.equal((await one.report()).problem, 'port 80 is taken by nginx');
    await eventually(async () => assert.equal(last().ingress.problem, undefined));
    assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']);
    proxy.kill();
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
  });

  it('lets nobody in when the label goes, and keeps nothing of others’ secrets', async () => {
    const data = { auth: Buffer.from(`ann:${hash}`).toString('base64') };
    await client.create(secrets, {
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'flotilla.dev/basic-auth', metadata: meta('staff'), data },
    });
    const one = await start(client);
    const path = join(directory, 'ingress.sealed');
    await eventually(async () => assert.ok(await stat(path)));
    assert.equal((await readFile(path)).includes('ann:'), false);
    assert.deepEqual(
      (await readIngressObjects(directory, key))?.secrets.map(({ metadata }) => metadata.name),
      ['staff'],
    );
    one.setNode(node('false'));
    await eventually(async () => assert.equal(progress.at(-1), 'none'));
    await eventually(async () => assert.equal(proxy.applied(), undefined));
    await eventually(async () => assert.rejects(stat(path), /ENOENT/));
    assert.match((await one.report()).problem ?? '', /no label flotilla.dev\/ingress/);
    one.setNode(node('true'));
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
  });

  it('follows as long as somebody has a connection, and says that there is no proxy when there is none', async () => {
    const one = await start(client);
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
    const retired = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    let ends = 0;
    held = {
      retire: () => retired.promise,
      end: () => {
        ends++;
        return ended.promise;
      },
    };
    one.setNode(node('false'));
    const changed = await client.update(endpointSlices, slice(['10.80.1.2']));
    await eventually(async () => assert.ok(last().revision >= Number(changed.metadata.resourceVersion)));
    assert.deepEqual(addresses(), ['10.80.1.2'], 'one that has gone gets nothing over a connection that is left');
    retired.resolve();
    await eventually(async () => assert.equal(ends, 1));
    assert.equal(progress.includes('none'), false, 'it is there until it has ended');
    ended.resolve();
    await eventually(async () => assert.equal(progress.at(-1), 'none'));
    assert.equal(proxy.applied(), undefined);
  });

  it('is not waited for when its proxy cannot be ended, and says so', async () => {
    const one = await start(client);
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
    held = {
      retire: async () => Promise.reject(new Error('it hangs')),
      end: async () => Promise.reject(new Error('it hangs on')),
    };
    one.setNode(node('false'));
    await eventually(async () => assert.equal(last().ingress.problem, 'it was not ended: it hangs on'));
    assert.equal(progress.includes('none'), false);
  });

  it('says nothing of what the proxy of an agent before may not have heard; where none ran it holds up nobody', async () => {
    networkRevision = 1_000_000;
    const applied = Promise.withResolvers<void>();
    held = { apply: () => applied.promise };
    const one = await start(client);
    await eventually(async () => assert.equal(applies, 1));
    assert.ok(progress.length > 0);
    for (const each of progress) assert.equal(typeof each === 'object' && each.revision, 0);
    applied.resolve();
    await eventually(async () => assert.ok(last().revision > 0));
    assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']);
    one.setNode(node('false'));
    await eventually(async () => assert.equal(progress.at(-1), 'none'));
    progress.length = 0;
    one.setNode(node('true'));
    await eventually(async () => assert.equal(last().revision, networkRevision));
    for (const each of progress) assert.equal(typeof each === 'object' && each.revision, networkRevision);
  });

  it('serves from the disk where no proxy runs and no server answers; one that runs knows better', async () => {
    await start(client);
    await eventually(async () => assert.equal((await readIngressObjects(directory, key))?.ingresses.length, 1));
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
    await stop();
    // The disk is behind: an instance has left that it still knows.
    const slices = [slice(['10.80.0.2', '10.80.1.2', '10.80.2.2'])];
    const old = { services: [service], slices, revision: 0, slicesSince: 0 };
    await start(undefined, old);
    const before = looks;
    await eventually(async () => assert.ok(looks > before + 1));
    assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']);
    proxy.kill();
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2', '10.80.2.2']));
    assert.equal(last().revision, 0);
    await stop();
    await start(client, old);
    await eventually(async () => assert.deepEqual(addresses(), ['10.80.0.2', '10.80.1.2']));
  });
});
