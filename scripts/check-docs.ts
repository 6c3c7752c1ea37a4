// Links between our Markdown files lead somewhere; commands and files they name exist; generated pages are current;
// ARCHITECTURE.md stays short.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { commandFiles } from '../src/cli/tree.ts';
import { renderApiSupport } from './render-api-support.ts';
import { conformanceProblems, renderConformance } from './render-conformance.ts';
import { renderIngressOptions } from './render-ingress-options.ts';

/** Those that src/cli/run.ts knows without the tree. */
const commands = new Set([...commandFiles.keys(), 'lab', 'version', 'help']);

let passed = 0;
const problems: string[] = [];
const files = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md']).sort();
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  for (const link of linksOf(text)) check(linkProblem(file, link));
  for (const word of commandsOf(text))
    check(commands.has(word) ? undefined : `${file}: there is no "flotilla ${word}"`);
  for (const path of pathsOf(text)) check(existsSync(path) ? undefined : `${file}: there is no ${path}`);
}
const length = readFileSync('ARCHITECTURE.md', 'utf8').split('\n').length;
check(length > 200 ? `ARCHITECTURE.md has ${length} lines, more than 200` : undefined);
for (const file of ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE', 'docs/glossary.md', 'docs/errors.md'])
  check(existsSync(file) ? undefined : `${file} is missing`);
const apiSupport = 'docs/reference/api-support.md';
check(
  readFileSync(apiSupport, 'utf8') === renderApiSupport()
    ? undefined
    : `${apiSupport} is not what the tables of kinds say: run node scripts/api-support.ts`,
);
const ingressOptions = 'docs/reference/ingress-options.md';
check(
  readFileSync(ingressOptions, 'utf8') === renderIngressOptions()
    ? undefined
    : `${ingressOptions} is not what the table says: run node scripts/ingress-options.ts`,
);
const conformance = 'docs/reference/conformance.md';
check(
  readFileSync(conformance, 'utf8') === renderConformance()
    ? undefined
    : `${conformance} is not what the tests say: run node scripts/conformance.ts`,
);
for (const problem of conformanceProblems()) check(problem);
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const changes = readFileSync('CHANGELOG.md', 'utf8');
check(
  changes.includes('## [Unreleased]') || changes.includes(`## [${version}]`)
    ? undefined
    : `CHANGELOG.md has neither [Unreleased] nor [${version}]`,
);

for (const problem of problems) console.log(`✖ ${problem}`);
console.log(`${passed} passed, ${problems.length} failed, 0 skipped`);
process.exit(problems.length === 0 ? 0 : 1);

function check(problem: string | undefined): void {
  if (problem === undefined) passed++;
  else problems.push(problem);
}

/** Targets of links that are no URLs; code is left out. */
function linksOf(text: string): readonly string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((link) => !/^[a-z]+:/.test(link));
}

/** The word behind `flotilla` where a line of code begins with it. */
function commandsOf(text: string): readonly string[] {
  return [...text.matchAll(/(?:^|`|\$ )(?:bin\/)?flotilla ([a-z]+)/gm)].map((match) => match[1] ?? '');
}

/** Files and folders of the checkout in inline code; patterns with `<name>` or `*` are left out. */
function pathsOf(text: string): readonly string[] {
  return [...text.matchAll(/`((?:src|scripts|docs|test|bench|examples)\/[\w./-]+)`/g)].map((match) => match[1] ?? '');
}

function linkProblem(file: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : normalize(join(dirname(file), path));
  if (!existsSync(target)) return `${file}: the link ${link} leads nowhere`;
  if (anchor === undefined || !target.endsWith('.md')) return undefined;
  const anchors = [...readFileSync(target, 'utf8').matchAll(/^#+ (.+)$/gm)].map((match) => slugOf(match[1] ?? ''));
  return anchors.includes(anchor) ? undefined : `${file}: ${target} has no heading for #${anchor}`;
}

function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}
