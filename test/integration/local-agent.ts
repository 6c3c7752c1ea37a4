// An agent whose one pod is this machine: commands are processes here, its ports are ports here. Asked through a real tunnel.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, performServerHandshake } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { FlotillaError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { NodeTunnels } from '../../src/server/sessions/node-sessions.ts';
import type { AgentApi, ExecSession } from '../../src/tunnel/agent-api.ts';
import { createAgentApi } from '../../src/tunnel/agent-server.ts';
import { tunnelSessionOptions } from '../../src/tunnel/tunnel.ts';

export interface LocalAgent {
  readonly tunnels: NodeTunnels;
  /** Streams from the server that are open. */
  readonly openStreams: number;
  readonly sizes: string[];
  /** What `attach` gives, once; then it has ended. */
  attached: { readonly stdin: PassThrough; readonly stdout: PassThrough };
  endPod(): void;
  stop(): Promise<void>;
}

export async function startLocalAgent(): Promise<LocalAgent> {
  const ends = new Set<() => void>();
  const state = {
    openStreams: 0,
    sizes: [] as string[],
    attached: { stdin: new PassThrough(), stdout: new PassThrough() },
  };
  const api: AgentApi = {
    logs: async () => (async function* () {})(),
    exec: async (_ref, { command, stdin }, signal) => run(command, stdin, signal, state.sizes),
    attach: async (_ref, { stdin }) => ({
      stdin: stdin ? state.attached.stdin : undefined,
      stdout: state.attached.stdout,
      stderr: ended(),
      resize: async (columns, rows) => void state.sizes.push(`${columns}x${rows}`),
      exitCode: async () => 0,
    }),
    forward: async (_ref, port) => {
      const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
      try {
        await once(socket, 'connect');
      } catch (cause) {
        throw new FlotillaError('Unavailable', `failed to connect to 127.0.0.1:${port}: connection refused`, { cause });
      }
      return socket;
    },
    lifetime: async (_ref, signal) => ({
      ended: new Promise((resolve) => {
        const end = () => {
          ends.delete(end);
          resolve();
        };
        ends.add(end);
        signal.addEventListener('abort', end);
      }),
    }),
    network: async () => ({ node: 'h1', notes: [], applied: { revision: 0 }, peers: [] }),
    probe: async () => ({}),
    metrics: () => '',
    ingress: async () => ({ node: 'h1', problems: [] }),
    accessLog: async function* () {},
  };
  const answer = createAgentApi(api, silentLogger);
  const listener = createServer((socket) => {
    performServerHandshake(socket, tunnelSessionOptions).on('stream', (stream, headers) => {
      state.openStreams += 1;
      stream.once('close', () => {
        state.openStreams -= 1;
      });
      answer(stream, headers);
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket: Socket = connectTcp((listener.address() as AddressInfo).port, '127.0.0.1');
  const session = connect('http://agent', { ...tunnelSessionOptions, createConnection: () => socket });
  await once(session, 'connect');
  return {
    tunnels: {
      add: () => {},
      drop: () => {},
      find: async (_grid, nodeName) => (nodeName === 'h1' ? session : undefined),
      size: 1,
      stop: () => {},
    },
    get openStreams() {
      return state.openStreams;
    },
    sizes: state.sizes,
    get attached() {
      return state.attached;
    },
    set attached(streams) {
      state.attached = streams;
    },
    endPod: () => {
      for (const end of ends) end();
    },
    stop: async () => {
      session.destroy();
      socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

function run(command: readonly string[], withInput: boolean, signal: AbortSignal, sizes: string[]): ExecSession {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: [withInput ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'close').then(([code]) => Number(code ?? 137));
  signal.addEventListener('abort', () => child.stdin?.destroy());
  return {
    stdin: child.stdin ?? undefined,
    stdout: child.stdout ?? ended(),
    stderr: child.stderr ?? ended(),
    resize: async (columns, rows) => void sizes.push(`${columns}x${rows}`),
    exitCode: () => exit,
  };
}

function ended(): PassThrough {
  const nothing = new PassThrough();
  nothing.end();
  return nothing;
}
