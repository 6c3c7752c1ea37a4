import type { Command } from 'commander';
import { addOutputFlags } from '../output.ts';

export function addNodeCommands(program: Command): void {
  const node = program.command('node').description('hosts');
  addOutputFlags(node.command('ls').description('all nodes'))
    .addHelpText('after', '\nExample:\n  $ flotilla node ls')
    .action(async (flags, command: Command) => (await import('./ls.ts')).ls(flags, command));
  node
    .command('show <node>')
    .description('one node: capacity, conditions, instances')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla node show h1')
    .action(async (name: string, flags, command: Command) => (await import('./show.ts')).show(name, flags, command));
  node
    .command('label <node> <change...>')
    .description('put labels on a node (key=value) or take them away (key-)')
    .addHelpText('after', '\nExample:\n  $ flotilla node label h2 flotilla.dev/ingress=true zone-')
    .action(async (name: string, changes: string[], _flags, command: Command) =>
      (await import('./label.ts')).label(name, changes, command),
    );
  node
    .command('drain <node>')
    .description(
      'let nothing new start on a node and move its instances elsewhere: others do their work before they go',
    )
    .option('--timeout <duration>', 'give up waiting after', '5m')
    .option('--stop-first', 'let them go before others run: where there is no room for both')
    .addHelpText('after', '\nExample:\n  $ flotilla node drain h2')
    .action(async (name: string, flags, command: Command) => (await import('./drain.ts')).drain(name, flags, command));
  node
    .command('undrain <node>')
    .description('let instances start on a node again, also on one that was lost too often')
    .addHelpText('after', '\nExample:\n  $ flotilla node undrain h2')
    .action(async (name: string, _flags, command: Command) => (await import('./drain.ts')).undrain(name, command));
  node
    .command('rm <node>')
    .description('forget a node; what it ran is started elsewhere')
    .addHelpText('after', '\nExample:\n  $ flotilla node rm h2')
    .action(async (name: string, _flags, command: Command) => (await import('./rm.ts')).rm(name, command));

  node
    .command('lost <node>')
    .description('say that a silent node is lost: all it ran is given up, and started elsewhere where that is possible')
    .option('--confirm', 'yes, it will not come back by itself, or must not be waited for')
    .addHelpText('after', '\nExample:\n  $ flotilla node lost h2 --confirm')
    .action(async (name: string, flags, command: Command) => (await import('./lost.ts')).lost(name, flags, command));

  const token = node.command('token').description('join tokens: what a host shows to become a node');
  token
    .command('create')
    .description('make one; it is shown once')
    .option('--expires <duration>', 'for how long it is good', '1h')
    .option('--description <text>', 'what it is for')
    .addHelpText('after', '\nExample:\n  $ flotilla node token create --expires 10m')
    .action(async (flags, command: Command) => (await import('./token.ts')).create(flags, command));
  addOutputFlags(token.command('ls').description('all join tokens'))
    .addHelpText('after', '\nExample:\n  $ flotilla node token ls')
    .action(async (flags, command: Command) => (await import('./token.ts')).ls(flags, command));
  token
    .command('rm <token...>')
    .description('revoke tokens; nodes that have joined stay')
    .addHelpText('after', '\nExample:\n  $ flotilla node token rm join-x7k2p')
    .action(async (names: string[], _flags, command: Command) => (await import('./token.ts')).rm(names, command));
}
