import type { Command } from 'commander';
import { pods } from '../../resources/kinds.ts';
import { defaultContainer, podContainer } from '../../resources/pod-containers.ts';
import { withSession } from '../session.ts';
import { chooseRunning, refOf } from './choose-instance.ts';
import { instanceOf } from './instances.ts';
import { joinTerminal } from './terminal.ts';

/** Gives 0 when the container ended, however it did. */
export async function attach(
  target: string,
  flags: { readonly interactive?: boolean },
  command: Command,
): Promise<number> {
  return withSession(command, async ({ client }) => {
    const pod = chooseRunning((await client.list(pods)).items.map(instanceOf), target);
    // A container has a terminal or has none: nothing that could be asked for here.
    const tty = podContainer(pod, defaultContainer(pod))?.container.tty === true;
    const interactive = flags.interactive === true;
    const session = await client.podAttach(refOf(pod), { stdin: interactive, tty });
    return await joinTerminal(session, { interactive, tty });
  });
}
