import { Command, CommanderError } from 'commander';
import { renderError } from './render-error.ts';
import { commandFiles } from './tree.ts';

/** Gives the exit code: 0 done, 1 failed, 2 wrong usage, or that of a command run by `exec`. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const first = commandWord(argv);
  process.stdout.on('error', endQuietly);
  if (first === 'lab') {
    const { runLab } = await import('../lab/main.ts');
    return runLab(argv.slice(argv.indexOf('lab') + 1));
  }
  const program = createProgram();
  // Only the wanted command's files are loaded; help and wrong words need all of them.
  const wanted = commandFiles.get(first);
  for (const load of wanted ? [wanted] : new Set(commandFiles.values())) (await load())(program);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { text, exitCode } = renderError(error, argv.includes('-v') || argv.includes('--verbose'));
    process.stderr.write(text);
    return exitCode;
  }
}

/** The first word that is neither an option nor the value of one of the global options; '' when there is none. */
export function commandWord(argv: readonly string[]): string {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--context' || word === '--grid') at += 1;
    else if (!word.startsWith('-')) return word;
  }
  return '';
}

/** Whoever read us (`| head`) has read enough. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}

function createProgram(): Command {
  return new Command('flotilla')
    .description('Containers on one Docker host or on thousands, run as if they were one machine')
    .option('--context <name>', 'cluster to speak with (default: the current context)')
    .option('--grid <name>', 'grid (default: that of the context)')
    .option('-v, --verbose', 'show request ids and causes of errors')
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({ writeErr: (text) => process.stderr.write(text.replace(/^error: /, 'error: ')) })
    .addHelpText(
      'after',
      '\n  lab                                  several hosts on one machine (flotilla lab --help)\n  version                              print the version\n\nExample:\n  $ flotilla deploy -f compose.yaml',
    );
}
