import { type Command, InvalidArgumentError } from 'commander';
import { collect } from '../collect.ts';
import { addOutputFlags } from '../output.ts';

export function addStackCommands(program: Command): void {
  addDeploy(program);
  addRm(program);
  const stack = program.command('stack').description('stacks: named files and what they made');
  addDeploy(stack);
  addRm(stack);
  addOutputFlags(stack.command('ls').description('all stacks'))
    .addHelpText('after', '\nExample:\n  $ flotilla stack ls')
    .action(async (flags, command: Command) => (await import('./ls.ts')).ls(flags, command));
  stack
    .command('show <stack>')
    .description('one stack: its services and why they are as they are')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla stack show shop')
    .action(async (name: string, flags, command: Command) => (await import('./show.ts')).show(name, flags, command));
}

function addDeploy(parent: Command): void {
  parent
    .command('deploy')
    .description('create or change a stack from a Compose or flotilla file, and wait until it runs')
    .option(
      '-f, --file <file>',
      'the file (default: flotilla.yml, compose.yaml, docker-compose.yml … of this directory)',
      once,
    )
    .option('--name <stack>', "name of the stack (default: the file's, else the directory's)")
    .option('--namespace <namespace>', 'default: like the stack')
    .option('--set <key=value>', 'value of a variable; may be repeated', collect, [])
    .option('--dry-run', 'check the file and print the stack, change nothing')
    .option('--no-wait', 'do not wait until it runs')
    .option('--timeout <duration>', 'give up waiting after', '5m')
    .addHelpText('after', '\nExample:\n  $ flotilla deploy -f compose.yaml --set domain=shop.example')
    .action(async (flags, command: Command) => (await import('./deploy.ts')).deploy(flags, command));
}

function addRm(parent: Command): void {
  parent
    .command('rm <stack...>')
    .description('remove stacks; their volumes stay')
    .option('--volumes', 'remove their volumes, and the data in them, too')
    .option('--timeout <duration>', 'give up waiting after', '2m')
    .addHelpText('after', '\nExample:\n  $ flotilla rm shop')
    .action(async (names: string[], flags, command: Command) => (await import('./rm.ts')).rm(names, flags, command));
}

/** Compose merges several files; taking the last one alone in silence would be wrong. */
function once(value: string, before: string | undefined): string {
  if (before !== undefined) throw new InvalidArgumentError('Several files are not merged: write all into one.');
  return value;
}
