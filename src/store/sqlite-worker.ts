// The thread that owns the file: takes requests in the order in which they come, as many as wait in one transaction.
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { isDiskFull, openSqliteFile, type SqliteFileOptions, storeError } from './sqlite-file.ts';
import {
  type Batch,
  ByteReader,
  type Notice,
  packBytes,
  type Reply,
  type Request,
  toWireError,
} from './sqlite-messages.ts';
import { failedReply, type SessionOptions, SqliteSession } from './sqlite-session.ts';

export interface WorkerInput {
  readonly port: MessagePort;
  readonly file: SqliteFileOptions;
  readonly session: SessionOptions;
}

/** Requests in one transaction: bounds the wait of the first by the work of the last. */
const maxRequests = 2048;

const { port, file, session: sessionOptions }: WorkerInput = workerData;

function main(): void {
  const db = openSqliteFile(file);
  const session = new SqliteSession(db, sessionOptions);
  let isCompactionDue = false;
  post({ notice: 'opened', revision: session.log.revision, ttls: session.log.ttls() });

  port.on('message', (first: Batch<Request>) => {
    try {
      for (let batches: Batch<Request>[] | undefined = drain(first); batches; batches = next()) runBatches(batches);
      scheduleCompaction();
    } catch (error) {
      die(error);
    }
  });

  function runBatches(batches: readonly Batch<Request>[]): void {
    const requests = batches.flatMap((batch) => batch.messages);
    const bytes = batches.length === 1 ? batches[0]?.bytes : packBytes(batches.map((batch) => batch.bytes));
    try {
      const { replies, values } = session.run(requests, new ByteReader(bytes ?? new Uint8Array()));
      answer(replies, values);
    } catch (error) {
      const known = storeError(error, file.path);
      answer(
        requests.map((request) => failedReply(request, known)),
        [],
      );
      if (!isDiskFull(error)) throw error;
    }
    if (requests.some((request) => request.type === 'close')) {
      db.close();
      port.close();
    }
  }

  function scheduleCompaction(): void {
    if (isCompactionDue || !session.isCompacting) return;
    isCompactionDue = true;
    setImmediate(compact);
  }

  function compact(): void {
    isCompactionDue = false;
    try {
      if (!db.isOpen) return;
      session.compactMore();
      scheduleCompaction();
    } catch (error) {
      if (!isDiskFull(error)) die(error);
    }
  }

  /** After an I/O error nobody knows what the disk holds: stop, and let the next start read it anew. */
  function die(error: unknown): void {
    post({ notice: 'dead', error: toWireError(storeError(error, file.path)) });
    port.close();
  }
}

/** All batches that wait, up to the bound. */
function drain(first: Batch<Request>): Batch<Request>[] {
  const batches = [first];
  for (let count = first.messages.length; count < maxRequests; ) {
    const more: { message: Batch<Request> } | undefined = receiveMessageOnPort(port);
    if (!more) break;
    batches.push(more.message);
    count += more.message.messages.length;
  }
  return batches;
}

function next(): Batch<Request>[] | undefined {
  const more: { message: Batch<Request> } | undefined = receiveMessageOnPort(port);
  return more && drain(more.message);
}

function answer(messages: readonly Reply[], values: readonly Uint8Array[]): void {
  const bytes = packBytes(values);
  const batch: Batch<Reply> = { messages, bytes };
  port.postMessage(batch, [bytes.buffer]);
}

function post(notice: Notice): void {
  port.postMessage(notice);
}

try {
  main();
} catch (error) {
  post({ notice: 'dead', error: toWireError(storeError(error, file.path)) });
  port.close();
}
