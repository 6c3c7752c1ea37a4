import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createEngineHttp, type EngineAnswer, type EngineRequest } from './engine-http.ts';
import { type EngineVersion, negotiateVersion } from './engine-version.ts';

/** Requests below the negotiated API version; forgets the version when the engine was away (it may be a newer one then). */
export interface DockerEngine {
  version(): Promise<EngineVersion>;
  info(): Promise<InfoAnswer>;
  call(request: EngineRequest): Promise<EngineAnswer>;
  stream(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage>;
  hijack(request: EngineRequest, signal: AbortSignal): Promise<{ socket: Duplex; head: Buffer }>;
  forgetVersion(): void;
}

/** The part of `GET /info` that is read. */
export interface InfoAnswer {
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly OperatingSystem: string;
  readonly KernelVersion: string;
  readonly Architecture: string;
  readonly LiveRestoreEnabled?: boolean;
  readonly DockerRootDir?: string;
  readonly RegistryConfig?: { readonly Mirrors?: readonly string[] | null } | null;
}

export function createDockerEngine(socketPath: string): DockerEngine {
  const http = createEngineHttp(socketPath);
  let negotiated: Promise<EngineVersion> | undefined;

  const version = (): Promise<EngineVersion> => {
    if (!negotiated) {
      const asked = http
        .call({ method: 'GET', path: '/version', purpose: 'ask the engine for its version', timeoutMs: 5_000 })
        .then((answer) => negotiateVersion(answer.body, http.address));
      asked.catch(() => {
        if (negotiated === asked) negotiated = undefined;
      });
      negotiated = asked;
    }
    return negotiated;
  };
  const versioned = async (request: EngineRequest): Promise<EngineRequest> => {
    const { apiVersion } = await version();
    return { ...request, path: `/v${apiVersion}${request.path}` };
  };

  return {
    version,
    info: async () => {
      const request = await versioned({ method: 'GET', path: '/info', purpose: 'ask the engine about its host' });
      return (await http.call(request)).body as InfoAnswer;
    },
    call: async (request) => http.call(await versioned(request)),
    stream: async (request, signal) => http.stream(await versioned(request), signal),
    hijack: async (request, signal) => http.hijack(await versioned(request), signal),
    forgetVersion: () => {
      negotiated = undefined;
    },
  };
}
