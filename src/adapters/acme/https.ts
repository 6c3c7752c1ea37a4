import { request as httpsRequest } from 'node:https';
import { rootCertificates } from 'node:tls';
import { messageOf } from '../../lib/errors.ts';
import { AcmeFailed } from './port.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  header(name: string): string | undefined;
}

export interface HttpCall {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  /** Sent as application/jose+json. */
  readonly body?: string;
  readonly accept?: string;
}

export type SendHttp = (call: HttpCall, signal: AbortSignal) => Promise<HttpAnswer>;

/** Of a whole call; a server that answers slower is as good as down. */
const defaultDeadlineMs = 20_000;
/** A chain of certificates is some kilobytes long. */
const maxBodyBytes = 1_048_576;

/** HTTPS as ACME needs it: no redirects, one connection a call, bounded in time and size. Throws AcmeFailed. */
export function createSend(caCertificate: string | undefined, deadlineMs = defaultDeadlineMs): SendHttp {
  const trust = caCertificate === undefined ? {} : { ca: [caCertificate, ...rootCertificates] };
  return async ({ method, url, body, accept }, signal) => {
    const host = parseUrl(url);
    const deadline = AbortSignal.timeout(deadlineMs);
    try {
      return await new Promise<HttpAnswer>((resolve, reject) => {
        const request = httpsRequest(
          host,
          {
            ...trust,
            method,
            agent: false,
            signal: AbortSignal.any([signal, deadline]),
            headers: {
              'user-agent': 'flotilla',
              ...(accept === undefined ? {} : { accept }),
              ...(body === undefined
                ? {}
                : { 'content-type': 'application/jose+json', 'content-length': Buffer.byteLength(body) }),
            },
          },
          (response) => {
            const parts: Buffer[] = [];
            let bytes = 0;
            response.on('data', (part: Buffer) => {
              bytes += part.byteLength;
              if (bytes > maxBodyBytes) request.destroy(new Error(`its answer is longer than ${maxBodyBytes} bytes`));
              else parts.push(part);
            });
            response.on('error', reject);
            response.on('end', () => {
              resolve({
                status: response.statusCode ?? 0,
                body: Buffer.concat(parts).toString('utf8'),
                header: (name) => [response.headers[name]].flat()[0],
              });
            });
          },
        );
        request.on('error', reject);
        request.end(body);
      });
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      const why = deadline.aborted ? `no answer within ${deadlineMs / 1000} s` : messageOf(cause);
      throw new AcmeFailed(`cannot reach the ACME server ${host.host}: ${why}`, { type: 'unreachable', cause });
    }
  };
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'https:')
    throw new AcmeFailed(`the ACME server named the address "${url}", which is not https`);
  return parsed;
}
