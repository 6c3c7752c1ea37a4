import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AccessEntry } from '../../adapters/ingress/port.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { AccessLogOptions } from '../../tunnel/agent-api.ts';

export interface AccessLogFileOptions {
  readonly path: string;
  /** A larger file becomes `<path>.1`, in place of the one that was. Default 16 MiB. */
  readonly maxBytes?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Requests that were let in, a line of JSON each, on disk. Never waits, never throws: what comes faster than the disk takes it is
 * counted and dropped.
 */
export interface AccessLogFile {
  write(entry: AccessEntry): void;
  /** The newest lines, then, with `follow`, those that come, until `signal` aborts. */
  read(options: AccessLogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Lines that were dropped. */
  readonly dropped: number;
  stop(): Promise<void>;
}

const flushMs = 200;
/** In memory, of lines that are to be written, and of those that a reader has not taken. */
const maxPendingBytes = 4 << 20;
const maxTailBytes = 4 << 20;

export function openAccessLog(options: AccessLogFileOptions): AccessLogFile {
  const { path, maxBytes = 16 << 20, clock, log } = options;
  const readers = new Set<(line: string) => void>();
  let pending: string[] = [];
  let pendingBytes = 0;
  let file: FileHandle | undefined;
  let size = 0;
  let dropped = 0;
  let isFailing = false;
  let flushing: Promise<void> = Promise.resolve();
  let cancel: (() => void) | undefined;

  const flushNow = async (): Promise<void> => {
    const text = pending.join('');
    pending = [];
    pendingBytes = 0;
    if (text === '') return;
    try {
      if (file && size > maxBytes) {
        await file.close();
        file = undefined;
        await rename(path, `${path}.1`);
      }
      if (!file) {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        file = await open(path, 'a', 0o600);
        size = (await file.stat()).size;
      }
      await file.appendFile(text);
      size += Buffer.byteLength(text);
      isFailing = false;
    } catch (error) {
      dropped += text.split('\n').length - 1;
      if (!isFailing) log.warn('the access log is not written', { path, error });
      isFailing = true;
    }
  };
  const flush = (): Promise<void> => {
    flushing = flushing.then(flushNow);
    return flushing;
  };

  /** What is written by now, and what is about to be. */
  const tail = async (lines: number): Promise<string> => {
    await flush();
    const text = `${await readEnd(path, maxTailBytes)}${pending.join('')}`;
    const all = text.split('\n').filter(Boolean);
    return lines === 0
      ? ''
      : all
          .slice(-lines)
          .map((line) => `${line}\n`)
          .join('');
  };

  return {
    write(entry) {
      const { timeMs, ...rest } = entry;
      const line = `${JSON.stringify({ time: new Date(timeMs).toISOString(), ...rest })}\n`;
      for (const reader of readers) reader(line);
      if (pendingBytes > maxPendingBytes) {
        dropped++;
        return;
      }
      pending.push(line);
      pendingBytes += line.length;
      cancel ??= clock.after(flushMs, () => {
        cancel = undefined;
        void flush();
      });
    },
    async *read({ tailLines, follow }, signal) {
      const queue = new LineQueue();
      if (follow) readers.add(queue.push);
      try {
        // What comes while the file is read is in both: the queue begins anew in the moment that the rest is known.
        const text = await tail(tailLines);
        queue.clear();
        if (text !== '') yield Buffer.from(text);
        while (follow && !signal.aborted) {
          const more = await queue.take(signal);
          if (more !== '') yield Buffer.from(more);
        }
      } finally {
        readers.delete(queue.push);
      }
    },
    get dropped() {
      return dropped;
    },
    async stop() {
      cancel?.();
      await flush();
      await file?.close();
      file = undefined;
    },
  };
}

/** Lines for one reader; one that does not read loses the oldest. */
class LineQueue {
  #lines: string[] = [];
  #bytes = 0;
  #wake: () => void = () => {};

  readonly push = (line: string): void => {
    this.#lines.push(line);
    this.#bytes += line.length;
    while (this.#bytes > maxPendingBytes) this.#bytes -= this.#lines.shift()?.length ?? this.#bytes;
    this.#wake();
  };

  clear(): void {
    this.#lines = [];
    this.#bytes = 0;
  }

  /** All there are; waits for the first. */
  async take(signal: AbortSignal): Promise<string> {
    if (this.#lines.length === 0 && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
    const text = this.#lines.join('');
    this.clear();
    return text;
  }
}

async function readEnd(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - maxBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const text = buffer.toString('utf8', 0, bytesRead);
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}
