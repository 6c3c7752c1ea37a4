import { appendFileSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { AuditRecord, AuditSink } from './request.ts';

export interface AuditLogOptions {
  /** JSON lines, mode 0600. Rotated files are `<file>.1` (newest) to `<file>.<keep>`. */
  readonly file: string;
  /** Default 64 MiB. */
  readonly rotateBytes?: number;
  /** Rotated files kept. Default 4. */
  readonly keep?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface AuditLog extends AuditSink {
  /** Resolves when everything is in the file. */
  stop(): Promise<void>;
}

/** So long the file stays open: opening it for every few lines costs more than writing them, and somebody may move it away. */
const openMs = 1_000;

/** Lines of so long are written together: under load a write for each costs more than the lines themselves. */
const gatherMs = 5;

/** What may wait for the disk. Beyond it the server waits, too: no record is ever dropped. */
const maxQueuedBytes = 4_194_304;

export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { file, rotateBytes = 67_108_864, keep = 4, clock, log } = options;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  let fileBytes = await sizeOf(file);
  let queue: string[] = [];
  let queuedBytes = 0;
  let flushing: Promise<void> | undefined;
  let opened: { readonly handle: FileHandle; readonly untilMs: number } | undefined;

  const close = async () => {
    const { handle } = opened ?? {};
    opened = undefined;
    await handle?.close();
  };
  const append = async (text: string) => {
    if (opened && clock.monotonicMs() >= opened.untilMs) await close();
    opened ??= { handle: await open(file, 'a', 0o600), untilMs: clock.monotonicMs() + openMs };
    let bytes = Buffer.from(text);
    while (bytes.length > 0) bytes = bytes.subarray((await opened.handle.write(bytes)).bytesWritten);
  };

  const take = (): string => {
    const text = queue.join('');
    queue = [];
    queuedBytes = 0;
    fileBytes += Buffer.byteLength(text);
    return text;
  };
  const flush = async () => {
    try {
      if (fileBytes >= rotateBytes) {
        await close();
        await rotate(file, keep);
        fileBytes = 0;
      }
      await append(take());
    } catch (error) {
      log.error('cannot write the audit log', { file, error });
      await close().catch(() => {}); // the next line opens it anew
    }
  };
  let gathering: NodeJS.Timeout | undefined;
  const start = () => {
    gathering ??= setTimeout(flushNow, gatherMs);
  };
  const flushNow = () => {
    clearTimeout(gathering);
    gathering = undefined;
    flushing ??= flush().finally(() => {
      flushing = undefined;
      if (queue.length > 0) start();
    });
  };

  return {
    write: (record: AuditRecord) => {
      const line = `${JSON.stringify({ time: new Date(clock.wallMs()).toISOString(), ...record })}\n`;
      queue.push(line);
      queuedBytes += line.length;
      if (queuedBytes < maxQueuedBytes) return start();
      try {
        appendFileSync(file, take(), { mode: 0o600 });
      } catch (error) {
        log.error('cannot write the audit log', { file, error });
      }
    },
    stop: async () => {
      while (flushing || queue.length > 0) {
        flushNow();
        await flushing;
      }
      clearTimeout(gathering);
      await close();
    },
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}

async function rotate(file: string, keep: number): Promise<void> {
  for (let index = keep - 1; index >= 0; index--) {
    const from = index === 0 ? file : `${file}.${index}`;
    await rename(from, `${file}.${index + 1}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}
