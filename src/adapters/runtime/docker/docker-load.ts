import { FlotillaError } from '../../../lib/errors.ts';
import type { DockerEngine } from './docker-engine.ts';
import { jsonLines } from './json-lines.ts';

const timeoutMs = 30_000;

/** Hands an archive of an image to the engine; what it answers is a stream, and an error in it comes after status 200. */
export async function loadImage(engine: DockerEngine, image: string, archive: Buffer): Promise<void> {
  const purpose = `load image "${image}"`;
  const response = await engine.stream(
    { method: 'POST', path: '/images/load', query: { quiet: '1' }, body: archive, purpose, timeoutMs },
    AbortSignal.timeout(timeoutMs),
  );
  for await (const line of jsonLines(response)) {
    const { error } = line as { readonly error?: string };
    if (error !== undefined) throw new FlotillaError('EngineFailed', `cannot ${purpose}: ${error}`);
  }
}
