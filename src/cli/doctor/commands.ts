import type { Command } from 'commander';

export function addDoctorCommands(program: Command): void {
  program
    .command('doctor')
    .description('find what is wrong, and what is likely behind it')
    .command('network')
    .description('try the pod network between every pair of nodes, names, service addresses and packet sizes')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla doctor network\n\nExit code 1: something is wrong.')
    .action(async (flags, command: Command) => (await import('./network.ts')).network(flags, command));
}
