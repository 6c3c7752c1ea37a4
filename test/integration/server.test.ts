// A whole server on loopback: identity, tokens, certificates, two servers on one etcd, restart, hand-over.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { createHttpClient, type HttpClient } from '../../src/client/http-client.ts';
import { startInformer } from '../../src/client/informer.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';
import { ApiError } from '../../src/resources/api-error.ts';
import {
  configMaps,
  type Grid,
  grids,
  leases,
  nodes,
  type Pod,
  pods,
  secrets,
  type Token,
  tokens,
} from '../../src/resources/kinds.ts';
import { type RunningServer, startServer } from '../../src/server/main.ts';
import type { AgentApi } from '../../src/tunnel/agent-api.ts';
import { createAgentApi } from '../../src/tunnel/agent-server.ts';
import { type JoinedNode, joinCluster } from '../../src/tunnel/join.ts';
import { connectLiveness } from '../../src/tunnel/liveness.ts';
import { connectTunnel } from '../../src/tunnel/tunnel.ts';
import { createKubectl, kubectlVersions } from './kubectl.ts';
import { until } from './until.ts';

const log = silentLogger;
const keyPem = newKeyPem();
let directory = '';
let server: RunningServer;
let admin: HttpClient;
let joined: JoinedNode;
const cleanups: (() => unknown)[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-server-'));
  server = await start('one');
  admin = adminOf(server);
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  admin.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

function start(name: string, options: Partial<Parameters<typeof startServer>[0]> = {}): Promise<RunningServer> {
  return startServer({ dataDirectory: join(directory, name), listen: '127.0.0.1:0', log, ...options });
}
function adminOf({ url, caCertificate, adminToken }: RunningServer): HttpClient {
  return createHttpClient({ servers: [url], caCertificate, token: adminToken, grid: 'main', userAgent: 'test' });
}
function nodeClient(certificate: string, key: string): HttpClient {
  const { url, caCertificate } = server;
  const client = createHttpClient({
    servers: [url],
    caCertificate,
    clientCertificate: { certificate, key },
    grid: 'main',
    userAgent: 'test',
  });
  cleanups.push(() => client.close());
  return client;
}
async function createToken(spec: Token['spec'], name: string): Promise<string> {
  const token: Token = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Token', metadata: { name }, spec };
  const created = await admin.forGrid('system').create(tokens, token);
  return created.status?.token ?? '';
}
function configMap(name: string, value: string) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { value } };
}
function pod(name: string, nodeName: string, secretName: string): Pod {
  const env = [{ name: 'A', valueFrom: { secretKeyRef: { name: secretName, key: 'k' } } }];
  const spec = { nodeName, containers: [{ name: 'main', image: 'busybox', env }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec };
}
function get(path: string, headers: Record<string, string>, body?: string): Promise<{ code: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { ca: server.caCertificate, agent: false, headers, method: body === undefined ? 'GET' : 'POST' };
    const outgoing = request(new URL(path, server.url), options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
async function refusedWith(code: number, call: Promise<unknown>, message?: RegExp): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.status.code, code, error.message);
    if (message) assert.match(error.message, message);
    return true;
  });
}
const eventually = (what: string, isSo: () => Promise<boolean> | boolean) => until(what, isSo, 10_000);

test('the first start leaves its files, for the owner only', async () => {
  const files = [
    'identity/ca.key',
    'identity/ca.crt',
    'identity/secrets.key',
    'identity/service-account.key',
    'admin.token',
    'admin.kubeconfig',
    'tls/server.key',
  ];
  for (const file of files) {
    assert.equal((await stat(join(directory, 'one', file))).mode & 0o777, 0o600, file);
  }
  assert.equal((await readFile(join(directory, 'one/admin.token'), 'utf8')).trim(), server.adminToken);
});

test('a bearer token reads and writes; the id of a request is in the audit log', async () => {
  await admin.create(configMaps, configMap('first', '1'), { requestId: 'audit-me' });
  const answer = await get('/api/v1/namespaces/default/configmaps/first', {
    authorization: `Bearer ${server.adminToken}`,
  });
  assert.equal(answer.code, 200);
  assert.equal(JSON.parse(answer.body).data.value, '1');
  const audit = async () => await readFile(join(directory, 'one/audit.log'), 'utf8').catch(() => '');
  await eventually('the audit record', async () => (await audit()).includes('audit-me'));
  const line = (await audit()).split('\n').find((one) => one.includes('audit-me')) ?? '{}';
  const { user, verb, resource, namespace, code, sourceAddress } = JSON.parse(line);
  assert.deepEqual(
    [user, verb, resource, namespace, code, sourceAddress],
    ['flotilla:admin', 'create', 'configmaps', 'default', 201, '127.0.0.1'],
  );
});

test('tokens that are forged, expired or revoked get 401, at once', async () => {
  const ask = async (token: string) => await get('/api/v1/namespaces', { authorization: `Bearer ${token}` });
  const good = await createToken({ type: 'admin', description: 'for a test' }, 'temporary');
  assert.equal((await ask(good)).code, 200);
  const forged = await ask(`${good.slice(0, -4)}aaaa`);
  assert.equal(forged.code, 401);
  assert.match(forged.body, /"reason":"Unauthorized"/);
  const expired = await ask(await createToken({ type: 'admin', expiresAt: '2020-01-01T00:00:00Z' }, 'old'));
  assert.equal(expired.code, 401);
  assert.match(expired.body, /expired at 2020-01-01/);
  await admin.forGrid('system').delete(tokens, { name: 'temporary' });
  const revoked = await ask(good);
  assert.equal(revoked.code, 401);
  assert.match(revoked.body, /unknown or was revoked/);
  const stored = await admin.forGrid('system').get(tokens, { name: 'old' });
  assert.equal(stored.status?.token, undefined);
});

test('a body that is too large gets 413', async () => {
  const body = JSON.stringify(configMap('large', 'x'.repeat(4 << 20)));
  const headers = { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' };
  assert.equal((await get('/api/v1/namespaces/default/configmaps', headers, body)).code, 413);
});

test('a node joins, and reads what its pods need, nothing else', async () => {
  const token = await createToken({ type: 'join', grid: 'main' }, 'join-1');
  await assert.rejects(
    joinCluster({ server: server.url, token: `${token.slice(0, -64)}${'0'.repeat(64)}`, nodeName: 'h1', keyPem }),
    { code: 'Unauthorized', message: /is not the one this token was made for/ },
  );
  joined = await joinCluster({ server: server.url, token, nodeName: 'h1', keyPem });
  const h1 = nodeClient(joined.certificate, keyPem);
  await h1.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'h1' }, spec: {} });
  await refusedWith(403, h1.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'h2' }, spec: {} }));
  await admin.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'h2' }, spec: {} });
  for (const name of ['mine', 'theirs']) {
    await admin.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'default' },
      data: {},
    });
  }
  await admin.create(pods, pod('web', 'h1', 'mine'));
  await admin.create(pods, pod('other', 'h2', 'theirs'));

  assert.equal((await h1.list(pods, { fieldSelector: 'spec.nodeName=h1' })).items.length, 1);
  await refusedWith(
    403,
    h1.list(pods, { fieldSelector: 'spec.nodeName=h2' }),
    /system:node:h1" cannot list resource "pods"/,
  );
  await refusedWith(403, h1.list(pods));
  await refusedWith(403, h1.get(pods, { namespace: 'default', name: 'other' }));
  await refusedWith(403, h1.get(secrets, { namespace: 'default', name: 'theirs' }), /no pod on node "h1" uses it/);
  assert.equal((await h1.get(secrets, { namespace: 'default', name: 'mine' })).metadata.name, 'mine');
  await refusedWith(403, h1.create(configMaps, configMap('sly', '1')));
  await refusedWith(403, h1.forGrid('system').list(tokens));
  const own = await h1.get(nodes, { name: 'h1' });
  const greedy = { ...own, spec: { ...own.spec, unschedulable: true } };
  await refusedWith(403, h1.update(nodes, greedy));
});

test('a node reads and follows the settings of its grid, and nothing else of the grid system', async () => {
  const system = nodeClient(joined.certificate, keyPem).forGrid('system');
  const own = { fieldSelector: 'metadata.name=main' };
  assert.equal((await system.get(grids, { name: 'main' })).spec?.network?.podRange, '10.80.0.0/12');
  const { items } = await system.list(grids, own);
  assert.deepEqual(
    items.map((grid) => grid.metadata.name),
    ['main'],
  );
  const seen: string[] = [];
  const informer = startInformer<Grid>({
    client: system,
    kind: grids,
    ...own,
    onChange: (_key, grid) => void seen.push(grid?.spec?.network?.overlay ?? ''),
  });
  cleanups.push(() => informer.stop());
  await informer.synced;
  const body = { spec: { network: { overlay: 'host-gw' } } };
  await admin.forGrid('system').patch(grids, { name: 'main' }, { type: 'merge', body });
  await eventually('the change', () => seen.at(-1) === 'host-gw');
  await refusedWith(403, system.list(grids));
  await refusedWith(403, system.get(grids, { name: 'other' }));
  await refusedWith(403, system.patch(grids, { name: 'main' }, { type: 'merge', body }));
  await refusedWith(403, system.list(nodes), /belongs to grid "main"/);
});

test('the leader gives the new node its range', async () => {
  assert.ok(server.isLeader());
  await eventually('podCIDRs', async () => ((await admin.get(nodes, { name: 'h1' })).spec.podCIDRs?.length ?? 0) === 1);
});

const api: AgentApi = {
  logs: async (_ref, _options, signal) =>
    (async function* () {
      yield Buffer.from('first line\n');
      if (_options.follow) await new Promise((resolve) => setTimeout(resolve, 200));
      if (!signal.aborted) yield Buffer.from('last line\n');
    })(),
  exec: async (_ref, options) => {
    const [what, argument] = options.command;
    const stdin = options.stdin ? new PassThrough() : undefined;
    return {
      stdin,
      stdout: what === 'cat' && stdin ? stdin : Readable.from([Buffer.from('out\n')]),
      stderr: Readable.from(options.tty ? [] : [Buffer.from('err\n')]),
      resize: async () => {},
      exitCode: async () => (what === 'exit' ? Number(argument) : 0),
    };
  },
  network: async () => ({ node: 'h1', notes: [], applied: { revision: 0 }, peers: [] }),
  probe: async (addresses) => Object.fromEntries(addresses.map((address) => [address, address === '10.0.0.9'])),
  attach: () => Promise.reject(new Error('not here')),
  forward: () => Promise.reject(new Error('not here')),
  lifetime: () => Promise.reject(new Error('not here')),
  metrics: () => '',
  ingress: async () => ({ node: 'h1', problems: [] }),
  accessLog: async function* () {},
};

test('liveness and tunnel of a joined node', async () => {
  const credentials = () => ({ caCertificate: joined.caCertificate, certificate: joined.certificate, key: keyPem });
  const liveness = connectLiveness({ servers: joined.servers, credentials, agentVersion: '0', log });
  const tunnel = connectTunnel({ servers: joined.servers, credentials, handler: createAgentApi(api, log), log });
  cleanups.push(
    () => liveness.stop(),
    () => tunnel.stop(),
  );
  await eventually('sessions', () => liveness.isConnected(server.url) && tunnel.isConnected(server.url));
});

for (const version of kubectlVersions) {
  test(`kubectl 1.${version}: get, logs and exec through the tunnel`, async () => {
    const user = await createKubectl(version, ['--kubeconfig', join(directory, 'one/admin.kubeconfig')]);
    cleanups.push(() => user.remove());
    const kubectl = (...args: string[]) => user.run(args);
    const list = await kubectl('get', 'pods', '-o', 'name');
    assert.equal(list.code, 0, list.stderr);
    assert.match(list.stdout, /pod\/web/);
    assert.equal((await kubectl('logs', 'web')).stdout, 'first line\nlast line\n');
    assert.equal((await kubectl('logs', '-f', 'web')).stdout, 'first line\nlast line\n');
    const fine = await kubectl('exec', 'web', '--', 'echo');
    assert.deepEqual([fine.code, fine.stdout, fine.stderr], [0, 'out\n', 'err\n']);
    const seven = await kubectl('exec', 'web', '--', 'exit', '7');
    assert.equal(seven.code, 7, seven.stderr);
    const lost = await kubectl('logs', 'other');
    assert.equal(lost.code, 1);
    assert.match(lost.stderr, /node "h2" of pod default\/other is not connected/);
  });
}

test('a restart keeps everything', async () => {
  const { adminToken, caCertificate } = server;
  const port = new URL(server.url).port;
  await server.stop();
  server = await start('one', { listen: `127.0.0.1:${port}` });
  assert.deepEqual([server.adminToken, server.caCertificate], [adminToken, caCertificate]);
  assert.equal((await admin.get(configMaps, { namespace: 'default', name: 'first' })).data?.value, '1');
});

test('a watch ends cleanly when the server stops', async () => {
  const other = await start('watched', { store: 'memory' });
  const client = adminOf(other);
  const { resourceVersion } = await client.list(configMaps);
  const ended = (async () => {
    for await (const event of client.watch(configMaps, { resourceVersion })) void event;
  })();
  await client.create(configMaps, configMap('a', '1'));
  await other.stop();
  await ended;
  client.close();
});

test('an address in use is refused with the address', async () => {
  const listen = new URL(server.url).host;
  await assert.rejects(start('taken', { listen, store: 'memory' }), {
    code: 'Unavailable',
    message: /cannot listen on 127/,
  });
});

test('two servers on one etcd: written through one, read through the other at once; the lease is handed over', async () => {
  const etcd = await startEtcd(join(directory, 'etcd'));
  const shared = { store: { etcd: [etcd.url] }, identityDirectory: join(directory, 'shared-identity') } as const;
  const a = await start('a', shared);
  await eventually('a leads', () => a.isLeader());
  const b = await start('b', shared);
  const [throughA, throughB] = [adminOf(a), adminOf(b)];
  try {
    for (let round = 0; round < 20; round++) {
      await throughA.create(configMaps, configMap(`round-${round}`, `${round}`));
      const read = await throughB.get(configMaps, { namespace: 'default', name: `round-${round}` });
      assert.equal(read.data?.value, `${round}`);
    }
    const token = await throughA.forGrid('system').create(tokens, {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Token',
      metadata: { name: 'join' },
      spec: { type: 'join', grid: 'main' },
    });
    const node = await joinCluster({ server: b.url, token: token.status?.token ?? '', nodeName: 'h1', keyPem });
    assert.deepEqual([...node.servers].sort(), [a.url, b.url].sort());
    assert.equal(b.isLeader(), false);
    await a.stop();
    await eventually('b leads', () => b.isLeader());
    const lease = await throughB
      .forGrid('system')
      .get(leases, { namespace: 'flotilla-system', name: 'flotilla-leader' });
    assert.ok(lease.spec.holderIdentity);
  } finally {
    throughA.close();
    throughB.close();
    await a.stop();
    await b.stop();
    await etcd.stop();
  }
});

async function startEtcd(dataDirectory: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = 20_000 + (process.pid % 20_000);
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
  const child = spawn(
    'etcd',
    [
      ['--data-dir', dataDirectory, '--listen-client-urls', client, '--advertise-client-urls', client],
      ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
      ['--unsafe-no-fsync', '--log-level', 'error'],
    ].flat(),
    { stdio: 'ignore' },
  );
  const isReady = async () =>
    await fetch(`${client}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
  await eventually('etcd', isReady);
  return {
    url: client,
    stop: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}
