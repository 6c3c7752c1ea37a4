import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { toPem } from '../lib/x509/der.ts';
import type { ApiError } from '../resources/api-error.ts';
import { makeCertificateRequest } from './certificate-request.ts';
import { type NodeCredentials, readStatus } from './dial.ts';
import { type JoinRequest, type JoinResponse, joinPath, protocolVersion, renewPath } from './protocol.ts';
import { certificateHash, isSameText, serverTlsName } from './server-identity.ts';

export interface JoinOptions {
  /** `https://host:port` of any server. */
  readonly server: string;
  /** `flj1.…`, as `flotilla node token` printed it. */
  readonly token: string;
  readonly nodeName: string;
  /** P-256 private key, PEM: made once, kept, and never sent. */
  readonly keyPem: string;
}

export interface JoinedNode {
  readonly nodeName: string;
  readonly grid: string;
  /** PEM, for 90 days; renew at two thirds of it. */
  readonly certificate: string;
  readonly caCertificate: string;
  /** `https://host:port`, all servers of the cluster, the asked one among them. */
  readonly servers: readonly string[];
}

const timeoutMs = 10_000;

/**
 * Asks a server for a node certificate. The server is trusted when its authority is the one whose hash the token carries;
 * only then is the token sent. Throws FlotillaError Unauthorized (another authority, bad token), Conflict (the name belongs
 * to another key), Unavailable (retryable), or ApiError with the server's own words.
 */
export async function joinCluster(options: JoinOptions): Promise<JoinedNode> {
  const { server, token, nodeName, keyPem } = options;
  const wantedHash = /^flj1\.[^\s]+\.([0-9a-f]{64})$/.exec(token)?.[1];
  if (wantedHash === undefined) {
    throw new FlotillaError(
      'Unauthorized',
      'the join token is malformed: it starts with "flj1." and ends with 64 hex digits',
      {
        hint: 'Copy the whole token that `flotilla node token` prints',
      },
    );
  }
  const caCertificate = await fetchAuthority(server, wantedHash);
  const body: JoinRequest = { protocolVersion, nodeName, csr: makeCertificateRequest(keyPem, nodeName) };
  const answer = (await post(server, joinPath, body, { ca: caCertificate, token })) as JoinResponse;
  const servers = answer.servers.includes(server) ? answer.servers : [server, ...answer.servers];
  return { nodeName: answer.nodeName, grid: answer.grid, certificate: answer.certificate, caCertificate, servers };
}

/** A new certificate for the same node, PEM; `keyPem` may be a new key. */
export async function renewCertificate(server: string, credentials: NodeCredentials, keyPem: string): Promise<string> {
  const csr = makeCertificateRequest(keyPem, 'renewal');
  const { caCertificate: ca, certificate: cert, key } = credentials;
  const { certificate } = (await post(server, renewPath, { csr }, { ca, cert, key })) as { certificate: string };
  return certificate;
}

/** When a certificate (PEM) wants to be renewed: two thirds into its life, milliseconds since 1970. */
export function renewalDueMs(certificatePem: string): number {
  const { validFromDate, validToDate } = new X509Certificate(certificatePem);
  return validFromDate.getTime() + ((validToDate.getTime() - validFromDate.getTime()) * 2) / 3;
}

/** The authority's certificate, PEM, from the chain that the server shows. Nothing but a handshake is sent. */
function fetchAuthority(server: string, wantedHash: string): Promise<string> {
  const { hostname, port } = new URL(server);
  return new Promise((resolve, reject) => {
    const host = hostname.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(port || 443), servername: serverTlsName, rejectUnauthorized: false });
    const fail = (error: unknown) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => fail(unreachable(server, new Error(`no handshake within ${timeoutMs} ms`))));
    socket.on('error', (error) => fail(unreachable(server, error)));
    socket.on('secureConnect', () => {
      const shown = chainOf(socket.getPeerCertificate(true)).map((one) => one.raw);
      const found = shown.find((raw) => isSameText(certificateHash(raw), wantedHash));
      if (!found) return fail(wrongAuthority(server, shown.at(-1), wantedHash));
      socket.destroy();
      resolve(toPem('CERTIFICATE', found));
    });
  });
}

function chainOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  for (let next: DetailedPeerCertificate | undefined = certificate; next?.raw && chain.length < 8; ) {
    chain.push(next);
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

function wrongAuthority(server: string, shown: Buffer | undefined, wantedHash: string): FlotillaError {
  const seen = shown ? `${certificateHash(shown).slice(0, 12)}…` : 'none';
  const message = `server ${server} is not the one this token was made for: its authority is ${seen}, the token names ${wantedHash.slice(0, 12)}…`;
  return new FlotillaError('Unauthorized', message, {
    hint: 'Check the address, or make a token on that cluster with `flotilla node token`',
  });
}

interface PostTrust {
  readonly ca: string;
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

function post(server: string, path: string, body: object, { token, ...tls }: PostTrust): Promise<unknown> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, server), {
      method: 'POST',
      agent: false,
      servername: serverTlsName,
      minVersion: 'TLSv1.2',
      ...tls,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    outgoing.on('error', (error) => reject(unreachable(server, error)));
    outgoing.on('response', (response) => {
      if (response.statusCode !== 200) {
        readStatus(response).then((error) => reject(refusal(error)), reject);
        return;
      }
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => reject(unreachable(server, error)));
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
        } catch (error) {
          reject(unreachable(server, error));
        }
      });
    });
    outgoing.end(text);
  });
}

function refusal(error: ApiError): ApiError | FlotillaError {
  if (error.status.code === 401) return new FlotillaError('Unauthorized', error.message, { cause: error });
  if (error.status.code === 409) {
    return new FlotillaError('Conflict', error.message, {
      hint: 'Give this machine another name with --name, or remove the node with `flotilla node rm` first',
      cause: error,
    });
  }
  return error;
}

function unreachable(server: string, cause: unknown): FlotillaError {
  return new FlotillaError('Unavailable', `cannot reach server ${server}: ${messageOf(cause)}`, {
    retryable: true,
    cause,
    hint: 'Check the address and that port 7443 of the server is open to this machine',
  });
}
