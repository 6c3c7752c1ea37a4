// What real clients make of exec, attach and port-forward: three kubectls (SPDY, WebSocket, SPDY inside WebSocket) and client-node.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Attach, Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
import { silentLogger } from '../../src/lib/log.ts';
import { createPodStreams } from '../../src/server/sessions/pod-streams.ts';
import { startTestApi, type TestApi } from '../../src/server/test-api.ts';
import { allKubectlVersions, type CommandResult, kubectlProgram } from './kubectl.ts';
import { type LocalAgent, startLocalAgent } from './local-agent.ts';

const pod = (name: string, nodeName: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'main', image: 'i', stdin: true, stdinOnce: true, tty: name === 'term' }] },
});

let agent: LocalAgent;
let api: TestApi;
let server: Server;
let url = '';
const upgraded = new Set<Socket>();

before(async () => {
  agent = await startLocalAgent();
  api = await startTestApi({ podStreams: createPodStreams({ tunnels: agent.tunnels, log: silentLogger }) });
  for (const [name, node] of [
    ['web', 'h1'],
    ['term', 'h1'],
    ['lost', 'h9'],
    ['done', 'h1'],
  ] as const) {
    const made = await api.call('POST', '/api/v1/namespaces/default/pods', { body: pod(name, node) });
    assert.equal(made.code, 201, JSON.stringify(made.json));
    const phase = name === 'done' ? 'Succeeded' : 'Running';
    const containerStatuses = [
      { name: 'main', ready: true, restartCount: 0, image: 'i', imageID: 'i', state: { running: {} } },
    ];
    await api.call('PATCH', `/api/v1/namespaces/default/pods/${name}/status`, {
      body: { status: { phase, containerStatuses } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  }
  server = createHttpServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://server');
    void api.handler.handle(api.context(), request, response, path);
  });
  server.on('upgrade', (request, socket: Socket, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    socket.on('error', () => {});
    void api.handler.upgrade(api.context(), request, socket, head, new URL(request.url ?? '/', 'http://server'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await agent.stop();
  await api.stop();
});

async function eventually(what: string, ask: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (ask()) return;
    await delay(25);
  }
  throw new Error(`not in time: ${what}`);
}

/** Nothing of a session is left on either side. */
const nothingLeft = () =>
  eventually('no connection and no stream left', () => upgraded.size === 0 && agent.openStreams === 0);

/** An echo that ends when its client has ended, on a free port of its own. */
async function startEcho(): Promise<{ readonly port: number; readonly connections: number; stop(): Promise<void> }> {
  let connections = 0;
  const echo = createServer({ allowHalfOpen: true }, (socket) => {
    connections += 1;
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  return {
    port: (echo.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    stop: async () => {
      echo.close();
      await once(echo, 'close');
    },
  };
}

function sendAndReceive(port: number, payload: Buffer): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.end(payload);
  return buffer(socket);
}

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

for (const version of allKubectlVersions) {
  const environments: readonly Record<string, string>[] =
    version === '35'
      ? [{}, { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false', KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }]
      : [{}];
  for (const env of environments) {
    describe(`kubectl 1.${version}${Object.keys(env).length > 0 ? ' over SPDY' : ''}`, () => suite(version, env));
  }
}

function suite(version: (typeof allKubectlVersions)[number], env: Readonly<Record<string, string>>): void {
  let program = '';
  before(async () => {
    program = await kubectlProgram(version);
  });
  const start = (...args: string[]): ChildProcess =>
    spawn(program, [`--server=${url}`, ...args], {
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', ...env },
      stdio: 'pipe',
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
  const run = async (args: readonly string[], input?: Buffer | string): Promise<CommandResult & { bytes: Buffer }> => {
    const child = start(...args);
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    const [bytes, stderr, [code]] = await Promise.all([
      buffer(child.stdout!),
      text(child.stderr!),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    return { code: code ?? -1, bytes, stdout: bytes.toString('utf8'), stderr };
  };
  const forward = async (target: string, ports: string) => {
    const child = start('port-forward', target, ports);
    const lines = createInterface({ input: child.stdout! });
    let said = '';
    child.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    const first = (await Promise.race([
      once(lines, 'line'),
      once(child, 'close').then(() => {
        throw new Error(`kubectl ended: ${said}`);
      }),
    ])) as string[];
    const local = Number(/127\.0\.0\.1:(\d+)/.exec(first[0] ?? '')?.[1]);
    return { child, local, said: () => said };
  };

  test('exec: output, errors, exit code', async () => {
    const ended = await run(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.equal(ended.stdout, 'out\n');
    assert.match(ended.stderr, /^err\ncommand terminated with exit code 7/);
    assert.equal(ended.code, 7);
    await nothingLeft();
  });

  test('exec -i: 20 MB in and out again, and the end of input', async () => {
    const input = randomBytes(20 * 2 ** 20);
    const ended = await run(['exec', '-i', 'web', '--', 'cat'], input);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(sha(ended.bytes), sha(input));
    await nothingLeft();
  });

  test('exec: a command that does not read its input, and one that ends before', async () => {
    const input = randomBytes(8 * 2 ** 20);
    const ended = await run(['exec', '-i', 'web', '--', 'sh', '-c', 'sleep 0.3; echo done'], input);
    assert.equal(ended.stdout, 'done\n', ended.stderr);
    assert.equal(ended.code, 0);
    await nothingLeft();
  });

  test('exec: a client that is killed takes the input with it', async () => {
    const child = start('exec', '-i', 'web', '--', 'cat');
    child.stdin?.write('x');
    await once(child.stdout!, 'data');
    child.kill('SIGKILL');
    await nothingLeft();
  });

  test('exec: refusals in Kubernetes’ words', async () => {
    const cases: [readonly string[], RegExp][] = [
      [['exec', 'nobody', '--', 'true'], /pods "nobody" not found/],
      [
        ['exec', 'web', '-c', 'other', '--', 'true'],
        /container other is not valid for pod web|container "?other"? not found in pod web/,
      ],
      [['exec', 'lost', '--', 'true'], /node "h9" of pod default\/lost is not connected to this server/],
      [['exec', 'done', '--', 'true'], /cannot exec into a container in a completed pod; current phase is Succeeded/],
    ];
    for (const [args, words] of cases) {
      const ended = await run(args);
      assert.equal(ended.code, 1, args.join(' '));
      assert.match(ended.stderr, words);
    }
    await nothingLeft();
  });

  test('attach: what the container says, and what is said to it', async () => {
    agent.attached = { stdin: new PassThrough(), stdout: new PassThrough() };
    const child = start('attach', '-i', 'web');
    const out = text(child.stdout!);
    child.stdin?.write('question\n');
    await once(agent.attached.stdin, 'readable');
    assert.equal(String(agent.attached.stdin.read()), 'question\n');
    agent.attached.stdout.end('answer\n');
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.match(await out, /answer\n/);
    await nothingLeft();
  });

  test('port-forward: bytes both ways, half close, many connections at once', async () => {
    const echo = await startEcho();
    const { child, local } = await forward('pod/web', `:${echo.port}`);
    const large = randomBytes(10 * 2 ** 20);
    assert.equal(sha(await sendAndReceive(local, large)), sha(large));
    const small = Array.from({ length: 40 }, (_none, index) => Buffer.from(`number ${index}`));
    const answers = await Promise.all(small.map((payload) => sendAndReceive(local, payload)));
    assert.deepEqual(answers.map(String), small.map(String));
    assert.equal(echo.connections, 41);
    await eventually('only the session itself is open', () => agent.openStreams === 1);
    child.kill('SIGINT');
    await once(child, 'close');
    await nothingLeft();
    await echo.stop();
  });

  test('port-forward: nobody listens', async () => {
    const echo = await startEcho();
    await echo.stop();
    const { child, local, said } = await forward('pod/web', `:${echo.port}`);
    assert.equal((await sendAndReceive(local, Buffer.from('x'))).byteLength, 0);
    await eventually('the words', () => said().includes('connection refused'));
    assert.match(
      said(),
      new RegExp(
        `an error occurred forwarding ${local} -> ${echo.port}: error forwarding port ${echo.port} to pod web`,
      ),
    );
    child.kill('SIGKILL');
    await once(child, 'close');
    await nothingLeft();
  });

  test('port-forward ends with the pod', async () => {
    const echo = await startEcho();
    const { child, local, said } = await forward('pod/web', `:${echo.port}`);
    assert.equal(String(await sendAndReceive(local, Buffer.from('x'))), 'x');
    const ended = once(child, 'close');
    agent.endPod();
    const [code] = await ended;
    assert.equal(code, 1);
    assert.match(said(), /lost connection to pod/);
    await nothingLeft();
    await echo.stop();
  });
}

describe('client-node', () => {
  const config = new KubeConfig();
  before(() => {
    config.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' });
  });

  test('Exec', async () => {
    const stdout = new PassThrough();
    const out = text(stdout);
    const status = await new Promise<{ status?: string }>((resolve, reject) => {
      new Exec(config)
        .exec('default', 'web', 'main', ['sh', '-c', 'echo hello'], stdout, null, null, false, resolve)
        .catch(reject);
    });
    assert.equal(status.status, 'Success');
    assert.equal(await out, 'hello\n');
    await nothingLeft();
  });

  test('Attach', async () => {
    agent.attached = { stdin: new PassThrough(), stdout: new PassThrough() };
    const stdout = new PassThrough();
    const stdin = new PassThrough();
    const socket = await new Attach(config).attach('default', 'web', 'main', stdout, null, stdin, false);
    stdin.write('in');
    await once(agent.attached.stdin, 'readable');
    assert.equal(String(agent.attached.stdin.read()), 'in');
    agent.attached.stdout.end('out');
    const [chunk] = await once(stdout, 'data');
    assert.equal(String(chunk), 'out');
    if (socket.readyState !== 3) await new Promise((resolve) => socket.addEventListener('close', resolve));
    await nothingLeft();
  });

  test('PortForward', async () => {
    const echo = await startEcho();
    const output = new PassThrough();
    const errors = new PassThrough();
    const input = new PassThrough();
    const socket = await new PortForward(config).portForward('default', 'web', [echo.port], output, errors, input);
    input.write('there and back');
    const [chunk] = await once(output, 'data');
    assert.equal(String(chunk), 'there and back');
    assert.equal(typeof socket, 'object');
    if (typeof socket === 'object' && 'close' in socket) (socket as { close(): void }).close();
    await nothingLeft();
    await echo.stop();
  });

  test('PortForward: nobody listens', async () => {
    const echo = await startEcho();
    await echo.stop();
    const errors = new PassThrough();
    await new PortForward(config).portForward(
      'default',
      'web',
      [echo.port],
      new PassThrough(),
      errors,
      new PassThrough(),
    );
    const [chunk] = await once(errors, 'data');
    assert.match(String(chunk), /connection refused/);
    await nothingLeft();
  });
});
