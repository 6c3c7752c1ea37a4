import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { FlotillaError } from '../../../lib/errors.ts';

/** Requests to an Engine API over its unix socket. Short calls share kept-alive connections, streams have their own. */
export interface EngineHttp {
  readonly address: string;
  /** A short call. Throws EngineFailed when the engine is away, silent past the deadline, or answers another status. */
  call(request: EngineRequest): Promise<EngineAnswer>;
  /** A long answer, handed out as soon as its head is there. */
  stream(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage>;
  /** A connection taken over after `101 Switching Protocols`. */
  hijack(request: EngineRequest, signal: AbortSignal): Promise<{ socket: Duplex; head: Buffer }>;
  close(): void;
}

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON; bytes as they are. */
  readonly body?: unknown;
  /** What is being done to what, for messages: `start container abc`. */
  readonly purpose: string;
  /** Default 10,000; of streams: until their head. */
  readonly timeoutMs?: number;
  /** Further statuses that are answers, besides 2xx and 304. */
  readonly accept?: readonly number[];
}

export interface EngineAnswer {
  readonly status: number;
  /** The parsed body; undefined when empty. */
  readonly body: unknown;
}

const defaultTimeoutMs = 10_000;
/** An answer beyond this is not one to a question of ours. */
const maxBodyBytes = 32 * 1024 * 1024;
const maxConnections = 32;

export function createEngineHttp(socketPath: string): EngineHttp {
  const keptAlive = new Agent({ keepAlive: true, maxSockets: maxConnections, maxFreeSockets: 4 });
  const address = `unix://${socketPath}`;

  const open = (request: EngineRequest, agent: Agent | false, headers: Record<string, string>): ClientRequest => {
    const query = request.query ? `?${new URLSearchParams(request.query)}` : '';
    const { body } = request;
    const isRaw = Buffer.isBuffer(body);
    const payload = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
    const opened = httpRequest({
      socketPath,
      path: `${request.path}${query}`,
      method: request.method,
      agent,
      headers: {
        host: 'docker',
        ...(payload === undefined ? {} : { 'content-type': isRaw ? 'application/x-tar' : 'application/json' }),
        'content-length': String(payload === undefined ? 0 : Buffer.byteLength(payload)),
        ...headers,
      },
    });
    opened.end(payload);
    return opened;
  };

  const head = (request: EngineRequest, agent: Agent | false, signal?: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const opened = open(request, agent, {});
      const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
      const timer = setTimeout(() => opened.destroy(tooSlow(address, request, timeoutMs)), timeoutMs);
      const abort = () => opened.destroy(canceled(request));
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort, { once: true });
      opened.on('response', (response) => {
        clearTimeout(timer);
        response.on('close', () => signal?.removeEventListener('abort', abort));
        resolve(response);
      });
      opened.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        // A kept connection that the engine closed meanwhile says nothing about this call.
        if (opened.reusedSocket && error.code === 'ECONNRESET') resolve(head(request, false, signal));
        else reject(asUnreachable(address, request, error));
      });
    });

  return {
    address,
    async call(request) {
      const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
      const response = await head(request, keptAlive);
      const text = await readBody(response, timeoutMs, tooSlow(address, request, timeoutMs));
      const status = response.statusCode ?? 0;
      if (isAnswer(request, status)) return { status, body: parseJson(text) };
      throw refusal(request, status, text);
    },
    async stream(request, signal) {
      const response = await head(request, false, signal);
      const status = response.statusCode ?? 0;
      if (isAnswer(request, status)) return response;
      throw refusal(request, status, await readBody(response, defaultTimeoutMs, canceled(request)));
    },
    hijack: (request, signal) =>
      new Promise((resolve, reject) => {
        const opened = open(request, false, { connection: 'Upgrade', upgrade: 'tcp' });
        const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
        const timer = setTimeout(() => opened.destroy(tooSlow(address, request, timeoutMs)), timeoutMs);
        const abort = () => opened.destroy(canceled(request));
        if (signal.aborted) abort();
        signal.addEventListener('abort', abort, { once: true });
        opened.on('upgrade', (_response, socket, firstBytes) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          resolve({ socket, head: firstBytes });
        });
        opened.on('response', (response) => {
          clearTimeout(timer);
          readBody(response, defaultTimeoutMs, canceled(request)).then(
            (text) => reject(refusal(request, response.statusCode ?? 0, text)),
            reject,
          );
        });
        opened.on('error', (error) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          reject(asUnreachable(address, request, error));
        });
      }),
    close: () => keptAlive.destroy(),
  };
}

/** What the engine said when it refused, with its status: only this folder looks at it. */
export class EngineRefusal extends FlotillaError {
  readonly status: number;
  /** The engine's own words. */
  readonly words: string;

  constructor(request: EngineRequest, status: number, words: string) {
    const code = status === 404 ? 'NotFound' : status === 409 ? 'Conflict' : 'EngineFailed';
    super(code, `cannot ${request.purpose}: ${words}`, { retryable: status >= 500 });
    this.status = status;
    this.words = words;
  }
}

function refusal(request: EngineRequest, status: number, text: string): EngineRefusal {
  const body = parseJson(text);
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : text.slice(0, 2000);
  return new EngineRefusal(request, status, String(message).trim() || `the engine answered ${status}`);
}

function isAnswer(request: EngineRequest, status: number): boolean {
  return (status >= 200 && status < 300) || status === 304 || (request.accept ?? []).includes(status);
}

function readBody(response: IncomingMessage, timeoutMs: number, timeoutError: Error): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => response.destroy(timeoutError), timeoutMs);
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > maxBodyBytes) {
        response.destroy(new FlotillaError('EngineFailed', `the engine's answer is larger than ${maxBodyBytes} bytes`));
      } else chunks.push(chunk);
    });
    response.on('end', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks, bytes).toString('utf8'));
    });
    response.on('error', (error) => {
      clearTimeout(timer);
      const lost = new FlotillaError('EngineFailed', `the engine's answer broke off: ${error.message}`, {
        retryable: true,
      });
      reject(error instanceof FlotillaError ? error : lost);
    });
  });
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function tooSlow(address: string, request: EngineRequest, timeoutMs: number): FlotillaError {
  return new FlotillaError(
    'EngineFailed',
    `cannot ${request.purpose}: no answer from the engine at ${address} within ${timeoutMs} ms`,
    { retryable: true, hint: 'Look at the log of the Docker daemon' },
  );
}

function canceled(request: EngineRequest): FlotillaError {
  return new FlotillaError('Canceled', `${request.purpose}: canceled`);
}

function asUnreachable(address: string, request: EngineRequest, error: Error): FlotillaError {
  if (error instanceof FlotillaError) return error;
  return new FlotillaError('EngineFailed', `cannot ${request.purpose}: engine at ${address}: ${error.message}`, {
    retryable: true,
    hint: 'Start the Docker daemon, or give its socket with --docker-socket',
    cause: error,
  });
}
