import { createGzip, constants as zlib } from 'node:zlib';
import { drained, type Exchange, sendText, writableOf, writeHead } from './exchange.ts';

export interface ItemsBody<T> {
  /** Text before the first item and after the last one; items are joined by commas. */
  readonly head: string;
  readonly tail: string;
  readonly items: readonly T[];
  readonly textOf: (item: T) => string;
}

/** How much is handed to the connection at a time. */
const chunkChars = 64 * 1024;
/** What others wait for while items are written down, at most. */
const sliceMs = 8;

/**
 * Sends a list. A short one goes out whole, with its length. A long one is written down as the client reads it, and in
 * slices between which everybody else has a turn: neither its text nor its time is ever in one piece.
 */
export async function sendItems<T>(exchange: Exchange, body: ItemsBody<T>): Promise<void> {
  const chunks = chunksOf(body);
  let sliceEndMs = performance.now() + sliceMs;
  const first = chunks.next();
  if (first.done) return;
  let next = chunks.next();
  if (next.done) return await sendText(exchange, [first.value]);

  const { request, context } = exchange;
  const response = writableOf(exchange.response);
  const isGzip = /\bgzip\b/.test(`${request.headers['accept-encoding'] ?? ''}`);
  writeHead(exchange, isGzip ? { headers: { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } } : {});
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const target = isGzip ? createGzip({ level: zlib.Z_BEST_SPEED }) : response;
  if (target !== response) {
    target.on('error', () => response.destroy());
    target.pipe(response);
  }
  for (let chunk: IteratorResult<string, undefined> = first; !chunk.done; chunk = next, next = chunks.next()) {
    if (!target.write(chunk.value)) await drained(target, context.signal, response);
    if (context.signal.aborted || response.destroyed) {
      target.destroy();
      return;
    }
    if (performance.now() < sliceEndMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    sliceEndMs = performance.now() + sliceMs;
  }
  target.end();
}

function* chunksOf<T>({ head, tail, items, textOf }: ItemsBody<T>): Generator<string, undefined> {
  let chunk = head;
  let separator = '';
  for (const item of items) {
    chunk += separator + textOf(item);
    separator = ',';
    if (chunk.length < chunkChars) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk + tail;
  return undefined;
}
