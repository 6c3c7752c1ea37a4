import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { FlotillaError, messageOf } from '../lib/errors.ts';

export interface ClientCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface DialOptions {
  /** `https://host:port`. */
  readonly server: string;
  readonly protocol: 'h2' | 'http/1.1';
  /** PEM of the CA that the servers' certificates must come from. */
  readonly caCertificate: string;
  readonly clientCertificate?: ClientCertificate | undefined;
  /** The name that its certificate must have. Default: the host dialled, which a forwarded port or NAT changes. */
  readonly tlsName?: string | undefined;
  readonly timeoutMs: number;
}

/** A TLS connection to one server. Throws FlotillaError Unavailable, not retryable when the server is not ours. */
export function dial(options: DialOptions): Promise<TLSSocket> {
  const url = parseServer(options.server);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({
    host,
    port: Number(url.port || 443),
    ...(options.tlsName === undefined ? (isIP(host) ? {} : { servername: host }) : { servername: options.tlsName }),
    ca: options.caCertificate,
    ALPNProtocols: [options.protocol],
    minVersion: 'TLSv1.2',
    ...(options.clientCertificate
      ? { cert: options.clientCertificate.certificate, key: options.clientCertificate.key }
      : {}),
  });
  const timer = setTimeout(
    () => socket.destroy(new Error(`no connection within ${options.timeoutMs} ms`)),
    options.timeoutMs,
  );
  socket.once('secureConnect', () => {
    clearTimeout(timer);
    socket.off('error', onError);
    socket.setNoDelay(true);
    resolve(socket);
  });
  const onError = (cause: Error): void => {
    clearTimeout(timer);
    const isForeign = certificateErrors.has((cause as NodeJS.ErrnoException).code ?? '');
    reject(
      new FlotillaError('Unavailable', `server ${options.server}: ${messageOf(cause)}`, {
        retryable: !isForeign,
        cause,
        ...(isForeign
          ? { hint: 'its certificate is not from the CA of this context: see "flotilla context show"' }
          : {}),
      }),
    );
  };
  socket.once('error', onError);
  return promise;
}

const certificateErrors = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

export function parseServer(server: string): URL {
  const url = URL.parse(server);
  if (url?.protocol !== 'https:') {
    throw new FlotillaError('BadUsage', `server "${server}" is no https:// address`, {
      hint: 'write https://HOST:PORT',
    });
  }
  return url;
}
