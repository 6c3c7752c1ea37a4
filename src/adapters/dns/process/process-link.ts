import { connect } from 'node:net';
import type { DnsStats } from '../port.ts';
import { controlPath } from './control-socket.ts';
import { type Command, FrameSocket, type Report } from './frames.ts';

export type Hello = Extract<Report, { type: 'hello' }>;

/** It ended, or an agent that came later is listened to. */
export class LinkClosed extends Error {
  constructor() {
    super('the DNS process closed the connection');
  }
}

const connectTimeoutMs = 2_000;
const answerTimeoutMs = 10_000;

type WithoutId<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never;

/** A connection to a DNS process that has said hello. */
export class ProcessLink {
  readonly hello: Hello;
  readonly closed: Promise<void>;
  #isClosed = false;
  readonly #frames: FrameSocket<Report, Command>;
  readonly #waiting: Map<number, PromiseWithResolvers<void>>;
  #nextId = 1;

  private constructor(
    frames: FrameSocket<Report, Command>,
    hello: Hello,
    waiting: Map<number, PromiseWithResolvers<void>>,
  ) {
    this.#frames = frames;
    this.#waiting = waiting;
    this.hello = hello;
    this.closed = frames.closed.then(() => {
      this.#isClosed = true;
      for (const one of waiting.values()) one.reject(new LinkClosed());
      waiting.clear();
    });
  }

  /** Undefined when nobody answers there: no process, or one that has just ended. */
  static async open(dataDirectory: string, onStats: (stats: DnsStats) => void): Promise<ProcessLink | undefined> {
    const waiting = new Map<number, PromiseWithResolvers<void>>();
    const greeted = Promise.withResolvers<Hello | undefined>();
    const socket = connect(controlPath(dataDirectory));
    const frames = new FrameSocket<Report, Command>(socket, (report) => {
      if (report.type === 'hello') return greeted.resolve(report);
      if (report.type === 'stats') return onStats(report.stats);
      if (report.type === 'answer') return;
      const one = waiting.get(report.id);
      waiting.delete(report.id);
      if (report.type === 'done') one?.resolve();
      else one?.reject(new Error(report.message));
    });
    void frames.closed.then(() => greeted.resolve(undefined));
    const timer = setTimeout(() => frames.destroy(), connectTimeoutMs);
    const hello = await greeted.promise;
    clearTimeout(timer);
    return hello && new ProcessLink(frames, hello, waiting);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  nextId(): number {
    return this.#nextId++;
  }

  /** Commands of which the last one is answered. */
  async send(commands: Iterable<Command>, id: number, timeoutMs = answerTimeoutMs): Promise<void> {
    if (this.#isClosed) throw new LinkClosed();
    const answered = Promise.withResolvers<void>();
    this.#waiting.set(id, answered);
    for (const command of commands) this.#frames.send(command);
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      answered.reject(new Error(`the DNS process gave no answer for ${timeoutMs} ms`));
    }, timeoutMs);
    try {
      await answered.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  ask(command: WithoutId<Command>, timeoutMs?: number): Promise<void> {
    const id = this.nextId();
    return this.send([{ ...command, id }], id, timeoutMs);
  }

  close(): void {
    this.#frames.destroy();
  }

  /** It stands still: its connection is open, so the process id is its own. */
  kill(): void {
    try {
      process.kill(this.hello.pid, 'SIGKILL');
    } catch {
      // ended meanwhile
    }
    this.close();
  }
}
