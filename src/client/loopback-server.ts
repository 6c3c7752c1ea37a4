import type { ServerHttp2Session } from 'node:http2';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

export type Handler = (request: Http2ServerRequest, response: Http2ServerResponse, body: string) => void;

/** For tests: an HTTPS server on 127.0.0.1 with a certificate of its own. */
export interface LoopbackServer {
  readonly url: string;
  readonly certificate: string;
  readonly server: Http2SecureServer;
  readonly sessions: Set<ServerHttp2Session>;
  handler: Handler;
  close(): void;
}

export async function startLoopbackServer(): Promise<LoopbackServer> {
  const server = createSecureServer({ key, cert: certificate, allowHTTP1: true });
  const sessions = new Set<ServerHttp2Session>();
  const self: LoopbackServer = {
    url: '',
    certificate,
    server,
    sessions,
    handler: (_request, response) => void response.writeHead(500).end(),
    close: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  server.on('request', (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => self.handler(request, response, Buffer.concat(chunks).toString('utf8')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(self, { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

// Made once for 127.0.0.1, good for a hundred years, trusted by nobody but these tests.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBjjCCATSgAwIBAgIUMl8xT15ro/4MjQ7tm4AG6zOuWkwwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIbG9vcGJhY2swIBcNMjYxMTIxMDUwMDA1WhgPMjEyNjEwMjgw
NTAwMDVaMBMxETAPBgNVBAMMCGxvb3BiYWNrMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEY5iNoTc9aHQmnzSFgrbi5x+mfgOXWm4Jgj3Sh02JOjfDSXHL2wp/lybW
HRTJMBRgFTd4cKd4iPXzLWm9xk8aF6NkMGIwHQYDVR0OBBYEFJznUBRif3HYilnp
H5v2hSp6GFUsMB8GA1UdIwQYMBaAFJznUBRif3HYilnpH5v2hSp6GFUsMA8GA1Ud
EwEB/wQFMAMBAf8wDwYDVR0RBAgwBocEfwAAATAKBggqhkjOPQQDAgNIADBFAiEA
mHTlKTjx6f0HMj/DSR6OJWI8M7VZkVftnZDxIQrssDoCIAxKfgx25lE5E5d+7BN4
aS1Ej2/wg3a57V4AXs4ktKu+
-----END CERTIFICATE-----
`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgV0xSf//OErAUzi5C
luUBnW0AsMHkESuKprMuKMA/kbWhRANCAARjmI2hNz1odCafNIWCtuLnH6Z+A5da
bgmCPdKHTYk6N8NJccvbCn+XJtYdFMkwFGAVN3hwp3iI9fMtab3GTxoX
-----END PRIVATE KEY-----
`;
