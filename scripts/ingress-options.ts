// Writes docs/reference/ingress-options.md from the table of options; the documentation's check compares.
//   node scripts/ingress-options.ts
import { writeFileSync } from 'node:fs';
import { renderIngressOptions } from './render-ingress-options.ts';

writeFileSync('docs/reference/ingress-options.md', renderIngressOptions());
