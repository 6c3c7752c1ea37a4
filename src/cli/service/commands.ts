import type { Command } from 'commander';
import { addOutputFlags } from '../output.ts';

export function addServiceCommands(program: Command): void {
  addRestart(program);
  const service = program.command('service').description('services: what a stack runs, one by one');
  addOutputFlags(
    service.command('ls [stack]').description('all services: how many instances, which version, how they are'),
  )
    .addHelpText('after', '\nExample:\n  $ flotilla service ls shop')
    .action(async (stack: string | undefined, flags, command: Command) =>
      (await import('./ls.ts')).ls(stack, flags, command),
    );
  service
    .command('show <service>')
    .description('one service: its rollout, how it is updated, and its instances')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla service show shop/web')
    .action(async (target: string, flags, command: Command) =>
      (await import('./show.ts')).show(target, flags, command),
    );
  addWait(service.command('deploy <service>').description('try again what was taken back, and wait until it runs'))
    .addHelpText('after', '\nExample:\n  $ flotilla service deploy shop/web')
    .action(async (target: string, flags, command: Command) =>
      (await import('./deploy.ts')).deployService(target, flags, command),
    );
  service
    .command('pause <service>')
    .description('stop an update where it is; what runs goes on, and can be scaled')
    .addHelpText('after', '\nExample:\n  $ flotilla service pause shop/web')
    .action(async (target: string, _flags, command: Command) => (await import('./pause.ts')).pause(target, command));
  addWait(service.command('resume <service>').description('go on with an update'))
    .addHelpText('after', '\nExample:\n  $ flotilla service resume shop/web')
    .action(async (target: string, flags, command: Command) =>
      (await import('./pause.ts')).resume(target, flags, command),
    );
  addWait(
    service.command('abort <service>').description('take an update back that is not through: to the last good version'),
  )
    .addHelpText('after', '\nExample:\n  $ flotilla service abort shop/web')
    .action(async (target: string, flags, command: Command) =>
      (await import('./abort.ts')).abort(target, flags, command),
    );
  addRestart(service);
}

function addRestart(parent: Command): void {
  addWait(
    parent.command('restart <service...>').description('new instances of the same version, as an update makes them'),
  )
    .addHelpText('after', '\nExample:\n  $ flotilla restart shop/web')
    .action(async (targets: string[], flags, command: Command) =>
      (await import('./restart.ts')).restart(targets, flags, command),
    );
}

function addWait(command: Command): Command {
  return command
    .option('--no-wait', 'do not wait until it is through')
    .option('--timeout <duration>', 'give up waiting after', '10m');
}
