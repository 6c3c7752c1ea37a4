import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Hash of the program's own files and of the Node that runs them: another one means another program. */
export function programId(): string {
  const root = dirname(import.meta.dirname);
  const hash = createHash('sha256').update(process.version);
  const files = globSync('**/*.{ts,js}', { cwd: root }).filter(
    (file) => !/\.test\.ts$|(^|\/)test-[a-z-]+\.ts$/.test(file),
  );
  for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex').slice(0, 16);
}
