// Holds the picture of ARCHITECTURE.md, "Folders and who may import whom".
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';

const base = ['lib', 'resources'];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  resources: ['lib'],
  client: base,
  store: base,
  scheduler: base,
  stack: base,
  adapters: base,
  tunnel: base,
  controllers: [...base, 'client', 'scheduler', 'stack', 'adapters'],
  server: [...base, 'client', 'store', 'scheduler', 'stack', 'adapters', 'tunnel', 'controllers'],
  agent: [...base, 'adapters', 'client', 'tunnel'],
  up: [...base, 'client'],
  lab: [...base, 'client', 'stack'],
  cli: [...base, 'client', 'stack'],
};
/** These have a port; which implementation stands behind it is chosen by a main.ts alone. */
const behindPorts = ['adapters', 'store'];
/** `src/<folder>/main.ts` of these may be loaded by `await import()` from anywhere above. */
const roles = ['server', 'agent', 'up', 'lab'];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isDynamic: boolean;
}

const root = join(import.meta.dirname, '..');
const sources = globSync('src/**/*.ts', { cwd: root }).sort();
/** Tests, and what only they use: `test-….ts`. */
const isTest = (file: string): boolean => /\.test\.ts$|\/test-[a-z-]+\.ts$/.test(file);
const folderOf = (file: string): string => file.split('/')[1] ?? '';

/** All imports of files of ours, in source order. */
function importsOf(file: string): readonly Import[] {
  const text = withoutComments(readFileSync(join(root, file), 'utf8'));
  const found = text.matchAll(/(import\s*\(\s*|(?:^|[^\w.])(?:import|from)\s+)(['"])(\.{1,2}\/[^'"]+)\2/g);
  return [...found].map(([, how = '', , path = '']) => ({
    from: file,
    to: normalize(join(dirname(file), path)),
    isDynamic: how.includes('('),
  }));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** What an import breaks, as a sentence that says what to do instead. */
function complaint({ from, to, isDynamic }: Import): string | undefined {
  const [own, other] = [folderOf(from), folderOf(to)];
  if (own === other) return undefined;
  if (!to.startsWith('src/')) return `${from} imports ${to}; what is used at run time belongs under src/`;
  const isRole = roles.includes(other) && to === `src/${other}/main.ts`;
  if (isDynamic && isRole) return undefined;
  if (isRole)
    return `${from} imports ${to}; load it by await import(), so that nobody pays for a role he does not play`;
  const allowed = mayImport[own];
  if (allowed === undefined)
    return `${from} is in a folder that ARCHITECTURE.md does not know; add src/${own} to its table`;
  if (!allowed.includes(other)) {
    const list = allowed.length === 0 ? 'nothing of ours' : allowed.join(', ');
    return `${from} imports ${to}; ${own} may import ${list}`;
  }
  const isImplementation = behindPorts.includes(other) && !to.endsWith('/port.ts');
  if (isImplementation && from !== `src/${own}/main.ts`) {
    return `${from} imports ${to}; import the port and let main.ts wire it`;
  }
  return undefined;
}

describe('architecture', () => {
  it('has the folders of ARCHITECTURE.md', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
    const table = text.slice(text.indexOf('## Folders and who may import whom'));
    const cells = [...table.matchAll(/^\| (`.*?) \|/gm)].map((match) => match[1] ?? '');
    const documented = cells.flatMap((cell) => [...cell.matchAll(/`([a-z]+)`/g)].map((match) => match[1] ?? ''));
    assert.deepEqual(documented.sort(), Object.keys(mayImport).sort());
  });

  it('is imported as the picture says', () => {
    // Tests may use what stands behind a port, or a fake.
    const complaints = sources
      .filter((file) => !isTest(file))
      .flatMap((file) => importsOf(file).map(complaint))
      .filter((sentence) => sentence !== undefined);
    assert.deepEqual(complaints, []);
  });

  it('has no product code that needs a test or a contract suite', () => {
    const imported = sources
      .filter((file) => !isTest(file) && !file.endsWith('/contract.ts'))
      .flatMap((file) => importsOf(file).filter(({ to }) => isTest(to) || to.endsWith('/contract.ts')));
    assert.deepEqual(imported, []);
  });

  it('decides apart from doing: no clock, chance, waiting or process in what plans', () => {
    const deciding = sources.filter(
      (file) => !isTest(file) && (file.startsWith('src/scheduler/') || /\/(plan|[a-z-]+-plan|compile)\.ts$/.test(file)),
    );
    assert.ok(deciding.length > 0);
    const impure = [
      [/\bawait\b|\basync\b/, 'waits'],
      [/\bDate\.now\b|\bnew Date\(\)|\bperformance\b/, 'reads the clock'],
      [/\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/, 'is random'],
      [/\bprocess\.|node:process/, 'reads the process'],
      [/node:(fs|net|http2?|https|child_process|timers)/, 'does I/O'],
    ] as const;
    const complaints = deciding.flatMap((file) => {
      const text = withoutComments(readFileSync(join(root, file), 'utf8'));
      return impure
        .filter(([pattern]) => pattern.test(text))
        .map(([pattern, what]) => `${file} ${what} (${pattern.exec(text)?.[0]}); give it the value as an argument`);
    });
    assert.deepEqual(complaints, []);
  });

  it('reads its environment and handles signals in main.ts and in *-process.ts, programs of their own, only', () => {
    const roleFolders = ['adapters', 'agent', 'controllers', 'server', 'store', 'tunnel'];
    const found = sources
      .filter(
        (file) => !isTest(file) && roleFolders.includes(folderOf(file)) && !/\/main\.ts$|-process\.ts$/.test(file),
      )
      .filter((file) => /process\.(env|argv|on\(|exit)/.test(withoutComments(readFileSync(join(root, file), 'utf8'))));
    assert.deepEqual(found, []);
  });

  it('has no barrels and no dumping grounds', () => {
    const names = sources.filter((file) => /\/(index|utils?|helpers?|manager|types|common|misc)\.ts$/.test(file));
    assert.deepEqual(names, []);
    const barrels = sources.filter((file) => /^export \* /m.test(readFileSync(join(root, file), 'utf8')));
    assert.deepEqual(barrels, []);
  });
});
