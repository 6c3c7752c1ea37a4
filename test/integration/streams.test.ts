// What real clients make of exec, attach and port-forward: three kubectls (SPDY, WebSocket, SPDY inside WebSocket) and client-node.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { Attach, Exec, KubeConfig, PortForward } from '@kubernetes/client-node';
import fc from 'fast-check';
import WebSocket from 'ws';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { createPodStreams } from '../../src/server/sessions/pod-streams.ts';
import { startTestApi, type TestApi } from '../../src/server/test-api.ts';
import { allKubectlVersions, type CommandResult, kubectlProgram } from './kubectl.ts';
import { type LocalAgent, startLocalAgent } from './local-agent.ts';
import { until } from './until.ts';

const pod = (name: string, nodeName: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'main', image: 'i', stdin: true, stdinOnce: true, tty: name === 'term' }] },
});

let agent: LocalAgent;
let api: TestApi;
let url = '';
const upgraded = new Set<Socket>();
const stops: (() => unknown)[] = [];

/** An API server whose pods are those of the agent; `speed`: its clock runs so many times faster. */
async function startApi(speed = 1): Promise<{ readonly api: TestApi; readonly url: string }> {
  const clock: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / speed, run) };
  const podStreams = createPodStreams({ tunnels: agent.tunnels, log: silentLogger, clock });
  const made = await startTestApi({ podStreams });
  for (const [name, node] of [
    ['web', 'h1'],
    ['term', 'h1'],
    ['lost', 'h9'],
    ['done', 'h1'],
  ] as const) {
    const answer = await made.call('POST', '/api/v1/namespaces/default/pods', { body: pod(name, node) });
    assert.equal(answer.code, 201, JSON.stringify(answer.json));
    const phase = name === 'done' ? 'Succeeded' : 'Running';
    const containerStatuses = [
      { name: 'main', ready: true, restartCount: 0, image: 'i', imageID: 'i', state: { running: {} } },
    ];
    await made.call('PATCH', `/api/v1/namespaces/default/pods/${name}/status`, {
      body: { status: { phase, containerStatuses } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  }
  const server = createHttpServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://server');
    void made.handler.handle(made.context(), request, response, path);
  });
  server.on('upgrade', (request, socket: Socket, head) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    socket.on('error', () => {});
    void made.handler.upgrade(made.context(), request, socket, head, new URL(request.url ?? '/', 'http://server'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(async () => {
    server.closeAllConnections();
    server.close();
    await made.stop();
  });
  return { api: made, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

before(async () => {
  agent = await startLocalAgent();
  ({ api, url } = await startApi());
});
after(async () => {
  for (const stop of stops) await stop();
  await agent.stop();
});

const eventually = (what: string, isSo: () => Promise<boolean> | boolean) => until(what, isSo, 20_000);

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

describe('WebSocket sessions', () => {
  const pathOf = (query: string, subresource = 'exec') => `/api/v1/namespaces/default/pods/web/${subresource}?${query}`;
  const shell = (script: string, more = '') =>
    pathOf(`command=sh&command=-c&command=${encodeURIComponent(script)}&stdout=true&stderr=true${more}`);
  const open = async (path: string, protocol?: string, server = url): Promise<WebSocket> => {
    const socket = new WebSocket(server.replace('http', 'ws') + path, protocol);
    socket.on('error', () => {});
    await once(socket, 'open');
    return socket;
  };
  /** What came on each channel until the end: what comes in one packet with the handshake, too. */
  const collect = async (path: string, protocol?: string) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path, protocol);
    socket.on('error', () => {});
    const channels: Record<number, string> = {};
    socket.on('message', (data: Buffer, isBinary) => {
      const channel = isBinary ? data[0]! : data[0]! - 48;
      const payload = isBinary ? data.subarray(1) : Buffer.from(data.subarray(1).toString(), 'base64');
      channels[channel] = (channels[channel] ?? '') + payload.toString('utf8');
    });
    const [code] = (await once(socket, 'close')) as [number];
    return { channels, code };
  };

  for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io']) {
    test(`${protocol}: outputs apart, a Status at the end`, async () => {
      const { channels, code } = await collect(shell('echo out; echo err >&2; exit 3'), protocol);
      assert.equal(code, 1000);
      assert.equal(channels[1], 'out\n');
      assert.equal(channels[2], 'err\n');
      assert.deepEqual(JSON.parse(channels[3] ?? '').details, { causes: [{ reason: 'ExitCode', message: '3' }] });
    });
  }

  for (const protocol of ['channel.k8s.io', 'base64.channel.k8s.io', undefined]) {
    test(`${protocol ?? 'no protocol'}: errors are words`, async () => {
      const { channels } = await collect(shell('exit 3'), protocol);
      assert.equal(channels[3], 'command terminated with non-zero exit code: 3');
      assert.equal((await collect(shell('echo fine'), protocol)).channels[3], undefined);
    });
  }

  test('refused before anything runs: unknown protocols, no stream, no command, a plain GET', async () => {
    const refusal = async (path: string, protocol: string): Promise<string> => {
      const socket = new WebSocket(url.replace('http', 'ws') + path, protocol);
      const [, response] = await once(socket, 'unexpected-response');
      return text(response);
    };
    const names = /unable to negotiate protocol: client supports \[v9.channel.k8s.io\], server accepts/;
    assert.match(await refusal(shell('true'), 'v9.channel.k8s.io'), names);
    assert.match(await refusal(pathOf('command=true'), 'v5.channel.k8s.io'), /at least 1 of stdin, stdout, stderr/);
    assert.match(await refusal(pathOf('stdout=true'), 'v5.channel.k8s.io'), /at least 1 command/);
    assert.match(await refusal(pathOf('ports=0', 'portforward'), 'v4.channel.k8s.io'), /invalid port/);
    const plain = await fetch(url + shell('true'));
    assert.equal(plain.status, 400);
    assert.match(await plain.text(), /Upgrade request required/);
    await nothingLeft();
  });

  test('each command is told to the audit log, also those that GET', async () => {
    api.audited.length = 0;
    await collect(shell('true'), 'v5.channel.k8s.io');
    const [{ verb, subresource, name, code } = {}] = api.audited;
    assert.deepEqual(
      { verb, subresource, name, code },
      { verb: 'create', subresource: 'exec', name: 'web', code: 101 },
    );
  });

  test('whatever a client sends, a session goes on or ends; others do not notice', async () => {
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 254, 255), fc.uint8Array({ maxLength: 20 }))
        .map(([channel, bytes]) => Buffer.from([channel, ...bytes])),
      fc.string({ maxLength: 20 }),
      fc.constantFrom('{"Width":-1,"Height":1e99}', '\x04null', '\x04{"Width":"a"}'),
    );
    const bystander = await open(pathOf('command=cat&stdin=true&stdout=true'), 'v5.channel.k8s.io');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('v5.channel.k8s.io', 'v4.channel.k8s.io', 'base64.channel.k8s.io'),
        fc.constantFrom('exec', 'attach', 'portforward'),
        fc.array(message, { maxLength: 8 }),
        async (protocol, subresource, messages) => {
          const query = subresource === 'portforward' ? 'ports=9' : 'command=cat&stdin=true&stdout=true&tty=true';
          agent.attached = { stdin: new PassThrough(), stdout: new PassThrough() };
          const socket = await open(pathOf(query, subresource), protocol);
          for (const one of messages) socket.send(one);
          socket.close();
          await once(socket, 'close');
        },
      ),
      { numRuns: 60 },
    );
    const { promise, resolve } = Promise.withResolvers<string>();
    bystander.once('message', (data: Buffer) => resolve(data.subarray(1).toString()));
    bystander.send(Buffer.from('\0still here'));
    assert.equal(await promise, 'still here');
    bystander.close();
    await nothingLeft();
  });

  test('200 sessions, half of them cut off, leave nothing behind', async () => {
    const echo = await startEcho();
    const handles = () =>
      process.getActiveResourcesInfo().filter((one) => one !== 'Timeout' && one !== 'Immediate').length;
    const round = async () => {
      const sockets = await Promise.all(
        Array.from({ length: 10 }, (_none, index) =>
          index % 2 === 0
            ? open(pathOf('command=cat&stdin=true&stdout=true'), 'v5.channel.k8s.io')
            : open(pathOf(`ports=${echo.port}`, 'portforward'), 'v4.channel.k8s.io'),
        ),
      );
      for (const [index, socket] of sockets.entries()) {
        socket.send(Buffer.from('\0hello'));
        if (index % 4 < 2) socket.terminate();
        else socket.close();
      }
      await Promise.all(sockets.map((socket) => socket.readyState === socket.CLOSED || once(socket, 'close')));
      await nothingLeft();
    };
    await round();
    const before = handles();
    for (let rounds = 0; rounds < 19; rounds++) await round();
    await eventually('as few handles as before', () => handles() <= before + 2);
    await echo.stop();
  });

  test('eighty streams of one tunnel that nobody reads hold up no other', async () => {
    const sockets = new Set<Socket>();
    const flood = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.write(Buffer.alloc(3 * 2 ** 20)); // thrice what a stream may hold unread
    }).listen(0, '127.0.0.1');
    await once(flood, 'listening');
    const { port } = flood.address() as AddressInfo;
    const session = await agent.tunnels.find('main', 'h1', new AbortController().signal);
    assert.ok(session);
    const lazy = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const headers = { ':method': 'POST', ':path': `/forward/default/web/main?port=${port}` };
        const stream = session.request(headers, { endStream: false });
        stream.on('error', () => {});
        await once(stream, 'response');
        return stream;
      }),
    );
    assert.equal((await collect(shell('echo alive'), 'v5.channel.k8s.io')).channels[1], 'alive\n');
    assert.equal(sockets.size, 80);
    for (const stream of lazy) stream.close();
    await nothingLeft();
    for (const socket of sockets) socket.destroy();
    flood.close();
    await once(flood, 'close');
  });

  test('a client whose command does not read is not left without a sign of life', async () => {
    const fast = await startApi(100);
    const socket = await open(pathOf(`command=sleep&command=2&stdin=true&stdout=true`), 'v5.channel.k8s.io', fast.url);
    let pongs = 0;
    socket.on('pong', () => {
      pongs += 1;
    });
    const megabyte = Buffer.alloc(2 ** 20);
    // More than all the buffers on the way take.
    for (let sent = 0; sent < 60; sent++) socket.send(megabyte.subarray(0, 1_000_000));
    await eventually('pongs that nobody asked for', () => pongs >= 3);
    assert.ok(socket.bufferedAmount > 10_000_000, 'the command has taken it all');
    socket.terminate();
    await nothingLeft();
  });

  test('a client that has gone without a word is let go', async () => {
    const fast = await startApi(100);
    const socket = new WebSocket(
      fast.url.replace('http', 'ws') + pathOf('command=cat&stdin=true&stdout=true'),
      'v5.channel.k8s.io',
      {
        autoPong: false,
      },
    );
    socket.on('error', () => {});
    await once(socket, 'open');
    const [code] = await once(socket, 'close');
    assert.equal(code, 1006);
    await nothingLeft();
  });
});
