import { FlotillaError } from '../../../lib/errors.ts';

/** The newest Engine API whose answers this adapter was written against. */
export const newestApiVersion = '1.47';
/** Docker 19.03; also what Podman's compatible socket speaks. */
export const oldestApiVersion = '1.40';

export interface EngineVersion {
  readonly engine: 'docker' | 'podman';
  readonly version: string;
  /** The API version that all requests name. */
  readonly apiVersion: string;
}

/**
 * Chooses the API version from the answer to `GET /version`. Engines refuse versions above their own and, from 29 on,
 * below 1.44: the highest that both know is the only safe choice. Throws EngineTooOld.
 */
export function negotiateVersion(answer: unknown, address: string): EngineVersion {
  const { ApiVersion, MinAPIVersion, Version, Components } = readVersion(answer);
  if (compareVersions(ApiVersion, oldestApiVersion) < 0) {
    throw new FlotillaError(
      'EngineTooOld',
      `the engine at ${address} is version ${Version} with API ${ApiVersion}; API ${oldestApiVersion} or newer is needed`,
      { hint: 'Install Docker Engine 20.10 or newer' },
    );
  }
  if (MinAPIVersion !== undefined && compareVersions(MinAPIVersion, newestApiVersion) > 0) {
    throw new FlotillaError(
      'EngineFailed',
      `the engine at ${address} is version ${Version} and refuses API versions below ${MinAPIVersion}; this Flotilla speaks up to ${newestApiVersion}`,
      { hint: 'Install a newer Flotilla' },
    );
  }
  const isPodman = Components.some((component) => component.Name?.startsWith('Podman'));
  const apiVersion = compareVersions(ApiVersion, newestApiVersion) < 0 ? ApiVersion : newestApiVersion;
  return { engine: isPodman ? 'podman' : 'docker', version: Version, apiVersion };
}

/** Negative, zero or positive, by major and then minor number. */
export function compareVersions(left: string, right: string): number {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number);
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

interface VersionAnswer {
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly Version: string;
  readonly Components: readonly { readonly Name?: string }[];
}

function readVersion(answer: unknown): VersionAnswer {
  const given = (answer ?? {}) as Partial<VersionAnswer>;
  if (typeof given.ApiVersion !== 'string' || !/^\d+\.\d+$/.test(given.ApiVersion)) {
    throw new FlotillaError('EngineFailed', `GET /version has no usable ApiVersion: ${JSON.stringify(answer)}`);
  }
  return {
    ApiVersion: given.ApiVersion,
    Version: given.Version ?? 'unknown',
    Components: Array.isArray(given.Components) ? given.Components : [],
    ...(typeof given.MinAPIVersion === 'string' ? { MinAPIVersion: given.MinAPIVersion } : {}),
  };
}
