import type { Command } from 'commander';

export function addExplainCommand(program: Command): void {
  program
    .command('explain <target>')
    .description('what state a node or an instance is in, what was decided about it, why, and what comes next')
    .addHelpText('after', '\nExample:\n  $ flotilla explain node/h1\n  $ flotilla explain shop/web-7c9k2-x4f')
    .action(async (target: string, _flags, command: Command) =>
      (await import('./explain.ts')).explain(target, command),
    );
}
