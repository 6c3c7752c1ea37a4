import { enableCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

export interface RunOptions {
  /** `none`: all files in this process. */
  readonly isolation: 'none' | 'process';
  /** For each test. */
  readonly timeoutMs: number;
  /** For all of them: a run that hangs says so and ends. */
  readonly totalTimeoutMs: number;
  /** Files at a time. Default: 1. */
  readonly concurrency?: number;
  /** These run after the others, one at a time. */
  readonly alone?: readonly string[];
}

/** Runs test files, prints their report and `N passed, N failed, N skipped` last; sets the exit code. */
export async function runTests(files: readonly string[], options: RunOptions): Promise<void> {
  if (files.length === 0) {
    console.error('error: no test files found');
    process.exit(1);
  }
  // Each file is a process that reads all of the sources: without their types and compiled they are read in a third of the time.
  process.env.NODE_COMPILE_CACHE ??= resolve('.cache/compiled');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  setTimeout(() => {
    console.log(`error: not done after ${options.totalTimeoutMs} ms`);
    console.log(`${counts.passed} passed, ${counts.failed + 1} failed, ${counts.skipped} skipped`);
    process.exit(1);
  }, options.totalTimeoutMs).unref();
  const isAlone = (file: string) => options.alone?.includes(file) ?? false;
  await runGroup(
    files.filter((file) => !isAlone(file)),
    options.concurrency ?? 1,
  );
  await runGroup(files.filter(isAlone), 1);
  // A report of an hour ends with what matters in it.
  for (const failure of failures) console.log(`✖ ${failure}`);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exit(counts.failed === 0 && counts.passed > 0 ? 0 : 1);

  async function runGroup(group: string[], concurrency: number): Promise<void> {
    if (group.length === 0) return;
    const { isolation, timeoutMs: timeout } = options;
    const stream = run({ files: group, isolation, concurrency, timeout });
    stream.on('test:pass', (event) => {
      if (event.details.type === 'suite') return;
      if (event.skip !== undefined && event.skip !== false) counts.skipped++;
      else counts.passed++;
    });
    stream.on('test:fail', (event) => {
      if (event.details.type === 'suite') return;
      counts.failed++;
      const { cause, message } = event.details.error;
      const words = cause instanceof Error ? cause.message : message;
      failures.push(`${event.file}:${event.line}: ${event.name}\n  ${words.slice(0, 500).replaceAll('\n', '\n  ')}`);
    });
    const report = stream.compose(new spec());
    report.pipe(process.stdout, { end: false });
    await new Promise((resolve) => report.on('end', resolve));
  }
}
