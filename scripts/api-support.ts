// Writes docs/reference/api-support.md from the tables of kinds; with --check only compares, as the documentation's check does.
//   node scripts/api-support.ts [--check]
import { readFileSync, writeFileSync } from 'node:fs';
import { renderApiSupport } from './render-api-support.ts';

const path = 'docs/reference/api-support.md';
const text = renderApiSupport();
if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error(`${path} is not what the tables say: run node scripts/api-support.ts`);
  process.exit(1);
}
