import { type Command, InvalidArgumentError } from 'commander';
import { collect } from '../collect.ts';
import { addOutputFlags } from '../output.ts';

export function addStackCommands(program: Command): void {
  addDeploy(program);
  addRm(program);
  addRollback(program);
  addDiff(program);
  const stack = program.command('stack').description('stacks: named files and what they made');
  addDeploy(stack);
  addRm(stack);
  addRollback(stack);
  addDiff(stack);
  addOutputFlags(
    stack.command('history <stack>').description('its versions: what was deployed, when, and whether it was complete'),
  )
    .addHelpText('after', '\nExample:\n  $ flotilla stack history shop -o wide')
    .action(async (name: string, flags, command: Command) =>
      (await import('./history.ts')).history(name, flags, command),
    );
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

function addFileFlags(command: Command): Command {
  return command
    .option(
      '-f, --file <file>',
      'the file (default: flotilla.yml, compose.yaml, docker-compose.yml … of this directory)',
      once,
    )
    .option('--name <stack>', "name of the stack (default: the file's, else the directory's)")
    .option('--namespace <namespace>', 'default: like the stack')
    .option('--set <key=value>', 'value of a variable; may be repeated', collect, []);
}

const timeoutText = 'give up waiting after (default: 5m, or a minute after the deadline of what would be taken back)';

function addDeploy(parent: Command): void {
  const description = 'create or change a stack from a Compose or flotilla file, and wait until it runs';
  addFileFlags(parent.command('deploy').description(description))
    .option('--dry-run', 'print what would change and which instances would be replaced, change nothing')
    .option('-o, --output <format>', 'with --dry-run: the stack itself, as json|yaml, without asking a server')
    .option('--no-wait', 'do not wait until it runs')
    .option('--timeout <duration>', timeoutText)
    .addHelpText('after', '\nExample:\n  $ flotilla deploy -f compose.yaml --set domain=shop.example')
    .action(async (flags, command: Command) => (await import('./deploy.ts')).deploy(flags, command));
}

function addDiff(parent: Command): void {
  addFileFlags(
    parent.command('diff').description('what a deploy of the file would change; exit code 3 when it is something'),
  )
    .addHelpText('after', '\nExample:\n  $ flotilla diff -f compose.yaml')
    .action(async (flags, command: Command) => (await import('./diff.ts')).diff(flags, command));
}

function addRollback(parent: Command): void {
  parent
    .command('rollback [target]')
    .description('a stack, or one service of it, as an earlier version said it; how many instances there are stays')
    .option('--to <version>', 'number of a version, or what its file called it (default: the last complete one before)')
    .option('--dry-run', 'print what would change, change nothing')
    .option('--no-wait', 'do not wait until it runs')
    .option('--timeout <duration>', timeoutText)
    .addHelpText('after', '\nExample:\n  $ flotilla rollback shop/web --to 4')
    .action(async (target: string | undefined, flags, command: Command) =>
      (await import('./rollback.ts')).rollback(target, flags, command),
    );
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
