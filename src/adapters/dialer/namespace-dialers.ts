import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlotillaError } from '../../lib/errors.ts';
import type { DialAnswer, DialQuestion } from './namespace-process.ts';

/** Connects from inside network namespaces of containers. */
export interface NamespaceDialers {
  /** Rejects with the code of the last try, or when no process can be started there. */
  dial(target: { containerId: string; pid: number; port: number }, signal: AbortSignal): Promise<Socket>;
  stop(): void;
}

/** A process is kept for the next connections of the same pod, so long after the last one. */
const idleMs = 30_000;
const answerTimeoutMs = 10_000;
const maxProcesses = 16;
const script = fileURLToPath(new URL(`./namespace-process${extname(import.meta.url)}`, import.meta.url));

/**
 * Node cannot enter a namespace: a small process of ours is started in it by `nsenter(1)`, connects there, and hands the open socket over.
 * The bytes do not pass through it.
 */
export function createNamespaceDialers(): NamespaceDialers {
  const helpers = new Map<string, Helper>();
  return {
    dial: ({ containerId, pid, port }, signal) => {
      let helper = helpers.get(containerId);
      if (!helper) {
        if (helpers.size >= maxProcesses)
          throw new FlotillaError('Unavailable', 'too many pods are dialled from inside');
        const made = new Helper(pid, () => {
          if (helpers.get(containerId) === made) helpers.delete(containerId);
        });
        helper = made;
        helpers.set(containerId, helper);
      }
      return helper.dial(port, signal);
    },
    stop: () => {
      for (const helper of helpers.values()) helper.end();
    },
  };
}

interface Waiting {
  resolve(socket: Socket): void;
  reject(error: Error): void;
}

class Helper {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #idle: NodeJS.Timeout | undefined;
  #words = '';

  constructor(pid: number, onEnd: () => void) {
    const argv = [`--net=/proc/${pid}/ns/net`, '--', process.execPath, '--disable-warning=ExperimentalWarning', script];
    this.#child = spawn('nsenter', argv, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { LC_ALL: 'C' } });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-500);
    });
    const gone = (why: string) => {
      onEnd();
      clearTimeout(this.#idle);
      const said = this.#words.trim().split('\n').at(-1);
      const error = new FlotillaError('HostToolFailed', `nsenter: ${said || why}`);
      for (const one of this.#waiting.values()) one.reject(error);
      this.#waiting.clear();
    };
    this.#child.on('error', (error) => gone(error.message));
    this.#child.on('close', (code) => gone(`ended with ${code}`));
    this.#child.on('message', (answer: DialAnswer, handle: unknown) => this.#take(answer, handle));
  }

  dial(port: number, signal: AbortSignal): Promise<Socket> {
    const id = this.#nextId++;
    clearTimeout(this.#idle);
    return new Promise<Socket>((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) this.#idle = setTimeout(() => this.end(), idleMs).unref();
      };
      const fail = (error: Error) => {
        settle();
        reject(error);
      };
      const abort = () => fail(new Error('given up'));
      const timer = setTimeout(() => fail(new Error('no answer')), answerTimeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.set(id, {
        resolve: (socket) => {
          settle();
          resolve(socket);
        },
        reject: fail,
      });
      // When it has ended already, its end says why.
      this.#child.send({ id, port } satisfies DialQuestion, () => {});
    });
  }

  end(): void {
    clearTimeout(this.#idle);
    this.#child.kill('SIGKILL');
  }

  #take(answer: DialAnswer, handle: unknown): void {
    const waiting = this.#waiting.get(answer.id);
    const socket = handle instanceof Socket ? handle : undefined;
    if (socket) socket.allowHalfOpen = true; // a socket that was handed over has forgotten it
    if (waiting && socket) waiting.resolve(socket);
    else if (waiting) waiting.reject(Object.assign(new Error(answer.error ?? 'no socket came'), { code: answer.code }));
    else socket?.destroy();
  }
}
