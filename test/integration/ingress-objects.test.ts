// Ingress objects on a whole server, by kubectl; and what controllers make of them and of stacks.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isApiError } from '../../src/client/api-error.ts';
import { silentLogger } from '../../src/lib/log.ts';
import {
  events,
  grids,
  type Ingress,
  ingresses,
  namespaces,
  nodes,
  type Stack,
  services,
  stacks,
} from '../../src/resources/kinds.ts';
import type { StackService } from '../../src/resources/stack-types.ts';
import { type RunningServer, startServer } from '../../src/server/main.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedCluster, startSimulatedCluster, eventually as within } from './simulated-cluster.ts';

/** Nothing of Flotilla gives up here after a time: a busy machine may take long. */
const eventually = <T>(check: () => Promise<T>) => within(check, 20_000);

const manifest = (name: string, host: string, more = '') => `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}${more}}
spec:
  tls: [{hosts: [${host}]}]
  rules:
  - host: ${host}
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: ${name}, port: {number: 80}}}}]}
`;

describe('Ingress objects, by kubectl', () => {
  let directory = '';
  let server: RunningServer;
  let kubectl: Kubectl;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-ingress-'));
    server = await startServer({
      dataDirectory: directory,
      listen: '127.0.0.1:0',
      store: 'memory',
      log: silentLogger,
      ingress: { httpPort: 8080 },
    });
    kubectl = await createKubectl('35', ['--kubeconfig', join(directory, 'admin.kubeconfig')]);
    for (const name of ['shop', 'team']) await kubectl.ok(['create', 'namespace', name]);
  });
  after(async () => {
    await kubectl.remove();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const refusal = async (...args: Parameters<Kubectl['run']>) => {
    const { code, stderr } = await kubectl.run(...args);
    assert.notEqual(code, 0, 'it was taken');
    return stderr;
  };
  const rowOf = async (name: string) =>
    (await kubectl.ok(['get', 'ingress', name, '-n', 'shop', '--no-headers'])).trim().split(/ {2,}/);

  it('there is a class for them, the default, which is not made again over what somebody wrote', async () => {
    const row = (await kubectl.ok(['get', 'ingressclass', '--no-headers'])).trim().split(/ +/);
    assert.deepEqual(row.slice(0, 3), ['flotilla', 'flotilla.dev/ingress', '<none>']);
    assert.match(await kubectl.ok(['describe', 'ingressclass', 'flotilla']), /is-default-class: true/);
    assert.match(
      await refusal(['patch', 'ingressclass', 'flotilla', '-p', '{"spec":{"controller":"a.b/c"}}']),
      /spec\.controller: Invalid value: "a\.b\/c": field is immutable/,
    );
  });

  it('are made, shown, described and explained', async () => {
    assert.equal(
      await kubectl.ok(['apply', '-n', 'shop', '-f', '-'], manifest('web', 'a.example.org')),
      'ingress.networking.k8s.io/web created\n',
    );
    assert.equal(
      await kubectl.ok(['apply', '-n', 'shop', '-f', '-'], manifest('web', 'a.example.org')),
      'ingress.networking.k8s.io/web unchanged\n',
    );
    assert.deepEqual((await rowOf('web')).slice(0, 4), ['web', 'flotilla', 'a.example.org', '80, 443']);
    await eventually(async () => {
      const text = await kubectl.ok(['describe', 'ingress', 'web', '-n', 'shop']);
      assert.match(text, /Ingress Class: +flotilla/);
      assert.match(text, /a\.example\.org\s+\/ +web:80 \(<error: services "web" not found>\)/);
      assert.match(text, /Warning +BackendMissing .* there is no Service shop\/web/);
    });
    assert.match(await kubectl.ok(['explain', 'ingress.spec.rules.http.paths.pathType']), /ImplementationSpecific/);
    assert.match(await kubectl.ok(['explain', 'ingress.status.conditions']), /flotilla|Flotilla/);
    assert.match(await kubectl.ok(['explain', 'ingressclass.spec']), /controller/);
    const create = ['create', 'ingress', 'made', '-n', 'shop', '--rule=made.example.org/x*=web:http'];
    await kubectl.ok([...create, '--annotation=ingress.flotilla.dev/rewrite-path=/']);
    const wait = ['wait', '--for=condition=flotilla.dev/Served=False', 'ingress/made', '-n', 'shop', '--timeout=5s'];
    await kubectl.ok(wait);
  });

  it('of a second namespace are refused by name, and so are options that are wrong', async () => {
    assert.match(
      await refusal(['apply', '-n', 'team', '-f', '-'], manifest('web', 'a.example.org')),
      /spec\.rules\[0\]\.host: Duplicate value: "a\.example\.org": host "a\.example\.org" belongs to Ingress shop\/web/,
    );
    const annotate = (value: string) =>
      refusal(['annotate', '-n', 'shop', 'ingress', 'web', `ingress.flotilla.dev/${value}`]);
    assert.match(await annotate('balanse=leastconn'), /there is no such option; did you mean "balance"\?/);
    assert.match(await annotate('max-body-size=big'), /must be a size such as 512k, 10m or 1g/);
    assert.match(
      await annotate('set-response-headers={"X-A": "b\\r\\nX-B: c"}'),
      /must have values of printable ASCII/,
    );
    const tcp = (port: number) =>
      refusal(
        ['apply', '-n', 'shop', '-f', '-'],
        `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: db, annotations: {ingress.flotilla.dev/tcp-port: "${port}"}}
spec: {defaultBackend: {service: {name: db, port: {number: 5432}}}}
`,
      );
    assert.match(await tcp(8080), /HTTP has this port/);
    assert.match(await tcp(443), /HTTPS has this port/);
    await kubectl.ok(['delete', 'ingress', 'web', '-n', 'shop']);
    await kubectl.ok(['apply', '-n', 'team', '-f', '-'], manifest('web', 'a.example.org'));
  });

  it('of another class are left alone; one that says two classes is refused', async () => {
    const other = `${manifest('other', 'a.example.org')}  ingressClassName: nginx\n`;
    await kubectl.ok(['apply', '-n', 'shop', '-f', '-'], other);
    const legacy = manifest('legacy', 'a.example.org', ', annotations: {kubernetes.io/ingress.class: nginx}');
    const made = await kubectl.run(['apply', '-n', 'shop', '-f', '-'], legacy);
    assert.match(made.stderr, /annotation "kubernetes.io\/ingress.class" is deprecated/);
    assert.equal((await rowOf('legacy'))[1], '<none>');
    const both = `${legacy.replace('name: legacy', 'name: both')}  ingressClassName: flotilla\n`;
    assert.match(
      await refusal(['apply', '-n', 'shop', '-f', '-'], both),
      /can not be set when the class field is also set/,
    );
    const object = JSON.parse(await kubectl.ok(['get', 'ingress', 'other', '-n', 'shop', '-o', 'json'])) as Ingress;
    assert.equal(object.status?.conditions, undefined);
  });
});

async function withCluster(run: (cluster: SimulatedCluster) => Promise<void>): Promise<void> {
  const cluster = await startSimulatedCluster();
  try {
    const grid = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Grid', metadata: { name: 'main' } };
    await cluster.client.create(grids, { ...grid, spec: { ingress: { baseDomain: 'localhost' } } });
    await cluster.addNode('h1');
    await run(cluster);
  } finally {
    await cluster.stop();
  }
}

function stack(name: string, web: Partial<StackService>): Stack {
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name, namespace: name },
    spec: { services: { web: { image: 'web:1', instances: 1, expose: [{ port: 80, protocol: 'TCP' }], ...web } } },
  };
}

async function deploy({ client }: SimulatedCluster, wanted: Stack): Promise<void> {
  const { name } = wanted.metadata;
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await client.create(namespaces, namespace).catch((error: unknown) => {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  });
  const known = await client.get(stacks, { namespace: name, name }).catch(() => undefined);
  if (known) await client.update(stacks, { ...known, spec: wanted.spec });
  else await client.create(stacks, wanted);
}

describe('what controllers make of Ingress objects and stacks', () => {
  const servedOf = async ({ client }: SimulatedCluster, name = 'web', namespace = 'shop') => {
    const { status } = await client.get(ingresses, { namespace, name });
    const served = status?.conditions?.find(({ type }) => type === 'flotilla.dev/Served');
    const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
    return [served?.status, served?.reason, ...addresses];
  };
  const hostsOf = async ({ client }: SimulatedCluster, namespace = 'shop') =>
    (await client.list(ingresses, { namespace })).items
      .flatMap(({ spec }) => (spec.rules ?? []).map(({ host }) => host))
      .sort();

  it('the status follows ingress nodes, services and classes', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await deploy(cluster, stack('shop', {}));
      await eventually(async () => assert.deepEqual(await servedOf(cluster), ['False', 'NoIngressNode']));
      const patch = (body: object, subresource?: 'status') =>
        client.patch(nodes, { name: 'h1' }, { type: 'strategic', body, ...(subresource ? { subresource } : {}) });
      await patch({ status: { addresses: [{ type: 'InternalIP', address: '10.1.0.1' }] } }, 'status');
      await patch({ metadata: { labels: { 'flotilla.dev/ingress': '' } } });
      await eventually(async () => assert.deepEqual(await servedOf(cluster), ['True', 'Served', '10.1.0.1']));
      await client.create(ingresses, {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: { name: 'own', namespace: 'shop' },
        spec: { ingressClassName: 'flotilla', defaultBackend: { service: { name: 'api', port: { number: 80 } } } },
      });
      await eventually(async () =>
        assert.deepEqual(await servedOf(cluster, 'own'), ['False', 'BackendMissing', '10.1.0.1']),
      );
      const api = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'api', namespace: 'shop' } };
      await client.create(services, { ...api, spec: { ports: [{ port: 80 }] } });
      await eventually(async () => assert.deepEqual(await servedOf(cluster, 'own'), ['True', 'Served', '10.1.0.1']));
      await patch({ metadata: { labels: { 'flotilla.dev/ingress': 'false' } } });
      await eventually(async () => {
        assert.deepEqual(await servedOf(cluster, 'own'), ['False', 'NoIngressNode']);
        const told = (await client.list(events, { namespace: 'shop' })).items.filter(
          (one) => one.involvedObject.name === 'own',
        );
        assert.deepEqual(told.map(({ reason }) => reason).sort(), ['BackendMissing', 'NoIngressNode']);
      });
    });
  });

  it('a stack has its names, which follow the file and the grid, and are gone with it', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await deploy(
        cluster,
        stack('shop', { ingress: [{ host: 'a.b', options: { retries: '1', balance: 'source' } }] }),
      );
      await eventually(async () => assert.deepEqual(await hostsOf(cluster), ['a.b', 'web.shop.localhost']));
      const annotationsOf = async () => {
        const { metadata } = await client.get(ingresses, { namespace: 'shop', name: 'web' });
        return Object.keys(metadata.annotations ?? {}).filter((one) => one.startsWith('ingress.'));
      };
      assert.deepEqual((await annotationsOf()).sort(), [
        'ingress.flotilla.dev/balance',
        'ingress.flotilla.dev/retries',
      ]);
      await deploy(cluster, stack('shop', { ingress: [{ host: 'c.b', options: { retries: '1' } }] }));
      await eventually(async () => {
        assert.deepEqual(await hostsOf(cluster), ['c.b', 'web.shop.localhost']);
        assert.deepEqual(await annotationsOf(), ['ingress.flotilla.dev/retries'], 'an option that is gone is gone');
      });
      const body = { spec: { ingress: { baseDomain: 'example.org' } } };
      await client.patch(grids, { name: 'main' }, { type: 'merge', body });
      await eventually(async () => assert.deepEqual(await hostsOf(cluster), ['c.b', 'web.shop.example.org']));
      await deploy(cluster, stack('shop', { automaticName: false }));
      await eventually(async () => assert.deepEqual(await hostsOf(cluster), []));
      await deploy(cluster, stack('shop', {}));
      await eventually(async () => assert.deepEqual(await hostsOf(cluster), ['web.shop.example.org']));
      await client.delete(stacks, { namespace: 'shop', name: 'shop' });
      await eventually(async () => assert.deepEqual(await hostsOf(cluster), []));
    });
  });

  it('a host that another stack has is refused, loudly, and given when it is free', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      const entry = { ingress: [{ host: 'a.b' }] };
      await deploy(cluster, stack('shop', entry));
      await eventually(async () => assert.deepEqual(await hostsOf(cluster), ['a.b', 'web.shop.localhost']));
      await deploy(cluster, stack('team', entry));
      const progress = async () => {
        const { status } = await client.get(stacks, { namespace: 'team', name: 'team' });
        return status?.conditions?.find(({ type }) => type === 'Progressing');
      };
      await eventually(async () => {
        const { status, reason, message } = (await progress()) ?? {};
        assert.deepEqual([status, reason], ['False', 'Refused']);
        assert.match(message ?? '', /Ingress web was refused: .*host "a\.b" belongs to Ingress shop\/web/);
      });
      await deploy(cluster, stack('shop', {}));
      await eventually(async () => {
        assert.deepEqual(await hostsOf(cluster, 'team'), ['a.b', 'web.team.localhost']);
        assert.equal((await progress())?.reason, 'Complete');
      });
    });
  });
});
