// Makes the images that the lab's registry serves under their usual names, and puts them into its storage. What has not
// changed since the last run is not made again.   node scripts/images/build.ts [--storage DIR] [--cache DIR]
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Recipe, recipes } from './recipes.ts';
import { manifestType, type Registry, withRegistry } from './registry.ts';
import { makeRootFs, recipeInputs } from './root-fs.ts';

const { values } = parseArgs({
  options: {
    storage: { type: 'string', default: '/var/lib/flotilla-lab/registry' },
    cache: { type: 'string', default: '/var/cache/flotilla/images' },
  },
});
mkdirSync(values.storage, { recursive: true });
mkdirSync(values.cache, { recursive: true });

await withRegistry(values.storage, async (registry) => {
  for (const recipe of recipes(process.execPath)) await provide(recipe, registry);
});

async function provide(recipe: Recipe, registry: Registry): Promise<void> {
  const startedMs = performance.now();
  const key = createHash('sha256')
    .update(recipeInputs(recipe, import.meta.dirname))
    .digest('hex')
    .slice(0, 16);
  const name = `library/${recipe.name}`;
  const layer = join(values.cache, `${recipe.name}-${key}.tar`);
  const isNew = !existsSync(layer);
  if (isNew) {
    makeRootFs(recipe, import.meta.dirname, `${layer}.new`);
    renameSync(`${layer}.new`, layer);
    removeOlder(recipe.name, layer);
  }
  const digest = await digestOf(layer);
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z', // the same recipe gives the same image
      config: recipe.config,
      rootfs: { type: 'layers', diff_ids: [digest] },
      history: [{ created: '2026-01-01T00:00:00Z', created_by: 'flotilla scripts/images' }],
    }),
  );
  const configDigest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  let pushed = 0;
  for (const tag of recipe.tags) {
    if ((await registry.configDigest(name, tag)) === configDigest) continue;
    await registry.pushFile(name, layer, digest);
    await registry.pushBytes(name, config);
    await registry.pushManifest(name, tag, {
      schemaVersion: 2,
      mediaType: manifestType,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        size: config.length,
        digest: configDigest,
      },
      // Not compressed: the lab's network is this machine's memory.
      layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar', size: statSync(layer).size, digest }],
    });
    pushed++;
  }
  const what = isNew ? 'made' : pushed > 0 ? 'pushed' : 'up to date';
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `image ${recipe.name.padEnd(9)} ${what} (${Math.round(statSync(layer).size / 1e6)} MB, ${seconds} s): ${recipe.tags.join(' ')}`,
  );
}

function removeOlder(name: string, keep: string): void {
  for (const file of readdirSync(values.cache)) {
    const path = join(values.cache, file);
    if (new RegExp(`^${name}-[0-9a-f]{16}\\.tar`).test(file) && path !== keep) rmSync(path, { recursive: true });
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
