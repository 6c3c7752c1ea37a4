import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { createGzip, constants as zlib } from 'node:zlib';
import type { HttpRequest, HttpResponse, RequestContext } from '../request.ts';

/** One request with its answer, and what all steps of handling it want to know. */
export interface Exchange {
  readonly context: RequestContext;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly path: URL;
  readonly query: URLSearchParams;
  /** Sentences for the person that asks: `Warning` headers of the answer. */
  readonly warnings: string[];
  /** Of the object that a create made: its path does not say it. */
  createdName?: string;
}

/** What is sent at once is not worth compressing below this. */
const gzipMinBytes = 128 * 1024;
/** How much is handed to the connection at a time. */
const chunkChars = 64 * 1024;

export interface Head {
  readonly code?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a value as JSON. */
export async function sendJson(exchange: Exchange, value: object, head: Head = {}): Promise<void> {
  await sendText(exchange, [JSON.stringify(value)], head);
}

/** Sends texts one after the other; large ones compressed when the client takes it, and no faster than it reads. */
export async function sendText(exchange: Exchange, parts: readonly string[], head: Head = {}): Promise<void> {
  const { request, context } = exchange;
  const response = writableOf(exchange.response);
  const chars = parts.reduce((sum, part) => sum + part.length, 0);
  const isGzip = chars >= gzipMinBytes && /\bgzip\b/.test(`${request.headers['accept-encoding'] ?? ''}`);
  writeHead(exchange, head);
  if (isGzip) {
    response.setHeader('content-encoding', 'gzip');
    response.setHeader('vary', 'Accept-Encoding');
  } else {
    response.setHeader(
      'content-length',
      parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0),
    );
  }
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  if (chars <= chunkChars) {
    response.end(parts.length === 1 ? parts[0] : parts.join(''));
    return;
  }
  const target = isGzip ? createGzip({ level: zlib.Z_BEST_SPEED }) : response;
  if (target !== response) {
    target.on('error', () => response.destroy());
    target.pipe(response);
  }
  for (const chunk of chunksOf(parts)) {
    if (!target.write(chunk)) await drained(target, context.signal, response);
    if (context.signal.aborted || response.destroyed) {
      target.destroy();
      return;
    }
  }
  target.end();
}

/** Status code and headers, warnings among them. */
export function writeHead(exchange: Exchange, head: Head): void {
  const response = writableOf(exchange.response);
  response.statusCode = head.code ?? 200;
  response.setHeader('content-type', head.contentType ?? 'application/json');
  for (const [name, value] of Object.entries(head.headers ?? {})) response.setHeader(name, value);
  if (exchange.warnings.length > 0) response.setHeader('warning', exchange.warnings.slice(0, 20).map(warningText));
}

/** RFC 9110's old form: `299 - "text"`. Header values are bytes: what is not ASCII travels as UTF-8. */
function warningText(sentence: string): string {
  const quoted = sentence.replace(/\p{Cc}+/gu, ' ').replace(/["\\]/g, '\\$&');
  return Buffer.from(`299 - "${quoted}"`, 'utf8').toString('latin1');
}

/** Both kinds of responses write alike; their types cannot be called as a union. */
export function writableOf(response: HttpResponse): ServerResponse {
  return response as ServerResponse;
}

/** A reader that takes nothing for so long is cut off: what waits for it is not kept for ever. */
const stalledMs = 60_000;

/** Resolves when more may be written, or nobody reads any more. */
export function drained(target: Writable, signal: AbortSignal, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const stalled = setTimeout(() => response.destroy(), stalledMs);
    const done = () => {
      clearTimeout(stalled);
      target.off('drain', done);
      response.off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    target.on('drain', done);
    response.on('close', done);
    signal.addEventListener('abort', done);
    if (signal.aborted || response.destroyed) done();
  });
}

function* chunksOf(parts: readonly string[]): Iterable<string> {
  let chunk = '';
  for (const part of parts) {
    chunk += part;
    if (chunk.length < chunkChars) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}
