// Both ends of liveness and tunnel over real TLS connections, with a kube handler that knows one pod.
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import WebSocket from 'ws';
import { systemClock } from '../../src/lib/clock.ts';
import { FlotillaError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { Metrics } from '../../src/lib/metrics.ts';
import { newKeyPem } from '../../src/lib/x509/new-key.ts';
import type { Pod, Token } from '../../src/resources/kinds.ts';
import { createAuthenticator } from '../../src/server/auth/authenticate.ts';
import { createAuthorizer } from '../../src/server/auth/authorizer.ts';
import { type Identity, openIdentity } from '../../src/server/auth/identity.ts';
import { startNodeKeys } from '../../src/server/auth/node-keys.ts';
import { RoleIndex } from '../../src/server/auth/rbac/role-index.ts';
import { loadServerCertificate } from '../../src/server/auth/server-certificate.ts';
import { mintToken } from '../../src/server/auth/tokens.ts';
import { createAgentEndpoints } from '../../src/server/http/agent-endpoints.ts';
import { createFront } from '../../src/server/http/front.ts';
import { type Listener, startListener } from '../../src/server/http/listener.ts';
import type { PodStreams } from '../../src/server/request.ts';
import { createLivenessServer, type LivenessServer } from '../../src/server/sessions/liveness-server.ts';
import { createNodeTunnels } from '../../src/server/sessions/node-sessions.ts';
import { createPodStreams, sendNodeAnswer } from '../../src/server/sessions/pod-streams.ts';
import { acceptTunnel } from '../../src/server/sessions/tunnel-server.ts';
import { createMemoryStore } from '../../src/store/memory.ts';
import type { AgentApi, LogsOptions } from '../../src/tunnel/agent-api.ts';
import { createAgentApi } from '../../src/tunnel/agent-server.ts';
import type { NodeCredentials } from '../../src/tunnel/dial.ts';
import { joinCluster, renewCertificate } from '../../src/tunnel/join.ts';
import { connectLiveness } from '../../src/tunnel/liveness.ts';
import { connectTunnel } from '../../src/tunnel/tunnel.ts';
import { until } from './until.ts';

const clock = systemClock;
const log = silentLogger;
const webPod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { nodeName: 'h1', containers: [{ name: 'main', image: 'i' }] },
};

let directory = '';
let identity: Identity;
let listener: Listener;
const requestSockets = new Set<object>();
let liveness: LivenessServer;
let url = '';
let credentials: NodeCredentials;
const stops: (() => unknown)[] = [];
const hasNode = new Set<string>();
const joinToken = { text: '' };
const adminToken = { text: '' };
const seen: { logs?: LogsOptions; endPod: () => void; aborted: number; sizes: string[]; requestIds: string[] } = {
  endPod: () => {},
  aborted: 0,
  sizes: [],
  requestIds: [],
};

/** Answers as an agent would; `command[0]` chooses what the command does. */
const api: AgentApi = {
  logs: async (ref, options, signal) => {
    seen.logs = options;
    seen.requestIds.push(ref.requestId);
    if (ref.container !== 'main') throw new FlotillaError('NotFound', 'no such container');
    signal.addEventListener('abort', () => {
      seen.aborted += 1;
    });
    return (async function* () {
      yield Buffer.from('one\n');
      yield Buffer.from('two\n');
      if (!options.follow) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    })();
  },
  exec: async (ref, options) => {
    seen.requestIds.push(ref.requestId);
    const [what = '', ...rest] = options.command;
    if (what === 'missing') throw new FlotillaError('Invalid', 'container main is not running');
    const stdin = options.stdin ? new PassThrough() : undefined;
    const stdout =
      what === 'cat' && stdin
        ? stdin
        : Readable.from(what === 'flood' ? flood(Number(rest[0])) : [Buffer.from(rest.join(' '))]);
    const code = what === 'exit' ? Number(rest[0]) : 0;
    return {
      stdin,
      stdout: what === 'exit' ? Readable.from([]) : stdout,
      stderr: Readable.from(what === 'exit' ? [Buffer.from('bye')] : []),
      resize: async (columns, rows) => void seen.sizes.push(`${columns}x${rows}`),
      exitCode: async () => code,
    };
  },
  network: async () => ({ node: 'h1', notes: [], applied: { revision: 0 }, peers: [] }),
  probe: async (addresses) => Object.fromEntries(addresses.map((address) => [address, address === '10.0.0.9'])),
  attach: async (_ref, { stdin }) => {
    const echo = stdin ? new PassThrough() : undefined;
    return {
      stdin: echo,
      stdout: echo ?? Readable.from([]),
      stderr: Readable.from([]),
      resize: async () => {},
      exitCode: async () => 0,
    };
  },
  forward: async (_ref, port) => {
    if (port !== 80)
      throw new FlotillaError('Unavailable', `failed to connect to 10.0.0.1:${port}: connection refused`);
    return new PassThrough();
  },
  lifetime: async (_ref, signal) => ({
    ended: new Promise((resolve) => {
      seen.endPod = resolve;
      signal.addEventListener('abort', () => resolve());
    }),
  }),
  metrics: () => 'flotilla_agent_up 1\n',
  ingress: async () => ({ node: 'h1', problems: [] }),
  accessLog: async function* () {},
};

function* flood(megabytes: number) {
  for (let index = 0; index < megabytes * 16; index++) yield Buffer.alloc(65_536, index % 256);
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-tunnel-'));
  identity = await openIdentity(join(directory, 'identity'), Date.now());
  const tlsOptions = { identity, directory, serverId: 's1', hosts: [], clock, log };
  const certificate = await loadServerCertificate(tlsOptions);
  const store = createMemoryStore();
  const nodeKeys = await startNodeKeys({ store, clock, log, hasNode: async (_grid, name) => hasNode.has(name) });
  const tokens = new Map<string, Token>();
  for (const [name, type, target] of [
    ['j1', 'join', joinToken],
    ['a1', 'admin', adminToken],
  ] as const) {
    const object: Token = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Token', metadata: { name }, spec: { type } };
    const { stored, answered } = mintToken(object, identity.caHash);
    tokens.set(name, stored);
    target.text = answered.status?.token ?? '';
  }
  const tunnels = createNodeTunnels(clock);
  liveness = createLivenessServer({ serverId: 's1', servers: () => [url], clock, log });
  const streams: PodStreams = createPodStreams({ tunnels, log });
  const podOf = (path: URL): Pod =>
    path.pathname.includes('/lost') ? { ...webPod, spec: { ...webPod.spec, nodeName: 'h9' } } : webPod;
  const front = createFront({
    authenticate: createAuthenticator({
      nodeKeys,
      findToken: (id) => tokens.get(id),
      refresh: async () => {},
      serviceAccounts: { check: async () => ({ refused: 'no service account has it' }) },
      wallMs: () => clock.wallMs(),
    }),
    authorizer: createAuthorizer({
      pods: { podsOnNode: () => [], pod: () => undefined },
      roles: { of: () => new RoleIndex() },
      find: () => undefined,
    }),
    servers: () => [],
    hasGrid: (grid) => grid === 'main' || grid === 'system',
    kube: {
      handle: async (context, _request, response, path) => {
        if (path.pathname.endsWith('/log')) return await streams.logs(context, podOf(path), path, response);
        response.end(JSON.stringify({ user: context.user.name, grid: context.grid, path: path.pathname }));
      },
      upgrade: async (context, request, socket, head, path) =>
        await streams.upgrade(context, podOf(path), {
          subresource: (['attach', 'portforward'] as const).find((one) => path.pathname.endsWith(`/${one}`)) ?? 'exec',
          path,
          request,
          socket,
          head,
        }),
    },
    agents: createAgentEndpoints({
      identity,
      nodeKeys,
      hasGrid: (grid) => grid === 'main',
      servers: () => [url],
      wallMs: () => clock.wallMs(),
    }),
    acceptLiveness: liveness.accept,
    askNode: (context, question, response) => sendNodeAnswer(tunnels, context, question, response),
    acceptTunnel: (grid, nodeName, socket) => acceptTunnel({ tunnels, clock, log }, grid, nodeName, socket),
    audit: { write: () => {} },
    metrics: new Metrics(),
    log,
  });
  const chain = certificate.certificate + identity.caCertificate;
  listener = await startListener({
    host: '127.0.0.1',
    port: 0,
    tls: { key: certificate.key, chain, ca: identity.caCertificate },
    onRequest: (incoming, asked, response) => {
      requestSockets.add(incoming.socket);
      return front.onRequest(incoming, asked, response);
    },
    onUpgrade: front.onUpgrade,
    log,
  });
  url = `https://127.0.0.1:${listener.address.port}`;
  stops.push(nodeKeys.stop, tunnels.stop, liveness.stop, () => listener.stop());
});
after(async () => {
  for (const stop of stops.reverse()) await stop();
  await rm(directory, { recursive: true, force: true });
});

const eventually = (what: string, isSo: () => Promise<boolean> | boolean) => until(what, isSo, 5_000);

interface Answer {
  readonly code: number;
  readonly body: string;
}
function get(path: string, headers: Record<string, string> = {}, tls: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      new URL(path, url),
      { ca: identity.caCertificate, agent: false, headers, ...tls },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}
const metricsOf = (node: string) => `/api/v1/nodes/${node}/proxy/metrics`;
const bearer = () => ({ authorization: `Bearer ${adminToken.text}` });

test('all requests of an HTTP/2 connection come with one socket: what is known of its certificate is read once', async () => {
  requestSockets.clear();
  const session = connectHttp2(url, { ca: identity.caCertificate });
  for (let at = 0; at < 3; at += 1) {
    const stream = session.request({ ':path': '/healthz' }).resume();
    await once(stream, 'close');
  }
  session.close();
  assert.equal(requestSockets.size, 1);
});

test('a node joins with a token, is who its certificate says, and renews it', async () => {
  const keyPem = newKeyPem();
  const joined = await joinCluster({ server: url, token: joinToken.text, nodeName: 'h1', keyPem });
  assert.deepEqual([joined.nodeName, joined.grid, joined.servers], ['h1', 'main', [url]]);
  assert.equal(joined.caCertificate.trim(), identity.caCertificate.trim());
  credentials = { caCertificate: joined.caCertificate, certificate: joined.certificate, key: keyPem };
  const asked = await get('/api', {}, { cert: joined.certificate, key: keyPem });
  assert.deepEqual(JSON.parse(asked.body), { user: 'system:node:h1', grid: 'main', path: '/api' });
  const renewed = await renewCertificate(url, credentials, keyPem);
  assert.notEqual(renewed, joined.certificate);
  credentials = { ...credentials, certificate: renewed };
});

test('a joining agent refuses a server whose authority is another, and names both', async () => {
  const token = joinToken.text.replace(/[0-9a-f]{64}$/, 'ab'.repeat(32));
  await assert.rejects(
    joinCluster({ server: url, token, nodeName: 'h3', keyPem: newKeyPem() }),
    (error: FlotillaError) => {
      assert.equal(error.code, 'Unauthorized');
      assert.ok(
        error.message.includes(identity.caHash.slice(0, 12)) && error.message.includes('abababababab'),
        error.message,
      );
      return true;
    },
  );
});

test('a name that another key has is refused, also before its Node object exists', async () => {
  const asked = { server: url, token: joinToken.text, nodeName: 'h1', keyPem: newKeyPem() };
  await assert.rejects(joinCluster(asked), { code: 'Conflict' });
  hasNode.add('h1');
  await assert.rejects(joinCluster(asked), { code: 'Conflict' });
});

test('who is refused', async () => {
  const cases: [string, Record<string, string>, object, number, RegExp][] = [
    ['/api', {}, {}, 401, /no token/],
    ['/api', { authorization: 'Basic eDp5' }, {}, 401, /not \\"Bearer/],
    ['/api', { authorization: 'Bearer x' }, {}, 401, /malformed/],
    ['/api', { authorization: `Bearer fl1.a1.${'x'.repeat(32)}` }, {}, 401, /unknown or was revoked/],
    ['/api', { authorization: `Bearer ${joinToken.text}` }, {}, 403, /a join token only joins nodes/],
    ['/grids/nope/api', bearer(), {}, 404, /grids \\"nope\\" not found/],
    ['/grids/system/api', {}, { cert: credentials.certificate, key: credentials.key }, 403, /belongs to grid/],
    ['/metrics', {}, { cert: credentials.certificate, key: credentials.key }, 403, /cannot get path/],
    [metricsOf('h1'), {}, { cert: credentials.certificate, key: credentials.key }, 403, /cannot get resource/],
    [metricsOf('h1'), {}, {}, 401, /no token/],
  ];
  for (const [path, headers, tls, code, body] of cases) {
    const answer = await get(path, headers, tls);
    assert.equal(answer.code, code, `${path}: ${answer.body}`);
    assert.match(answer.body, body);
  }
  assert.equal((await get('/readyz')).code, 200);
  assert.match((await get('/metrics', bearer())).body, /flotilla_requests_in_flight 1/);
});

test('a certificate signed by another authority is refused', async () => {
  const other = await openIdentity(join(directory, 'other'), Date.now());
  const key = newKeyPem();
  const cert = other.issueNodeCertificate('main', 'h1', createPublicKey(key), Date.now());
  const answer = await get('/api', {}, { cert, key });
  assert.equal(answer.code, 401);
  assert.match(answer.body, /not of this cluster/);
});

test('a request id is taken over when it is sane, else made', async () => {
  const ask = (id: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = { ...bearer(), 'x-request-id': id };
      request(new URL('/api', url), { ca: identity.caCertificate, agent: false, headers }, (response) => {
        response.resume();
        resolve(String(response.headers['x-request-id']));
      })
        .on('error', reject)
        .end();
    });
  assert.equal(await ask('cli-42'), 'cli-42');
  assert.match(await ask('a b'), /^[0-9a-f-]{36}$/);
});

test('without a tunnel logs say which node is missing', async () => {
  const answer = await get('/api/v1/namespaces/shop/pods/lost/log', bearer());
  assert.equal(answer.code, 503);
  assert.match(answer.body, /node \\"h9\\" of pod shop\/web is not connected/);
});

test('liveness and tunnel come up; the servers known are told', async () => {
  let servers: readonly string[] = [];
  const sessions = connectLiveness({
    servers: [url],
    credentials: () => credentials,
    agentVersion: '0.1.0',
    onServers: (list) => {
      servers = list;
    },
    log,
  });
  const tunnel = connectTunnel({
    servers: [url],
    credentials: () => credentials,
    handler: createAgentApi(api, log),
    log,
  });
  stops.push(
    () => sessions.stop(),
    () => tunnel.stop(),
  );
  await eventually('both are connected', () => sessions.isConnected(url) && tunnel.isConnected(url));
  assert.deepEqual(servers, [url]);
  const first = liveness.lastHeardMs('main', 'h1') ?? 0;
  await eventually('a ping is heard', () => (liveness.lastHeardMs('main', 'h1') ?? 0) > first + 900);
});

test('the metrics of an agent are read through its tunnel', async () => {
  assert.deepEqual(await get(metricsOf('h1'), bearer()), { code: 200, body: 'flotilla_agent_up 1\n' });
  const away = await get(metricsOf('h9'), bearer());
  assert.equal(away.code, 503);
  assert.match(away.body, /node \\"h9\\" is not connected to this server/);
});

test('logs stream through, with their options; an end at the client reaches the agent', async () => {
  const path = '/api/v1/namespaces/shop/pods/web/log';
  const headers = { ...bearer(), 'x-request-id': 'cli-logs' };
  assert.deepEqual(await get(`${path}?tailLines=5&timestamps=true`, headers), { code: 200, body: 'one\ntwo\n' });
  assert.equal(seen.requestIds.at(-1), 'cli-logs');
  assert.equal(seen.logs?.tailLines, 5);
  assert.equal(seen.logs?.timestamps, true);
  assert.match((await get(`${path}?tailLines=x`, bearer())).body, /tailLines: \\"x\\" is not a whole number/);
  assert.match((await get(`${path}?container=side`, bearer())).body, /container side is not valid for pod web/);
  const before = seen.aborted;
  await new Promise<void>((resolve, reject) => {
    const outgoing = request(
      new URL(`${path}?follow=true`, url),
      { ca: identity.caCertificate, agent: false, headers: bearer() },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk;
          if (text !== 'one\ntwo\n') return;
          outgoing.destroy();
          resolve();
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
  await eventually('the agent is told', () => seen.aborted > before);
});

interface ExecResult {
  readonly out: Record<number, Buffer>;
  readonly closeCode: number;
}
function execute(
  query: string,
  options: { protocol?: string; input?: Buffer[]; slow?: boolean } = {},
): Promise<ExecResult> {
  const { protocol = 'v5.channel.k8s.io', input = [], slow = false } = options;
  const isText = protocol.includes('base64');
  return new Promise((resolve, reject) => {
    const target = `${url.replace('https', 'wss')}/api/v1/namespaces/shop/pods/web/exec?${query}&stdout=true&stderr=true`;
    const socket = new WebSocket(target, protocol, {
      ca: identity.caCertificate,
      headers: { ...bearer(), 'x-request-id': 'cli-exec' },
    });
    const parts: Record<number, Buffer[]> = {};
    socket.on('open', () => {
      for (const message of input) socket.send(message);
      if (slow) socket.pause();
      if (slow) setTimeout(() => socket.resume(), 300);
    });
    socket.on('message', (data: Buffer) => {
      const channel = isText ? data[0]! - 48 : data[0]!;
      const payload = isText ? Buffer.from(data.subarray(1).toString(), 'base64') : data.subarray(1);
      parts[channel] = [...(parts[channel] ?? []), payload];
    });
    socket.on('error', reject);
    socket.on('close', (closeCode) => {
      const out = Object.fromEntries(Object.entries(parts).map(([channel, list]) => [channel, Buffer.concat(list)]));
      resolve({ out, closeCode });
    });
  });
}

test('exec: output, exit code, resize and the end of input', async () => {
  const echo = await execute('command=echo&command=hello&command=world');
  assert.equal(echo.out[1]?.toString(), 'hello world');
  assert.deepEqual(JSON.parse(`${echo.out[3]}`).status, 'Success');
  assert.equal(echo.closeCode, 1000);

  const exit = await execute('command=exit&command=7');
  assert.equal(exit.out[2]?.toString(), 'bye');
  assert.deepEqual(JSON.parse(`${exit.out[3]}`).details, { causes: [{ reason: 'ExitCode', message: '7' }] });

  const input = [
    Buffer.from('\x00some '),
    Buffer.from('\x04{"Width":80,"Height":24}'),
    Buffer.from('\x00input'),
    Buffer.from([255, 0]),
  ];
  const cat = await execute('command=cat&stdin=true', { input });
  assert.equal(cat.out[1]?.toString(), 'some input');
  assert.deepEqual(seen.sizes, ['80x24']);

  const text = await execute('command=echo&command=hi', { protocol: 'base64.channel.k8s.io' });
  assert.equal(text.out[1]?.toString(), 'hi');
  assert.equal(seen.requestIds.at(-1), 'cli-exec');
});

test('exec: a client that reads slowly gets all of a large output', async () => {
  const flooded = await execute('command=flood&command=48', { slow: true });
  assert.equal(flooded.out[1]?.byteLength, 48 * 1_048_576);
  assert.equal(flooded.closeCode, 1000);
});

test('exec: what the agent refuses is the answer to the handshake', async () => {
  await assert.rejects(execute('command=missing'), /Unexpected server response: 400/);
  await assert.rejects(execute('x=1'), /Unexpected server response: 400/);
  const other = await get('/api/v1/namespaces/shop/pods/web/exec?command=echo', {
    ...bearer(),
    connection: 'Upgrade',
    upgrade: 'h2c',
  });
  assert.equal(other.code, 400);
  assert.match(other.body, /neither websocket nor SPDY/);
});

test('an agent of another protocol version is told why and stays away', async () => {
  const { dial } = await import('../../src/tunnel/dial.ts');
  const signal = AbortSignal.timeout(5_000);
  const socket = await dial({
    server: url,
    path: '/agent/v1/liveness',
    upgrade: 'flotilla-liveness',
    credentials,
    signal,
  });
  socket.write('{"type":"hello","protocolVersion":99,"capabilities":[],"agentVersion":"9"}\n');
  const chunks: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), {
    type: 'refused',
    reason: 'the agent speaks protocol 99, this server 1: upgrade the server',
  });
});

test('a new server certificate is used from now on; nodes are still known, on resumed TLS sessions, too', async () => {
  const key = newKeyPem();
  const hosts = ['localhost', '127.0.0.1', 'flotilla-server', 'renewed.example'];
  const own = identity.issueServerCertificate('s1', createPublicKey(key), hosts, Date.now());
  listener.setTls({ key, chain: own + identity.caCertificate, ca: identity.caCertificate });
  let session: Buffer | undefined;
  const ask = (): Promise<{ body: string; isResumed: boolean; names: string }> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const { certificate: cert, key, caCertificate: ca } = credentials;
      const socket = connect({ host: hostname, port: Number(port), cert, key, ca, ...(session ? { session } : {}) });
      let body = '';
      socket.on('session', (ticket) => {
        session = ticket;
      });
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        body += chunk;
      });
      socket.on('end', () => {
        const names = socket.getPeerX509Certificate()?.subjectAltName ?? '';
        resolve({ body, isResumed: socket.isSessionReused(), names });
      });
      socket.write('GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
  const first = await ask();
  assert.match(first.names, /renewed\.example/);
  assert.match(first.body, /system:node:h1/);
  const second = await ask();
  assert.equal(second.isResumed, true);
  assert.match(second.body, /system:node:h1/);
});

test('only nodes open sessions', async () => {
  const headers = { ...bearer(), connection: 'Upgrade', upgrade: 'flotilla-tunnel' };
  assert.equal((await get('/agent/v1/tunnel', headers)).code, 403);
});
