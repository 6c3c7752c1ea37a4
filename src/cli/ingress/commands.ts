import type { Command } from 'commander';
import { addOutputFlags } from '../output.ts';

export function addIngressCommands(program: Command): void {
  const ingress = program.command('ingress').description('the way in: hosts, and the proxies that let traffic in');
  addOutputFlags(ingress.command('ls').description('all hosts and paths, with who serves them'))
    .addHelpText('after', '\nExample:\n  $ flotilla ingress ls')
    .action(async (flags, command: Command) => (await import('./ls.ts')).ls(flags, command));
  ingress
    .command('show <host>')
    .description('one host: its paths, certificate, and instances as each proxy sees them')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla ingress show web.shop.localhost')
    .action(async (host: string, flags, command: Command) => (await import('./show.ts')).show(host, flags, command));
  ingress
    .command('stats')
    .description('requests, errors, latency and sessions by host and backend, over all proxies')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla ingress stats')
    .action(async (flags, command: Command) => (await import('./stats.ts')).stats(flags, command));
  ingress
    .command('logs [host]')
    .description('requests that were let in, by all proxies; of one host')
    .option('-f, --follow', 'go on with those that come')
    .option('--tail <lines>', 'so many of each proxy', '100')
    .option('-o, --output <format>', 'json')
    .addHelpText('after', '\nExample:\n  $ flotilla ingress logs web.shop.localhost -f')
    .action(async (host: string | undefined, flags, command: Command) =>
      (await import('./logs.ts')).logs(host, flags, command),
    );
}
