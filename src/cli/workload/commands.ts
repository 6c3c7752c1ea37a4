import type { Command } from 'commander';
import { addOutputFlags } from '../output.ts';

export function addWorkloadCommands(program: Command): void {
  addOutputFlags(program.command('ps [stack]').description('instances: where they run and how they are'))
    .addHelpText('after', '\nExample:\n  $ flotilla ps shop -o wide')
    .action(async (stack: string | undefined, flags, command: Command) =>
      (await import('./ps.ts')).ps(stack, flags, command),
    );

  program
    .command('logs <target>')
    .description('logs of a service (all its instances merged), an instance or a stack')
    .option('-f, --follow', 'go on with new lines, and with new instances')
    .option('--tail <lines>', 'only the last lines of each instance')
    .option('--since <duration>', 'only lines younger than this, such as 5m')
    .option('--timestamps', 'with the time of each line')
    .option('--previous', 'of the container before the newest restart')
    .addHelpText('after', '\nExample:\n  $ flotilla logs -f --tail 20 shop/web')
    .action(async (target: string, flags, command: Command) =>
      (await import('./logs.ts')).logs(target, flags, command),
    );

  program
    .command('exec <target> [command...]')
    .description('run a command in an instance (of a service: in its first ready one); its exit code is ours')
    .option('-i, --interactive', 'pass standard input')
    .option('-t, --tty', 'with a terminal')
    .passThroughOptions()
    .addHelpText('after', '\nExample:\n  $ flotilla exec -it shop/db -- psql -U postgres')
    .action(async (target: string, argv: string[], flags, command: Command) => {
      process.exitCode = await (await import('./exec.ts')).exec(target, argv, flags, command);
    });

  program
    .command('attach <target>')
    .description('join the main process of an instance: its output, and its input with -i')
    .option('-i, --interactive', 'pass standard input')
    .addHelpText('after', '\nExample:\n  $ flotilla attach -i shop/shell')
    .action(async (target: string, flags, command: Command) => {
      process.exitCode = await (await import('./attach.ts')).attach(target, flags, command);
    });

  program
    .command('port-forward <target> <ports...>')
    .description(
      'connections to a port of this machine go to an instance: LOCAL:REMOTE, PORT, or :REMOTE for any free one',
    )
    .option('--address <address>', 'listen on', '127.0.0.1')
    .addHelpText('after', '\nExample:\n  $ flotilla port-forward shop/db 5432')
    .action(async (target: string, ports: string[], flags, command: Command) =>
      (await import('./port-forward.ts')).portForward(target, ports, flags, command),
    );

  program
    .command('cp <from> <to>')
    .description('copy files and directories to or from an instance (needs tar in its image)')
    .addHelpText('after', '\nExample:\n  $ flotilla cp shop/web:/etc/hosts ./hosts')
    .action(async (from: string, to: string, flags, command: Command) =>
      (await import('./cp.ts')).cp(from, to, flags, command),
    );

  program
    .command('scale <service=instances...>')
    .description('change the number of instances')
    .option('--no-wait', 'do not wait until they are ready')
    .option('--timeout <duration>', 'give up waiting after', '5m')
    .addHelpText('after', '\nExample:\n  $ flotilla scale shop/web=5')
    .action(async (targets: string[], flags, command: Command) =>
      (await import('./scale.ts')).scale(targets, flags, command),
    );

  addOutputFlags(program.command('events [stack]').description('what was done and why, oldest first'))
    .option('-f, --follow', 'go on with new ones')
    .addHelpText('after', '\nExample:\n  $ flotilla events shop')
    .action(async (stack: string | undefined, flags, command: Command) =>
      (await import('./events.ts')).events(stack, flags, command),
    );
}
