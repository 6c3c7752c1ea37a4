// THIRD_PARTY_NOTICES.md: the npm packages that an installed Flotilla brings, with their licence texts.
//   node scripts/third-party.ts [--check]
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const target = 'THIRD_PARTY_NOTICES.md';
const accepted = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
const shipped = Object.entries(lock.packages)
  .filter(([path, entry]) => path !== '' && entry.dev !== true && existsSync(path))
  .map(([path, entry]) => ({ path, name: path.replace(/^.*node_modules\//, ''), ...entry }))
  .sort((a, b) => (`${a.name} ${a.path}` < `${b.name} ${b.path}` ? -1 : 1));

const unknown = shipped.filter(({ license }) => license === undefined || !accepted.includes(license));
if (unknown.length > 0) {
  for (const { name, license } of unknown) console.error(`error: ${name} has the licence ${license ?? 'none'}`);
  console.error(`hint: accepted are ${accepted.join(', ')}; add one to scripts/third-party.ts only after reading it`);
  process.exit(1);
}

const text = render();
if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
  console.log(`${target}: ${shipped.length} packages`);
} else if (!existsSync(target) || readFileSync(target, 'utf8') !== text) {
  console.error(`error: ${target} is not what package-lock.json says`);
  console.error('hint: node scripts/third-party.ts');
  process.exit(1);
}

function render(): string {
  // Packages with the very same notice stand together.
  const groups = new Map<string, string[]>();
  for (const { path, name, version, license } of shipped) {
    const notice = noticeOf(path).map((part) => `\`\`\`text\n${part.trim()}\n\`\`\``);
    const text = [`Licence: ${license}`, ...notice].join('\n\n');
    groups.set(text, [...(groups.get(text) ?? []), `${name} ${version}`]);
  }
  const sections = [...groups].map(([text, names]) => `## ${names.join(', ')}\n\n${text}`);
  const intro =
    'Flotilla itself is under the Apache License 2.0 (`LICENSE`). An installation also contains these npm packages. ' +
    'Written by `scripts/third-party.ts`.';
  return `${['# Third-party notices', intro, ...sections].join('\n\n')}\n`;
}

/** Licence and notice files of a package; its README's licence section where it has no such file. */
function noticeOf(path: string): readonly string[] {
  const names = readdirSync(path)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name))
    .sort();
  const files = names.flatMap((name) => globSync(join(path, name))).map((file) => readFileSync(file, 'utf8'));
  if (files.length > 0) return files.map((file) => file.replaceAll('\r\n', '\n').replaceAll('```', "'''"));
  const readme = readdirSync(path).find((name) => /^readme/i.test(name));
  const section = readme && /\n#+ *licen[cs]e\s*\n([\s\S]*?)(?=\n#|$)/i.exec(readFileSync(join(path, readme), 'utf8'));
  return section?.[1] ? [section[1]] : [];
}
