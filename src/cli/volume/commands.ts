import type { Command } from 'commander';
import { addOutputFlags } from '../output.ts';

export function addVolumeCommands(program: Command): void {
  const volume = program.command('volume').description('named volumes: directories on one node, kept until removed');
  addOutputFlags(volume.command('ls').description('all volumes'))
    .addHelpText('after', '\nExample:\n  $ flotilla volume ls')
    .action(async (flags, command: Command) => (await import('./ls.ts')).ls(flags, command));
  volume
    .command('rm <volume...>')
    .description('remove volumes and the data in them; refused while an instance uses one')
    .addHelpText('after', '\nExample:\n  $ flotilla volume rm shop/shop-data')
    .action(async (names: string[], _flags, command: Command) => (await import('./rm.ts')).rm(names, command));
}
