import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { pods } from '../../resources/kinds.ts';
import { withSession } from '../session.ts';
import { chooseRunning, refOf } from './choose-instance.ts';
import { instanceOf } from './instances.ts';
import { joinTerminal, type TerminalFlags } from './terminal.ts';

/** Gives the command's exit code. */
export async function exec(
  target: string,
  argv: readonly string[],
  flags: TerminalFlags,
  command: Command,
): Promise<number> {
  const words = argv[0] === '--' ? argv.slice(1) : argv;
  if (words.length === 0)
    throw new FlotillaError('BadUsage', 'exec: no command', { hint: 'flotilla exec shop/web -- ls /' });
  return withSession(command, async ({ client }) => {
    const pod = chooseRunning((await client.list(pods)).items.map(instanceOf), target);
    const session = await client.podExec(refOf(pod), {
      command: words,
      stdin: flags.interactive === true,
      tty: flags.tty === true,
    });
    return await joinTerminal(session, flags);
  });
}
