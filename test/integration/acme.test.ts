import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { openAcme } from '../../src/adapters/acme/acme-client.ts';
import type { Acme, OpenAcme } from '../../src/adapters/acme/port.ts';
import { type Informer, startInformer } from '../../src/client/informer.ts';
import { acmeAccountSecret, acmeAccountType, systemNamespace } from '../../src/resources/certificates.ts';
import { type Certificate, certificates, grids, namespaces, nodes, secrets } from '../../src/resources/kinds.ts';
import { annotations, labels } from '../../src/resources/names.ts';
import { type PebbleOptions, startPebble, startResponder, verifyWithOpenSsl, withoutPebble } from './pebble.ts';
import { type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';
import { until } from './until.ts';

interface WorldOptions extends Omit<PebbleOptions, 'challengePort'> {
  /** Challenges are answered with something else. */
  readonly answersWrongly?: boolean;
  /** What the ACME client does in addition. */
  readonly around?: (acme: Acme) => Acme;
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Controllers, a real ACME server, and somebody who answers challenges as ingress nodes do. */
async function startWorld(options: WorldOptions = {}) {
  const responder = await startResponder();
  stops.push(() => responder.stop());
  const pebble = await startPebble({ ...options, challengePort: responder.port });
  stops.push(() => pebble.stop());
  const { around } = options;
  const open: OpenAcme = around ? (acme) => around(openAcme(acme)) : openAcme;
  const cluster = await startSimulatedCluster({ openAcme: open });
  stops.push(() => cluster.stop());
  const { client } = cluster;
  for (const name of [systemNamespace, 'shop']) {
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  const { directoryURL, caCertificate } = pebble;
  await client.create(grids, {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Grid',
    metadata: { name: 'main' },
    spec: { ingress: { acme: { directoryURL, email: 'a@example.org', caCertificate } } },
  });
  /** Every state of every Certificate, in order. */
  const seen: Certificate[] = [];
  const follower: Informer<Certificate> = startInformer({
    client,
    kind: certificates,
    onChange: (_key, one) => {
      if (!one) return;
      seen.push(one);
      for (const { token, keyAuthorization } of one.status?.challenges ?? []) {
        responder.answers.set(token, options.answersWrongly ? 'something else' : keyAuthorization);
      }
    },
  });
  stops.push(() => follower.stop());
  return { cluster, client, pebble, responder, seen };
}

async function want({ client }: SimulatedCluster, name: string, ...hosts: string[]): Promise<void> {
  await client.create(certificates, {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Certificate',
    metadata: { name, namespace: 'shop' },
    spec: { hosts, issuer: 'acme' },
  });
}

/** As `flotilla certificate request` does for one that is there. */
async function wantAgain({ client }: SimulatedCluster, name: string): Promise<void> {
  const body = { metadata: { annotations: { [annotations.renewRequested]: String(performance.now()) } } };
  await client.patch(certificates, { namespace: 'shop', name }, { type: 'merge', body });
}

const read = ({ client }: SimulatedCluster, name: string) => client.get(certificates, { namespace: 'shop', name });
const conditionOf = (certificate: Certificate, type: string) =>
  certificate.status?.conditions?.find((one) => one.type === type);
const untilReady = (cluster: SimulatedCluster, name: string) =>
  until(`${name} is ready`, async () => conditionOf(await read(cluster, name), 'Ready')?.status === 'True');

/** Until a try has failed; its sentence. */
async function failureOf(cluster: SimulatedCluster, name: string): Promise<string> {
  let message = '';
  await until(`${name} has failed`, async () => {
    const issuing = conditionOf(await read(cluster, name), 'Issuing');
    message = issuing?.message ?? '';
    return issuing?.reason === 'Failed';
  });
  return message;
}

async function chainIn({ client }: SimulatedCluster, name: string): Promise<string> {
  const secret = await client.get(secrets, { namespace: 'shop', name });
  assert.equal(secret.type, 'kubernetes.io/tls');
  return Buffer.from(secret.data?.['tls.crt'] ?? '', 'base64').toString('utf8');
}

/** Counts orders that were placed and certificates that were asked for. */
function counting() {
  const placed = new Set<string>();
  const finalized: string[] = [];
  const around = (acme: Acme): Acme => ({
    ...acme,
    placeOrder: async (hosts, signal) => {
      const order = await acme.placeOrder(hosts, signal);
      placed.add(order.url);
      return order;
    },
    finalize: async (url, request, signal) => {
      const order = await acme.finalize(url, request, signal);
      finalized.push(url);
      return order;
    },
  });
  return { placed, finalized, around };
}

/** An ingress node whose proxy has not followed anything yet. */
async function addIngressNode(cluster: SimulatedCluster, name: string): Promise<void> {
  await cluster.addNode(name);
  const body = { metadata: { labels: { [labels.ingress]: 'true' } } };
  await cluster.client.patch(nodes, { name }, { type: 'merge', body });
  cluster.tellApplied(name, follows(0));
}

const follows = (certificates: number) => ({ revision: 0, ingress: { ingresses: 0, secrets: 0, certificates } });

describe('certificates from an ACME server', { skip: withoutPebble() }, () => {
  it('are issued for all hosts of one, also by a server that refuses every other nonce', async () => {
    const { cluster, client, pebble, responder } = await startWorld({ environment: { PEBBLE_WFE_NONCEREJECT: '50' } });
    await want(cluster, 'web', 'shop.example.org', 'www.example.org');
    await untilReady(cluster, 'web');
    const chain = await chainIn(cluster, 'web');
    const root = await pebble.issuingRoot();
    for (const host of ['shop.example.org', 'www.example.org']) await verifyWithOpenSsl(chain, root, host);
    await assert.rejects(verifyWithOpenSsl(chain, root, 'other.example.org'));
    await until('nothing of the order is left', async () => {
      const { status } = await read(cluster, 'web');
      return status?.order === undefined && status?.challenges === undefined;
    });
    const { status } = await read(cluster, 'web');
    assert.equal(status?.serialNumber, new X509Certificate(chain).serialNumber);
    assert.ok(responder.asked.length >= 2, 'the server has looked');
    await until('the key of the order is gone', async () => {
      const left = (await client.list(secrets, { namespace: 'shop' })).items.map(({ metadata }) => metadata.name);
      return left.join() === 'web';
    });
    await wantAgain(cluster, 'web');
    await until('there is a new one when somebody asks', async () => {
      return (await read(cluster, 'web')).status?.serialNumber !== status?.serialNumber;
    });
    const account = await client.get(secrets, { namespace: systemNamespace, name: acmeAccountSecret });
    assert.match(account.metadata.annotations?.[annotations.acmeAccount] ?? '', /my-account/);
  });

  it('are renewed before they end, and hold all the time', async () => {
    const { cluster, seen } = await startWorld({ validitySeconds: 12 });
    await want(cluster, 'web', 'shop.example.org');
    await untilReady(cluster, 'web');
    const first = new X509Certificate(await chainIn(cluster, 'web'));
    await until('there is another one', async () => {
      return new X509Certificate(await chainIn(cluster, 'web')).serialNumber !== first.serialNumber;
    });
    assert.ok(Date.now() < first.validToDate.getTime(), 'in time');
    const states = seen.map((one) => conditionOf(one, 'Ready')?.status);
    assert.ok(!states.slice(states.indexOf('True')).includes('False'));
    await untilReady(cluster, 'web');
  });

  it('wait for a server that is down, and get an account anew from one that has lost all', async () => {
    const { cluster, pebble } = await startWorld();
    await want(cluster, 'first', 'first.example.org');
    await untilReady(cluster, 'first');
    await pebble.halt();
    await want(cluster, 'web', 'shop.example.org');
    const words = await failureOf(cluster, 'web');
    assert.match(
      words,
      /^cannot reach the ACME server 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; failed 1 times, is tried again at 2/,
    );
    const { status } = await read(cluster, 'web');
    assert.ok(Date.parse(status?.nextAttemptTime ?? '') > Date.now() + 10_000, 'not at once');
    await pebble.start();
    await wantAgain(cluster, 'web');
    await untilReady(cluster, 'web');
    assert.equal((await read(cluster, 'web')).status?.failures, undefined);
  });

  it('say in the server’s own words why there is none', async () => {
    const { cluster, client } = await startWorld({ answersWrongly: true, blockedDomains: ['blocked.example'] });
    await want(cluster, 'wrong', 'shop.example.org');
    await want(cluster, 'blocked', 'www.blocked.example');
    assert.match(
      await failureOf(cluster, 'wrong'),
      /shop\.example\.org: The key authorization file .* \(unauthorized\)/,
    );
    assert.match(await failureOf(cluster, 'blocked'), /www\.blocked\.example.* \(rejectedIdentifier\)/);
    const { status } = await read(cluster, 'wrong');
    assert.deepEqual([status?.order, status?.challenges], [undefined, undefined]);
    const left = (await client.list(secrets, { namespace: 'shop' })).items;
    assert.deepEqual(
      left.filter(({ type }) => type === 'kubernetes.io/tls'),
      [],
    );
  });

  it('that end as soon as they are issued are not asked for on and on', async () => {
    const { cluster } = await startWorld({ validitySeconds: 2 });
    await want(cluster, 'web', 'shop.example.org');
    assert.match(
      await failureOf(cluster, 'web'),
      /^the certificate that was issued is of no use, it end.*clock right\?; failed 1/,
    );
    const { status } = await read(cluster, 'web');
    assert.ok(Date.parse(status?.nextAttemptTime ?? '') > Date.now() + 10_000);
    assert.equal(status?.order, undefined);
  });

  it('need an account elsewhere where the server asks for one', async () => {
    const hmacKey = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64url');
    const { cluster, client } = await startWorld({ externalAccounts: { 'kid-7': hmacKey } });
    await want(cluster, 'web', 'shop.example.org');
    assert.match(await failureOf(cluster, 'web'), /external ?account/i);
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const data = { 'eab-key-id': base64('kid-7'), 'eab-hmac-key': base64(hmacKey) };
    const ref = { namespace: systemNamespace, name: acmeAccountSecret };
    const secret = await client.get(secrets, ref);
    assert.equal(secret.type, acmeAccountType);
    await client.patch(secrets, ref, { type: 'merge', body: { data } });
    await wantAgain(cluster, 'web');
    await untilReady(cluster, 'web');
  });
});

describe('an order', { skip: withoutPebble() }, () => {
  it('is not offered before every ingress node answers, and goes on under another leader', async () => {
    const { placed, finalized, around } = counting();
    const { cluster, responder } = await startWorld({ around });
    await addIngressNode(cluster, 'h1');
    await addIngressNode(cluster, 'h2');
    await want(cluster, 'web', 'shop.example.org');
    await until('it waits', async () => (await read(cluster, 'web')).status?.challenges?.length === 1);
    cluster.tellApplied('h1', follows(Number.MAX_SAFE_INTEGER));
    await cluster.changeLeader();
    const account = await cluster.client.get(secrets, { namespace: systemNamespace, name: acmeAccountSecret });
    assert.ok(account.data?.key);
    assert.equal((await read(cluster, 'web')).status?.order?.offerTime, undefined);
    assert.deepEqual(responder.asked, [], 'the server has not looked yet');
    cluster.tellApplied('h2', follows(Number.MAX_SAFE_INTEGER));
    await untilReady(cluster, 'web');
    assert.deepEqual([placed.size, finalized.length], [1, 1]);
  });

  it('whose leader goes while the server signs gives its certificate to the next one', async () => {
    const { placed, finalized, around } = counting();
    let hangs = true;
    const hanging = (acme: Acme): Acme => {
      const counted = around(acme);
      return {
        ...counted,
        finalize: async (url, request, signal) => {
          const order = await counted.finalize(url, request, signal);
          if (!hangs) return order;
          return await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        },
      };
    };
    const { cluster } = await startWorld({ around: hanging });
    await want(cluster, 'web', 'shop.example.org');
    await until('the server has been asked to sign', () => finalized.length === 1);
    hangs = false;
    await cluster.changeLeader();
    await untilReady(cluster, 'web');
    assert.deepEqual([placed.size, finalized.length], [1, 1], 'the same order, signed once');
  });

  it('is placed once by two that think they lead', async () => {
    const { placed, finalized, around } = counting();
    const { cluster } = await startWorld({ around });
    cluster.addLeader();
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await want(cluster, name, `${name}.example.org`);
    for (const name of names) await untilReady(cluster, name);
    assert.equal(placed.size, names.length);
    assert.equal(new Set(finalized).size, names.length);
  });
});
