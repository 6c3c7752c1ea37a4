import type { Command } from 'commander';
import { addIngressSettings, addNetworkSettings } from '../network-options.ts';
import { addOutputFlags } from '../output.ts';

export function addGridCommands(program: Command): void {
  const grid = program.command('grid').description('grids and their settings');
  addOutputFlags(grid.command('ls').description('all grids'))
    .addHelpText('after', '\nExample:\n  $ flotilla grid ls')
    .action(async (flags, command: Command) => (await import('./ls.ts')).ls(flags, command));
  grid
    .command('show [grid]')
    .description('settings of one grid (default: that of the context)')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla grid show main')
    .action(async (name: string | undefined, flags, command: Command) =>
      (await import('./show.ts')).show(name, flags, command),
    );
  const setting = grid
    .command('set [grid]')
    .description('change settings of a grid (default: that of the context)')
    .option('--failover-after <duration>', 'replace what a silent node ran after so long, or "never"');
  addIngressSettings(addNetworkSettings(setting, ['overlay', 'trustedSubnets', 'loadBalancerPool']))
    .addHelpText('after', '\nExample:\n  $ flotilla grid set --failover-after 3s')
    .action(async (name: string | undefined, flags, command: Command) =>
      (await import('./set.ts')).set(name, flags, command),
    );
}
