import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { FlotillaError } from '../lib/errors.ts';
import { ApiError } from '../resources/api-error.ts';
import { connectTimeoutMs } from './protocol.ts';
import { serverTlsName } from './server-identity.ts';

/** What a node shows and whom it trusts; PEM. */
export interface NodeCredentials {
  readonly caCertificate: string;
  readonly certificate: string;
  readonly key: string;
}

export interface DialOptions {
  /** `https://host:port`. */
  readonly server: string;
  readonly path: string;
  readonly upgrade: string;
  readonly credentials: NodeCredentials;
  readonly signal: AbortSignal;
}

/** A server that has accepted a connection has this long to answer the upgrade. */
const answerTimeoutMs = 5_000;

/**
 * Opens one upgraded connection. Throws FlotillaError Unavailable (retryable) when the server cannot be reached in a
 * second or is no server of ours, ApiError when it refuses.
 */
export function dial(options: DialOptions): Promise<TLSSocket> {
  const { server, path, upgrade, credentials, signal } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, server), {
      agent: false,
      ca: credentials.caCertificate,
      cert: credentials.certificate,
      key: credentials.key,
      servername: serverTlsName,
      minVersion: 'TLSv1.2',
      headers: { connection: 'Upgrade', upgrade },
      signal,
    });
    const late = (what: string, ms: number) => outgoing.destroy(new Error(`${what} within ${ms} ms`));
    let timer = setTimeout(late, connectTimeoutMs, 'no connection', connectTimeoutMs);
    outgoing.on('socket', (socket) => {
      socket.once('secureConnect', () => {
        clearTimeout(timer);
        timer = setTimeout(late, answerTimeoutMs, 'no answer', answerTimeoutMs);
      });
    });
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.on('error', (cause) => {
      clearTimeout(timer);
      const message = `cannot reach server ${server}: ${cause.message}`;
      reject(new FlotillaError('Unavailable', message, { retryable: true, cause }));
    });
    outgoing.on('upgrade', (_response, socket, head) => {
      clearTimeout(timer);
      if (head.byteLength > 0) socket.unshift(head);
      resolve(socket as TLSSocket);
    });
    outgoing.on('response', (response) => {
      clearTimeout(timer);
      readStatus(response).then(reject, reject);
    });
    outgoing.end();
  });
}

/** The Status that an answer carries, as the error it is. */
export async function readStatus(response: IncomingMessage): Promise<ApiError> {
  const code = response.statusCode ?? 0;
  const fallback = { code, reason: 'Unknown', message: `HTTP ${code}` };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > 65_536) return new ApiError(fallback);
    chunks.push(chunk);
  }
  try {
    const status = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { reason?: string; message?: string };
    return new ApiError({ code, reason: status.reason ?? 'Unknown', message: status.message ?? fallback.message });
  } catch {
    return new ApiError(fallback);
  }
}
