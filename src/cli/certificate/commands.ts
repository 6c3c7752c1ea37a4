import type { Command } from 'commander';
import { addOutputFlags } from '../output.ts';

/** Let's Encrypt. */
const defaultDirectory = 'https://acme-v02.api.letsencrypt.org/directory';

export function addCertificateCommands(program: Command): void {
  const certificate = program
    .command('certificate')
    .description('TLS certificates of hosts: asked for, brought, renewed');
  certificate
    .command('register <email>')
    .description('let an ACME server sign certificates of the grid; agrees to its terms of service in your name')
    .option('--directory <url>', 'of the ACME server', defaultDirectory)
    .option('--ca-file <file>', 'whom to trust about the ACME server itself, PEM (default: what the machine trusts)')
    .option('--eab-key-id <id>', 'of an account elsewhere, where the server asks for one')
    .option('--eab-hmac-key-file <file>', 'its key, base64url')
    .option('--timeout <duration>', 'how long to wait for its answer', '30s')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate register admin@example.org')
    .action(async (email: string, flags, command: Command) =>
      (await import('./register.ts')).register(email, flags, command),
    );
  certificate
    .command('request <host...>')
    .description('ask for a certificate, or for a new one before its time, and wait for it')
    .option('--name <name>', 'of the Certificate and its Secret (default: the first host)')
    .option('--issuer <issuer>', 'acme, or internal: the grid’s own authority', 'acme')
    .option('--namespace <namespace>', 'of the Ingress objects that use it', 'default')
    .option('--timeout <duration>', 'how long to wait', '2m')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate request shop.example.org www.shop.example.org')
    .action(async (hosts: string[], flags, command: Command) =>
      (await import('./request.ts')).request(hosts, flags, command),
    );
  addOutputFlags(certificate.command('ls').description('all certificates, and when they end'))
    .addHelpText('after', '\nExample:\n  $ flotilla certificate ls -o wide')
    .action(async (flags, command: Command) => (await import('./ls.ts')).ls(flags, command));
  certificate
    .command('show <certificate>')
    .description('hosts, times, who uses it, and why the last try failed')
    .option('-o, --output <format>', 'json|yaml')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate show shop/shop.example.org')
    .action(async (name: string, flags, command: Command) => (await import('./show.ts')).show(name, flags, command));
  certificate
    .command('import <name>')
    .description('bring a certificate of your own, or the one that follows it; it is checked first')
    .requiredOption('--cert <file>', 'PEM: the certificate, and behind it those that lead to its root')
    .requiredOption('--key <file>', 'PEM, without a passphrase')
    .option('--chain <file>', 'PEM: what leads to its root, when --cert does not have it')
    .option('--namespace <namespace>', 'of the Ingress objects that use it', 'default')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate import shop --cert fullchain.pem --key privkey.pem')
    .action(async (name: string, flags, command: Command) =>
      (await import('./import.ts')).importCertificate(name, flags, command),
    );
  certificate
    .command('export <certificate>')
    .description('write certificate and key as NAME.crt and NAME.key, for you alone to read')
    .option('-d, --directory <directory>', 'where', '.')
    .option('--force', 'overwrite what is there')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate export shop/shop.example.org -d /etc/ssl/shop')
    .action(async (name: string, flags, command: Command) =>
      (await import('./export.ts')).exportCertificate(name, flags, command),
    );
  certificate
    .command('rm <certificate...>')
    .description('remove certificates with their keys; refused while an Ingress object uses one')
    .option('--force', 'also when one is in use')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate rm shop/old.example.org')
    .action(async (names: string[], flags, command: Command) => (await import('./rm.ts')).rm(names, flags, command));
  certificate
    .command('ca')
    .description('print the grid’s own authority, for the trust stores of browsers')
    .addHelpText('after', '\nExample:\n  $ flotilla certificate ca > flotilla.pem')
    .action(async (_flags, command: Command) => (await import('./ca.ts')).ca(command));
}
