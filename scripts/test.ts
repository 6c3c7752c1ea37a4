// Everything that must hold, in the order in which a failure is told soonest. Goes on after a failure; its last line sums
// up all steps: `N passed, N failed, N skipped`. A step that counts nothing itself is one test.
import { spawn } from 'node:child_process';

interface Step {
  readonly title: string;
  readonly argv: readonly string[];
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const node = process.execPath;
const quiet = '--disable-warning=ExperimentalWarning';
const steps: readonly Step[] = [
  { title: 'check: format and lint', argv: ['node_modules/.bin/biome', 'ci', '--error-on-warnings', '.'] },
  { title: 'check: types', argv: ['node_modules/.bin/tsc', '--noEmit'] },
  { title: 'check: unit tests', argv: [node, quiet, 'scripts/test-unit.ts'] },
  { title: 'docs', argv: [node, quiet, 'scripts/check-docs.ts'] },
  { title: 'third-party notices', argv: [node, quiet, 'scripts/third-party.ts', '--check'] },
  { title: 'build', argv: [node, quiet, 'scripts/build.ts'] },
  { title: 'integration tests', argv: [node, quiet, 'scripts/test-integration.ts'] },
  { title: 'conformance tests', argv: [node, quiet, 'scripts/test-conformance.ts'] },
  { title: 'integration: fuzzing', argv: [node, quiet, 'scripts/fuzz.ts', '--seconds', '30'] },
  { title: 'images', argv: [node, quiet, 'scripts/images/build.ts'] },
  { title: 'end-to-end tests', argv: [node, quiet, 'scripts/test-e2e.ts'] },
  { title: 'package', argv: [node, quiet, 'scripts/test-package.ts'] },
];

const wanted = process.argv.slice(2);
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
for (const step of steps) {
  if (wanted.length > 0 && !wanted.some((word) => step.title.includes(word))) continue;
  const startedMs = performance.now();
  console.log(`\n==> ${step.title}`);
  const { code, lastLine } = await run(step.argv);
  const counts = countsOf(lastLine, code);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  if (counts.failed > 0) failures.push(step.title);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`==> ${step.title}: ${counts.failed > 0 ? 'FAILED' : 'passed'} in ${seconds} s`);
}
if (failures.length > 0) console.log(`\nfailed: ${failures.join(', ')}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);

/** Prints what the step prints, and remembers the last line. */
function run([program = '', ...args]: readonly string[]): Promise<{ code: number; lastLine: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let tail = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text);
      tail = (tail + text).slice(-1000);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, lastLine: tail.trimEnd().split('\n').at(-1) ?? '' }));
  });
}

function countsOf(lastLine: string, code: number): Counts {
  const found = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lastLine);
  const [passed = 0, failed = 0, skipped = 0] = found?.slice(1).map(Number) ?? [];
  if (found === null) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  // A step that says "0 failed" and ends badly has failed all the same.
  return { passed, failed: code === 0 ? failed : Math.max(failed, 1), skipped };
}
