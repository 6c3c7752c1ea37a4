import { readFileSync } from 'node:fs';

const argv = process.argv.slice(2);

// The cheapest answer of all must not load the command tree.
if (argv.length === 1 && (argv[0] === 'version' || argv[0] === '--version' || argv[0] === '-V')) {
  const file = new URL('../../package.json', import.meta.url);
  console.log(`flotilla ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`);
} else {
  const { runCommandLine } = await import('./run.ts');
  process.exitCode = await runCommandLine(argv);
}
