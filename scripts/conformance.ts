// Writes docs/reference/conformance.md anew.
import { writeFileSync } from 'node:fs';
import { renderConformance } from './render-conformance.ts';

writeFileSync('docs/reference/conformance.md', renderConformance());
