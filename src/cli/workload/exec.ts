import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { pods } from '../../resources/kinds.ts';
import { isPodReady } from '../../resources/pod-facts.ts';
import { withSession } from '../session.ts';
import { instanceOf, selectInstances } from './instances.ts';

export interface ExecFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
}

/** Gives the command's exit code. */
export async function exec(
  target: string,
  argv: readonly string[],
  flags: ExecFlags,
  command: Command,
): Promise<number> {
  const words = argv[0] === '--' ? argv.slice(1) : argv;
  if (words.length === 0)
    throw new FlotillaError('BadUsage', 'exec: no command', { hint: 'flotilla exec shop/web -- ls /' });
  return withSession(command, async ({ client }) => {
    const running = selectInstances((await client.list(pods)).items.map(instanceOf), target).filter(({ pod }) =>
      pod.status?.containerStatuses?.some((one) => one.state?.running),
    );
    const one = running.find(({ pod }) => isPodReady(pod)) ?? running[0];
    if (!one) throw new FlotillaError('NotFound', `no instance of "${target}" is running`, { hint: 'flotilla ps' });
    const { namespace = 'default', name } = one.pod.metadata;
    const isTerminal = flags.tty === true && process.stdin.isTTY === true;
    const session = await client.podExec(
      { namespace, name },
      { command: words, stdin: flags.interactive === true, tty: flags.tty === true },
    );
    session.stdout.pipe(process.stdout);
    session.stderr.pipe(process.stderr);
    const resize = () => session.resize(process.stdout.columns ?? 80, process.stdout.rows ?? 24);
    if (flags.tty && process.stdout.isTTY) {
      resize();
      process.stdout.on('resize', resize);
    }
    if (flags.interactive) {
      if (isTerminal) process.stdin.setRawMode(true);
      process.stdin.pipe(session.stdin);
    }
    try {
      return await session.exitCode;
    } finally {
      if (isTerminal) process.stdin.setRawMode(false);
      process.stdin.unpipe();
      process.stdin.destroy();
    }
  });
}
