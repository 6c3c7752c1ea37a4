import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { FlotillaError, hasCode, messageOf } from '../../../lib/errors.ts';
import type { PullProgress } from '../port.ts';
import type { DockerEngine } from './docker-engine.ts';
import { EngineRefusal } from './engine-http.ts';
import { type ImageReference, parseImageReference } from './image-reference.ts';
import { jsonLines } from './json-lines.ts';

/** A registry that sends nothing for so long is given up; the engine itself waits far longer. */
const idleTimeoutMs = 120_000;
const mirrorTimeoutMs = 3_000;

/** Pulls one image through the engine, with its progress summed over the layers. Throws ImagePullFailed. */
export async function pullImage(
  engine: DockerEngine,
  image: string,
  onProgress: (progress: PullProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const reference = parseImageReference(image);
  const idle = new AbortController();
  let timer = setTimeout(() => idle.abort(), idleTimeoutMs);
  const stillAlive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => idle.abort(), idleTimeoutMs);
  };
  try {
    const response = await engine.stream(
      {
        method: 'POST',
        path: '/images/create',
        query: { fromImage: reference.name, tag: reference.version },
        purpose: `pull image "${image}"`,
        timeoutMs: idleTimeoutMs,
      },
      AbortSignal.any([signal, idle.signal]),
    );
    const layers = new Map<string, PullProgress>();
    for await (const line of jsonLines(response)) {
      stillAlive();
      const { error, id, status, progressDetail } = line as PullLine;
      if (error !== undefined) throw new FlotillaError('ImagePullFailed', error);
      if (status !== 'Downloading' || id === undefined || !progressDetail?.total) continue;
      layers.set(id, { currentBytes: progressDetail.current ?? 0, totalBytes: progressDetail.total });
      onProgress(sum(layers.values()));
    }
  } catch (error) {
    if (signal.aborted) throw new FlotillaError('Canceled', `pull of image "${image}" canceled`, { cause: error });
    const words = idle.signal.aborted ? `nothing came for ${idleTimeoutMs / 1000} s` : wordsOf(error);
    throw await explainPullFailure(engine, image, reference, words, error);
  } finally {
    clearTimeout(timer);
  }
}

interface PullLine {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

function sum(layers: Iterable<PullProgress>): PullProgress {
  let currentBytes = 0;
  let totalBytes = 0;
  for (const layer of layers) {
    currentBytes += layer.currentBytes;
    totalBytes += layer.totalBytes;
  }
  return { currentBytes, totalBytes };
}

function wordsOf(error: unknown): string {
  if (error instanceof EngineRefusal) return error.words;
  return messageOf(error);
}

export type PullFailure = 'not-found' | 'denied' | 'unreachable';

/** What the registry's words mean; what nobody knows counts as unreachable, which is tried again. */
export function classifyPullFailure(words: string): PullFailure {
  if (/manifest unknown|manifest for .* not found|not found: manifest|repository name not known/i.test(words)) {
    return 'not-found';
  }
  if (/pull access denied|repository does not exist|name unknown|404 Not Found|no matching manifest/i.test(words)) {
    return 'not-found';
  }
  if (/invalid reference format|invalid tag format/i.test(words)) return 'not-found';
  if (/unauthorized|authentication required|no basic auth|denied/i.test(words)) return 'denied';
  return 'unreachable';
}

async function explainPullFailure(
  engine: DockerEngine,
  image: string,
  reference: ImageReference,
  words: string,
  cause: unknown,
): Promise<FlotillaError> {
  if (hasCode(cause, 'EngineFailed') && !(cause instanceof EngineRefusal)) return cause;
  const failure = classifyPullFailure(words);
  if (failure === 'denied') {
    return new FlotillaError('ImagePullFailed', `registry ${reference.registry} refuses image "${image}": ${words}`, {
      hint: `Sign the engine in with docker login ${reference.registry}, or correct the name`,
      cause,
    });
  }
  // The engine asks its mirrors first and reports only the last registry: a mirror that answers "no such image" while
  // docker.io cannot be reached is a wrong name, not a broken network.
  const mirror = reference.registry === 'docker.io' ? await mirrorWithout(engine, reference) : undefined;
  if (failure === 'not-found' || mirror !== undefined) {
    const where = mirror === undefined ? `${reference.registry}: ${words}` : `${mirror}, a mirror of docker.io`;
    return new FlotillaError('ImagePullFailed', `image "${image}" not found in registry ${where}`, {
      hint: 'Correct the name or the tag, or push the image',
      cause,
    });
  }
  return new FlotillaError(
    'ImagePullFailed',
    `cannot pull image "${image}": registry ${reference.registry} is unreachable: ${words}`,
    { retryable: true, hint: 'It is tried again; look at the network and the name of the registry', cause },
  );
}

/** A mirror of docker.io that answers and does not have the image; undefined when there is none. */
async function mirrorWithout(engine: DockerEngine, reference: ImageReference): Promise<string | undefined> {
  const info = await engine.info().catch(() => undefined);
  for (const mirror of info?.RegistryConfig?.Mirrors ?? []) {
    const url = `${mirror.replace(/\/$/, '')}/v2/${reference.repository}/manifests/${reference.version}`;
    if ((await statusOf(url)) === 404) return new URL(mirror).host;
  }
  return undefined;
}

function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    if (!URL.canParse(url)) return resolve(undefined);
    const open = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = open(url, { method: 'HEAD', timeout: mirrorTimeoutMs, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
    request.end();
  });
}
