import type { Command } from 'commander';
import { collect } from '../collect.ts';
import { addOutputFlags } from '../output.ts';

export function addContextCommands(program: Command): void {
  const context = program.command('context').description('the clusters that this command line knows');
  addOutputFlags(context.command('ls').description('all of them; * is the current one'))
    .addHelpText('after', '\nExample:\n  $ flotilla context ls')
    .action(async (flags) => (await import('./contexts.ts')).ls(flags));
  context
    .command('add <name>')
    .description('remember a cluster; the token is that of --token or $FLOTILLA_TOKEN')
    .requiredOption('--server <url>', 'https://host:port; may be repeated', collect, [])
    .requiredOption('--ca <file>', "certificate of the cluster's CA: identity/ca.crt in a server's data directory")
    .option('--token <token>', "admin.token in a server's data directory holds the owner's")
    .addHelpText(
      'after',
      '\nExample:\n  $ FLOTILLA_TOKEN="$(cat admin.token)" flotilla context add home --server https://10.0.0.1:7443 --ca ca.crt',
    )
    .action(async (name: string, flags, command: Command) => (await import('./add.ts')).add(name, flags, command));
  context
    .command('use <name>')
    .description('make one the current one')
    .addHelpText('after', '\nExample:\n  $ flotilla context use lab')
    .action(async (name: string) => (await import('./contexts.ts')).use(name));
  context
    .command('show [name]')
    .description('servers and grid of one (default: the current one); never its token')
    .addHelpText('after', '\nExample:\n  $ flotilla context show')
    .action(async (name: string | undefined) => (await import('./contexts.ts')).show(name));
  context
    .command('rm <name>')
    .description('forget one; the cluster stays')
    .addHelpText('after', '\nExample:\n  $ flotilla context rm lab')
    .action(async (name: string) => (await import('./contexts.ts')).rm(name));
  program
    .command('kubeconfig')
    .description('what kubectl needs to speak with the current context')
    .option('--merge', "write it into kubectl's own file ($KUBECONFIG or ~/.kube/config) and make it current there")
    .addHelpText(
      'after',
      '\nExample:\n  $ flotilla kubeconfig > cluster.yaml && kubectl --kubeconfig cluster.yaml get pods -A',
    )
    .action(async (flags, command: Command) => (await import('./kubeconfig.ts')).kubeconfig(flags, command));
}
