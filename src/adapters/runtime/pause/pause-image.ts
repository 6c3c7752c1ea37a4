import { createHash } from 'node:crypto';
import { FlotillaError } from '../../../lib/errors.ts';
import { pauseImage } from '../port.ts';
import { type PauseArchitecture, renderPauseProgram } from './pause-program.ts';
import { renderTar } from './tar.ts';

/** As `docker save` writes it, for `docker load`: made on the node, so that no registry is needed. Some 6 KB. */
export function renderPauseImage(architecture: PauseArchitecture): Buffer {
  const layer = renderTar([{ path: 'pause', mode: 0o755, data: renderPauseProgram(architecture) }]);
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: { Entrypoint: ['/pause'], User: '65535:65535' },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
      history: [{ created: '1970-01-01T00:00:00Z', created_by: 'flotilla' }],
    }),
  );
  const configPath = `${sha256(config)}.json`;
  const manifest = [{ Config: configPath, RepoTags: [pauseImage], Layers: ['layer.tar'] }];
  return renderTar([
    { path: configPath, mode: 0o644, data: config },
    { path: 'layer.tar', mode: 0o644, data: layer },
    { path: 'manifest.json', mode: 0o644, data: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

/** In the engine's word: `x86_64`, `aarch64`, with others `amd64`, `arm64`. Throws Unavailable for others. */
export function pauseArchitecture(word: string): PauseArchitecture {
  if (['x86_64', 'amd64'].includes(word)) return 'amd64';
  if (['aarch64', 'arm64'].includes(word)) return 'arm64';
  throw new FlotillaError('Unavailable', `no pause program is built in for architecture "${word}"`, {
    hint: 'Pods of one container run there; several need a node of amd64 or arm64',
  });
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
