import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import type { Connection } from './connection.ts';

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until the answer begins, and again until it ends unless `isStream`. */
  readonly timeoutMs: number;
  /** The answer may take for ever. */
  readonly isStream?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Throws Unavailable when the connection breaks in the middle; leaving the loop early cancels the request. */
  readonly body: AsyncIterable<Buffer>;
}

/**
 * One request. Throws FlotillaError: Unavailable (retryable: nothing came back), DeadlineExceeded, or Canceled with the
 * signal's reason as its cause. Sent once more, perhaps to another server, when the first cannot have begun on it.
 */
export async function sendRequest(connection: Connection, request: HttpRequest): Promise<HttpAnswer> {
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(request);
    const session = await raceAbort(connection.session(), request);
    try {
      const headers = { ...request.headers, ...connection.headers };
      const answer = await sendOn(session, connection.server, { ...request, headers });
      connection.note(answer.headers);
      return answer;
    } catch (error) {
      const isSafe = error instanceof NotProcessed || (request.method === 'GET' && isConnectionLoss(error));
      if (attempt >= 2 || !isSafe) throw error instanceof NotProcessed ? error.failure : error;
    }
  }
}

/** The server says that it did nothing: any request may be sent again. */
class NotProcessed extends Error {
  readonly failure: FlotillaError;
  constructor(failure: FlotillaError) {
    super(failure.message);
    this.failure = failure;
  }
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof FlotillaError && error.code === 'Unavailable';
}

function sendOn(session: ClientHttp2Session, server: string, request: HttpRequest): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const what = `${request.method} ${request.path.split('?')[0]}`;
  const unavailable = (words: string, cause?: unknown): FlotillaError =>
    new FlotillaError('Unavailable', `server ${server}: ${what}: ${words}`, { retryable: true, cause });

  let stream: ClientHttp2Stream;
  try {
    const { method, path, headers } = request;
    stream = session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: request.body === undefined },
    );
  } catch (cause) {
    return Promise.reject(new NotProcessed(unavailable(messageOf(cause), cause)));
  }
  /** Why it ended, when it was us. */
  let ownReason: FlotillaError | undefined;
  const giveUp = (reason: FlotillaError): void => {
    ownReason ??= reason;
    reject(ownReason);
    if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy();
  };
  const startTimer = (): NodeJS.Timeout =>
    setTimeout(() => {
      const message = `server ${server}: ${what}: no answer within ${request.timeoutMs} ms`;
      giveUp(new FlotillaError('DeadlineExceeded', message, { retryable: true }));
    }, request.timeoutMs);
  let timer = startTimer();
  const onAbort = (): void => giveUp(canceled(request));
  request.signal?.addEventListener('abort', onAbort, { once: true });

  let streamError: Error | undefined;
  stream.on('error', (error) => {
    streamError = error;
  });
  stream.once('close', () => {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
    const failure = unavailable(streamError ? messageOf(streamError) : 'the connection was closed', streamError);
    reject(stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? new NotProcessed(failure) : failure);
  });
  stream.once('response', (headers) => {
    clearTimeout(timer);
    if (request.isStream !== true) timer = startTimer();
    resolve({ status: headers[':status'] ?? 0, headers, body: bodyOf() });
  });
  if (request.body !== undefined) stream.end(request.body);
  return promise;

  async function* bodyOf(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of stream) yield chunk as Buffer;
      // A stream that was reset can look like one that ended.
      if (ownReason) throw ownReason;
      if (streamError || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR || session.destroyed) {
        throw unavailable(streamError ? messageOf(streamError) : 'the connection was closed in the middle');
      }
    } catch (error) {
      if (ownReason) throw ownReason;
      throw error instanceof FlotillaError ? error : unavailable(messageOf(error), error);
    } finally {
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}

function throwIfAborted(request: HttpRequest): void {
  if (request.signal?.aborted) throw canceled(request);
}

async function raceAbort<T>(promise: Promise<T>, request: HttpRequest): Promise<T> {
  const { signal } = request;
  if (!signal) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(canceled(request));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** What the signal's owner said, as one of our errors. */
function canceled(request: HttpRequest): FlotillaError {
  const reason: unknown = request.signal?.reason;
  if (reason instanceof FlotillaError) return reason;
  const what = `${request.method} ${request.path.split('?')[0]}`;
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return new FlotillaError('DeadlineExceeded', `${what}: no answer in time`, { retryable: true, cause: reason });
  }
  return new FlotillaError('Canceled', `${what}: given up`, { cause: reason });
}
