import { extname } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import {
  type Batch,
  ByteReader,
  fromWireError,
  type Notice,
  packBytes,
  type Reply,
  type Request,
} from './sqlite-messages.ts';
import type { WorkerInput } from './sqlite-worker.ts';

/** A request without its number; values in the order of its operations. */
export type Asked = Request extends infer One ? (One extends Request ? Omit<One, 'id'> : never) : never;

export interface LinkOptions extends Omit<WorkerInput, 'port'> {
  /** Requests that wait for their reply, at most. */
  readonly maxPending: number;
  /** Bytes of values that wait, at most. */
  readonly maxPendingBytes: number;
  readonly timeoutMs: number;
  /** Called once, when the worker has ended without being asked to. */
  readonly onDead: (error: FlotillaError) => void;
}

interface Pending {
  readonly onReply: (reply: Reply, bytes: ByteReader) => void;
  readonly onError: (error: Error) => void;
  readonly bytes: number;
  readonly dueMs: number;
  /** The caller has given up; the reply still counts. */
  isLate: boolean;
}

/**
 * The main thread's end of the worker. Requests of one turn of the event loop travel together; replies are handled in the
 * order in which the worker did the work. Keeps the process alive only while somebody waits for a reply.
 */
export class SqliteLink {
  readonly #options: LinkOptions;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #pending = new Map<number, Pending>();
  #outbox: Request[] = [];
  #values: Uint8Array[] = [];
  #pendingBytes = 0;
  #nextId = 1;
  #flushing = false;
  #watchdog: NodeJS.Timeout | undefined;
  #dead: FlotillaError | undefined;
  readonly #opened = Promise.withResolvers<Extract<Notice, { notice: 'opened' }>>();

  constructor(options: LinkOptions) {
    this.#options = options;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: WorkerInput = { port: port2, file: options.file, session: options.session };
    this.#worker = new Worker(new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url), {
      name: 'sqlite-store',
      workerData,
      transferList: [port2],
      execArgv: ['--disable-warning=ExperimentalWarning'], // of node:sqlite, at first use

      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    this.#port.on('message', (message: Batch<Reply> | Notice) => this.#receive(message));
    const ended = (error: unknown) => this.#die(unavailable(`the thread of store ${options.file.path} ended`, error));
    this.#worker.on('error', ended);
    this.#worker.on('exit', () => {
      // Its last words may still lie in the port.
      for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1))
        this.#receive(last.message);
      ended(undefined);
    });
  }

  /** Rejects with what kept the file from being opened. */
  get opened(): Promise<Extract<Notice, { notice: 'opened' }>> {
    return this.#opened.promise;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** `onReply` runs in worker order, before any promise of it; throws when the queue is full or the worker is gone. */
  send(asked: Asked, values: readonly Uint8Array[], handlers: Pick<Pending, 'onReply' | 'onError'>): void {
    if (this.#dead) throw this.#dead;
    let bytes = 0;
    for (const value of values) bytes += value.byteLength;
    const { maxPending, maxPendingBytes, timeoutMs, file } = this.#options;
    if (this.#pending.size >= maxPending || (this.#pendingBytes > 0 && this.#pendingBytes + bytes > maxPendingBytes)) {
      throw new FlotillaError('StoreUnavailable', `store ${file.path} has ${this.#pending.size} requests waiting`, {
        retryable: true,
        hint: 'write less at once, or use a faster disk',
      });
    }
    const id = this.#nextId++;
    if (this.#pending.size === 0) this.#port.ref();
    this.#pending.set(id, { ...handlers, bytes, dueMs: performance.now() + timeoutMs, isLate: false });
    this.#pendingBytes += bytes;
    this.#outbox.push({ ...asked, id });
    for (const value of values) this.#values.push(value);
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
    this.#watchdog ??= setInterval(() => this.#giveUp(), Math.min(1000, timeoutMs)).unref();
  }

  async terminate(): Promise<void> {
    this.#die(new FlotillaError('StoreUnavailable', 'the store is closed'));
    clearInterval(this.#watchdog);
    this.#port.close();
    await this.#worker.terminate();
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#outbox.length === 0) return;
    const bytes = packBytes(this.#values);
    const batch: Batch<Request> = { messages: this.#outbox, bytes };
    this.#outbox = [];
    this.#values = [];
    this.#port.postMessage(batch, [bytes.buffer]);
  }

  #receive(message: Batch<Reply> | Notice): void {
    if ('notice' in message) {
      if (message.notice === 'dead') this.#die(fromWireError(message.error));
      else this.#onOpened(message);
    } else {
      this.#onReplies(message);
    }
  }

  #onOpened(notice: Extract<Notice, { notice: 'opened' }>): void {
    this.#opened.resolve(notice);
    this.#worker.unref();
    if (this.#pending.size === 0) this.#port.unref();
  }

  #onReplies(message: Batch<Reply>): void {
    const bytes = new ByteReader(message.bytes);
    for (const reply of message.messages) {
      const pending = this.#pending.get(reply.id);
      if (!pending) throw new Error(`store: reply ${reply.id} to nobody`);
      this.#pending.delete(reply.id);
      this.#pendingBytes -= pending.bytes;
      pending.onReply(reply, bytes);
    }
    if (this.#pending.size === 0) this.#port.unref();
  }

  /** A disk that hangs must not hang its callers. */
  #giveUp(): void {
    const nowMs = performance.now();
    for (const pending of this.#pending.values()) {
      if (pending.dueMs > nowMs) break; // in order of time
      if (pending.isLate) continue;
      pending.isLate = true;
      const { timeoutMs, file } = this.#options;
      pending.onError(
        new FlotillaError('StoreUnavailable', `store ${file.path} gave no answer within ${timeoutMs} ms`, {
          retryable: true,
          hint: 'check the disk; whether the change was written is unknown',
        }),
      );
    }
  }

  #die(error: FlotillaError): void {
    if (this.#dead) return;
    this.#dead = error;
    this.#opened.promise.catch(() => {});
    this.#opened.reject(error);
    for (const pending of this.#pending.values()) pending.onError(error);
    this.#pending.clear();
    this.#options.onDead(error);
  }
}

function unavailable(what: string, error: unknown): FlotillaError {
  const words = error === undefined ? '' : `: ${messageOf(error)}`;
  return new FlotillaError('StoreUnavailable', `${what}${words}`, { cause: error, hint: 'start the server again' });
}
