import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from '../../resources/api-error.ts';
import { statusOf } from '../../tunnel/status.ts';
import type { HttpResponse } from '../request.ts';

/** Answers with a failure as Kubernetes' Status; nothing when the answer has begun already. The code that was sent. */
export function writeStatus(response: HttpResponse, thrown: unknown): number {
  const { code, body, retryAfter } = render(thrown);
  if (response.headersSent) {
    if (!response.writableEnded) response.destroy?.();
    return code;
  }
  response.statusCode = code;
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', body.byteLength);
  if (retryAfter !== undefined) response.setHeader('retry-after', String(retryAfter));
  response.end(body);
  return code;
}

/** The same on a connection that asked for an upgrade; it is closed. */
export function writeStatusToSocket(socket: Duplex, thrown: unknown, requestId: string): number {
  const { code, body } = render(thrown);
  const head = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${body.byteLength}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  socket.on('error', () => {}); // the client may be gone already
  if (socket.writable) socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
  // A client that does not read its answer must not keep the connection.
  setTimeout(() => socket.destroy(), 2_000).unref();
  return code;
}

function render(thrown: unknown): { code: number; body: Buffer; retryAfter: number | undefined } {
  const status = statusOf(thrown);
  const code = status.code ?? 500;
  // The words of a bug may hold anything; they go to the log, not to the client.
  const shown =
    code === 500 && !(thrown instanceof ApiError) ? { ...status, message: 'Internal error occurred' } : status;
  const retryAfter = thrown instanceof ApiError ? thrown.status.details?.retryAfterSeconds : undefined;
  return { code, body: Buffer.from(JSON.stringify(shown)), retryAfter };
}
