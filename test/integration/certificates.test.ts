import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import { makeAuthority, signLeaf } from '../../src/controllers/certificate/authority.ts';
import { issueCertificate } from '../../src/lib/x509/issue-certificate.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';
import { authorityConfigMap, authoritySecret, systemNamespace } from '../../src/resources/certificates.ts';
import {
  certificates,
  configMaps,
  events,
  type Ingress,
  ingresses,
  namespaces,
  secrets,
} from '../../src/resources/kinds.ts';
import { verifyWithOpenSsl } from './pebble.ts';
import { type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';
import { until } from './until.ts';

let cluster: SimulatedCluster;
let client: Client;
before(async () => {
  cluster = await startSimulatedCluster();
  client = cluster.client;
  for (const name of [systemNamespace, 'shop']) {
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
});
after(() => cluster.stop());

const dayMs = 86_400_000;

async function addIngress(name: string, hosts: readonly string[], more: Partial<Ingress['spec']> = {}, tls?: string) {
  const backend = { service: { name: 'web', port: { number: 80 } } };
  const http = { paths: [{ path: '/', pathType: 'Prefix', backend }] };
  const annotations = tls === undefined ? {} : { 'ingress.flotilla.dev/tls': tls };
  await client.create(ingresses, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'shop', annotations },
    spec: { ingressClassName: 'flotilla', rules: hosts.map((host) => ({ host, http })), ...more },
  });
}

const namesIn = async () =>
  (await client.list(certificates, { namespace: 'shop' })).items.map((one) => one.metadata.name);
const textIn = async (name: string, key: string) => {
  const { data } = await client.get(secrets, { namespace: 'shop', name });
  return Buffer.from(data?.[key] ?? '', 'base64').toString('utf8');
};
const isReady = async (name: string) => {
  const one = await client.get(certificates, { namespace: 'shop', name });
  return one.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
};

describe('certificates of the grid’s own authority', () => {
  it('are made for an Ingress object, believed with the root that everybody may read, and gone with it', async () => {
    await addIngress('web', ['web.shop.localhost', '*.web.localhost'], {}, 'internal');
    await until('there is a Certificate', async () => (await namesIn()).length === 1);
    const [name = ''] = await namesIn();
    await until('it is ready', () => isReady(name));
    const chain = await textIn(name, 'tls.crt');
    const { data } = await client.get(configMaps, { namespace: systemNamespace, name: authorityConfigMap });
    const root = data?.['ca.crt'] ?? '';
    assert.equal(await textIn(name, 'ca.crt'), root);
    for (const host of ['web.shop.localhost', 'a.web.localhost']) await verifyWithOpenSsl(chain, root, host);
    await client.delete(ingresses, { namespace: 'shop', name: 'web' });
    await until('the Certificate goes', async () => (await namesIn()).length === 0);
    await until('its Secret goes', async () => (await client.list(secrets, { namespace: 'shop' })).items.length === 0);
  });

  it('are made in the Secret that an Ingress object names, as it is written for other clusters', async () => {
    await addIngress(
      'chart',
      ['chart.localhost'],
      { tls: [{ hosts: ['chart.localhost'], secretName: 'chart-tls' }] },
      'internal',
    );
    await until('the Secret is there', async () => (await textIn('chart-tls', 'tls.crt').catch(() => '')) !== '');
    await until('and ready', () => isReady('chart-tls'));
    assert.deepEqual(await namesIn(), ['chart-tls']);
    await client.delete(ingresses, { namespace: 'shop', name: 'chart' });
    await until('it goes', async () => (await namesIn()).length === 0);
  });

  it('are signed anew when its Secret is removed, for there is a new one then', async () => {
    const metadata = { name: 'own', namespace: 'shop' };
    const spec = { hosts: ['own.localhost'], issuer: 'internal' as const };
    await client.create(certificates, { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata, spec });
    await until('it is ready', () => isReady('own'));
    const old = await textIn('own', 'tls.crt');
    await client.delete(secrets, { namespace: systemNamespace, name: authoritySecret });
    await client.delete(secrets, { namespace: 'shop', name: 'own' });
    await until('another one is there', async () => (await textIn('own', 'tls.crt').catch(() => old)) !== old);
    const { data } = await client.get(configMaps, { namespace: systemNamespace, name: authorityConfigMap });
    await verifyWithOpenSsl(await textIn('own', 'tls.crt'), data?.['ca.crt'] ?? '', 'own.localhost');
  });

  it('are refused for names that are not its own to sign for, and OpenSSL would refuse them, too', async () => {
    const metadata = { name: 'bank', namespace: 'shop' };
    const spec = { hosts: ['bank.example.com'], issuer: 'internal' as const };
    await client.create(certificates, { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata, spec });
    await until('it says why', async () => {
      const one = await client.get(certificates, { namespace: 'shop', name: 'bank' });
      return (
        one.status?.conditions?.some(({ reason, message }) => reason === 'NotPermitted' && /bank/.test(message)) ??
        false
      );
    });
    const authority = makeAuthority(['localhost'], Date.now());
    const { chain } = signLeaf(authority, ['bank.example.com'], Date.now());
    await assert.rejects(
      verifyWithOpenSsl(chain, authority.certificate, 'bank.example.com'),
      /permitted subtree violation/,
    );
  });
});

describe('certificates for hosts of another namespace', () => {
  it('are refused, exact or by a wildcard, until the host is free', async () => {
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'thief' } });
    await addIngress('bank', ['pay.bank.localhost'], {}, 'internal');
    for (const [name, host] of [
      ['exact', 'pay.bank.localhost'],
      ['wide', '*.bank.localhost'],
    ] as const) {
      await client.create(certificates, {
        apiVersion: 'flotilla.dev/v1alpha1',
        kind: 'Certificate',
        metadata: { name, namespace: 'thief' },
        spec: { hosts: [host], issuer: 'internal' },
      });
      await until(`${name} is refused`, async () => {
        const { status } = await client.get(certificates, { namespace: 'thief', name });
        const issuing = status?.conditions?.find(({ type }) => type === 'Issuing');
        return issuing?.reason === 'HostTaken' && / belongs to Ingress shop\/bank, /.test(issuing.message);
      });
    }
    assert.deepEqual((await client.list(secrets, { namespace: 'thief' })).items, []);
    await client.delete(ingresses, { namespace: 'shop', name: 'bank' });
    await until(
      'it may have it now',
      async () => (await client.list(secrets, { namespace: 'thief' })).items.length === 2,
    );
  });
});

describe('certificates that somebody brings', () => {
  async function bring(name: string, host: string, forMs: number, key = newKeyPem(), otherKey = key): Promise<void> {
    const root = makeAuthority(['example.org'], Date.now());
    const times = { notBeforeMs: Date.now() - 60 * dayMs, notAfterMs: Date.now() + forMs };
    const crt = issueCertificate(
      { subject: [['CN', host]], publicKey: createPublicKey(key), role: 'server', hosts: [host], ...times },
      { subject: [['CN', 'Somebody']], keyPem: root.key },
    );
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    await client.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'shop' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': base64(crt), 'tls.key': base64(otherKey) },
    });
  }
  const said = async (kind: string, name: string) =>
    (await client.list(events, { namespace: 'shop' })).items
      .filter(({ involvedObject: one }) => one.kind === kind && one.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`)
      .join('\n');

  it('are warned about before they end, on the Secret and on who uses it, and measured', async () => {
    await addIngress('old', ['old.example.org'], { tls: [{ hosts: ['old.example.org'], secretName: 'old' }] });
    await bring('old', 'old.example.org', 5 * dayMs);
    for (const kind of ['Secret', 'Ingress']) {
      await until(`the ${kind} says so`, async () =>
        /^CertificateExpiresSoon: certificate for old\.example\.org in Secret shop\/old ends in 4 days, at .*: bring a new one$/m.test(
          await said(kind, 'old'),
        ),
      );
    }
    assert.match(
      cluster.metrics.render(),
      /^flotilla_certificate_not_after_seconds\{grid="main",namespace="shop",secret="old"\} \d{10}$/m,
    );
    assert.deepEqual(
      (await namesIn()).filter((name) => name.includes('old')),
      [],
      'none is made beside it',
    );
    await client.delete(secrets, { namespace: 'shop', name: 'old' });
    await until('it is measured no more', () => !cluster.metrics.render().includes('secret="old"'));
  });

  it('are named when they have ended, or when key and certificate are not of one pair', async () => {
    await bring('ended', 'ended.example.org', -dayMs);
    await bring('torn', 'torn.example.org', 50 * dayMs, newKeyPem(), newKeyPem());
    await until('the end is told', async () =>
      /CertificateExpired: .*Secret shop\/ended: it ended/.test(await said('Secret', 'ended')),
    );
    await until('the mismatch is told', async () =>
      /InvalidCertificate: Secret shop\/torn: the key does not belong to the certificate for torn\.example\.org/.test(
        await said('Secret', 'torn'),
      ),
    );
    // An Ingress object that comes later is told, too.
    for (const name of ['ended', 'torn']) {
      await addIngress(name, [`${name}.example.org`], { tls: [{ hosts: [`${name}.example.org`], secretName: name }] });
    }
    await until('who names it is told that it ended', async () =>
      /^CertificateExpired: .*Secret shop\/ended: it ended/m.test(await said('Ingress', 'ended')),
    );
    await until('who names it is told of the mismatch', async () =>
      /^InvalidCertificate: Secret shop\/torn: the key does not/m.test(await said('Ingress', 'torn')),
    );
  });

  it('are named where they are used for other hosts', async () => {
    await bring('alien', 'alien.example.org', 50 * dayMs);
    const hosts = ['alien.example.org', 'human.example.org'];
    await addIngress('alien', hosts, { tls: [{ secretName: 'alien' }] });
    await until('it is told which', async () =>
      /^CertificateForOtherHosts: the certificate for alien\.example\.org in Secret shop\/alien is not for human\.example\.org: clients will not take it there$/m.test(
        await said('Ingress', 'alien'),
      ),
    );
    assert.equal(await said('Secret', 'alien'), '', 'it is as it should be');
  });

  it('have a Certificate of their own when they were imported', async () => {
    await bring('mine', 'mine.example.org', 50 * dayMs);
    const metadata = { name: 'mine', namespace: 'shop' };
    const spec = { hosts: ['mine.example.org', 'more.example.org'], issuer: 'imported' as const };
    await client.create(certificates, { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Certificate', metadata, spec });
    await until('it says what it lacks', async () => {
      const { status } = await client.get(certificates, { namespace: 'shop', name: 'mine' });
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.reason === 'OtherHosts' && /is for mine\.example\.org, not for all of/.test(ready.message);
    });
    const before = await textIn('mine', 'tls.crt');
    await client.delete(certificates, { namespace: 'shop', name: 'mine' });
    assert.equal(await textIn('mine', 'tls.crt'), before, 'what somebody brought is never written or removed');
  });
});
