import { FlotillaError } from '../../lib/errors.ts';
import { ApiError } from '../../resources/api-error.ts';
import { nodesGroup, nodeUserPrefix } from '../../resources/names.ts';
import { parseCertificateRequest } from '../../tunnel/certificate-request.ts';
import { type JoinRequest, type JoinResponse, protocolVersion } from '../../tunnel/protocol.ts';
import type { Identity } from '../auth/identity.ts';
import { keyFingerprint, type NodeKeys } from '../auth/node-keys.ts';
import type { HttpRequest, User } from '../request.ts';

export interface AgentEndpointsOptions {
  readonly identity: Identity;
  readonly nodeKeys: NodeKeys;
  readonly hasGrid: (grid: string) => boolean;
  /** All servers' URLs, as the asking side should see them. */
  readonly servers: (request: HttpRequest) => readonly string[];
  readonly wallMs: () => number;
}

/** `POST /agent/v1/join` and `/agent/v1/renew`: an answer to send with 200, or an ApiError. */
export interface AgentEndpoints {
  join(user: User, request: HttpRequest): Promise<JoinResponse>;
  renew(user: User, request: HttpRequest): Promise<{ readonly certificate: string }>;
}

const maxBodyBytes = 65_536;
const bodyTimeoutMs = 10_000;
/** DNS-1123 label: a node's name is part of container names and DNS. */
const nodeNamePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const joinUserPrefix = 'system:join:';

export function createAgentEndpoints(options: AgentEndpointsOptions): AgentEndpoints {
  const { identity, nodeKeys } = options;
  return {
    join: async (user, request) => {
      if (!user.name.startsWith(joinUserPrefix) || user.grid === undefined) {
        throw refusal(403, 'Forbidden', 'this takes a join token: make one with `flotilla node token`');
      }
      const { grid } = user;
      const wanted = parseJoin(await readJson(request));
      if (!options.hasGrid(grid)) throw refusal(404, 'NotFound', `grids "${grid}" not found`);
      const publicKey = keyOf(wanted.csr);
      const { nodeName } = wanted;
      if (!(await nodeKeys.claim(grid, nodeName, keyFingerprint(publicKey)))) {
        throw refusal(409, 'Conflict', `node "${nodeName}" of grid "${grid}" has joined with another key`);
      }
      const certificate = identity.issueNodeCertificate(grid, nodeName, publicKey, options.wallMs());
      return { nodeName, grid, certificate, servers: options.servers(request) };
    },
    renew: async (user, request) => {
      if (!user.groups.includes(nodesGroup) || user.grid === undefined) {
        throw refusal(403, 'Forbidden', 'only a node renews its certificate');
      }
      const { csr } = await readJson(request);
      const publicKey = keyOf(csr);
      const nodeName = user.name.slice(nodeUserPrefix.length);
      await nodeKeys.replace(user.grid, nodeName, keyFingerprint(publicKey));
      return { certificate: identity.issueNodeCertificate(user.grid, nodeName, publicKey, options.wallMs()) };
    },
  };
}

function parseJoin(body: Record<string, unknown>): JoinRequest {
  const { protocolVersion: version, nodeName, csr } = body;
  if (version !== protocolVersion) {
    throw refusal(
      400,
      'BadRequest',
      `the agent speaks protocol ${version}, this server ${protocolVersion}: use the same release`,
    );
  }
  if (typeof nodeName !== 'string' || !nodeNamePattern.test(nodeName)) {
    const rule = 'at most 63 lower-case letters, digits and "-", beginning and ending with a letter or digit';
    throw refusal(422, 'Invalid', `nodeName: "${String(nodeName).slice(0, 80)}" is no node name: ${rule}`);
  }
  return { protocolVersion, nodeName, csr: typeof csr === 'string' ? csr : '' };
}

function keyOf(csr: unknown) {
  try {
    return parseCertificateRequest(typeof csr === 'string' ? csr : '');
  } catch (error) {
    throw error instanceof FlotillaError ? refusal(422, 'Invalid', error.message) : error;
  }
}

async function readJson(request: HttpRequest): Promise<Record<string, unknown>> {
  const timer = setTimeout(() => request.destroy(), bodyTimeoutMs);
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > maxBodyBytes) throw refusal(413, 'RequestEntityTooLarge', `limit is ${maxBodyBytes}`);
      chunks.push(chunk);
    }
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not an object');
    return value as Record<string, unknown>;
  } catch (error) {
    throw error instanceof SyntaxError
      ? refusal(400, 'BadRequest', `the body is no JSON object: ${error.message}`)
      : error;
  } finally {
    clearTimeout(timer);
  }
}

function refusal(code: number, reason: string, message: string): ApiError {
  return new ApiError({ code, reason, message });
}
