import type { Command } from 'commander';
import { parseIPv4 } from '../../lib/cidr.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { readIngressFlags } from '../../resources/grid-ingress-flags.ts';
import { type NetworkFlags, readNetworkFlags } from '../../resources/grid-network-flags.ts';
import { collect } from '../collect.ts';
import { parseDurationMs } from '../durations.ts';
import { addIngressOptions, addNetworkOptions } from '../network-options.ts';

export function addMachineCommands(program: Command): void {
  addServer(program);
  addAgent(program);
  const up = program
    .command('up')
    .description('server and agent on this machine, in one process; becomes the current context')
    .option('--data <directory>', 'where everything is kept', '/var/lib/flotilla')
    .option('--listen <host:port>', 'where the API listens', '0.0.0.0:7443')
    .option('--name <node>', 'name of this node (default: the host name)')
    .option('--address <ip>', 'address of this node for the others; may be repeated', collect, [])
    .option('--interface <name>', 'its address is that of this interface (default: of the way to the server)')
    .option('--external-address <ip>', 'where nodes of other regions, or beyond a NAT, reach this one')
    .option('--docker <socket>', "Docker's socket", '/run/docker.sock')
    .option('--install', 'make it a systemd service that survives a reboot');
  addIngressOptions(addNetworkOptions(up))
    .addHelpText('after', '\nExample:\n  $ flotilla up --install')
    .action(async (flags) => {
      const network = readNetworkFlags(flags);
      if (flags.externalAddress !== undefined) addressOf(flags.externalAddress);
      process.exitCode = await (await import('../../up/main.ts')).up({
        ...flags,
        network,
        ingress: readIngressFlags(flags),
      });
    });
  program
    .command('down')
    .description('stop what "flotilla up --install" started')
    .option('--uninstall', 'and remove the systemd service; data and containers stay')
    .addHelpText('after', '\nExample:\n  $ flotilla down --uninstall')
    .action(async (flags) => {
      process.exitCode = await (await import('../../up/main.ts')).down(flags);
    });
}

function addServer(program: Command): void {
  const server = program
    .command('server')
    .description('run a server: store, API, controllers, scheduler')
    .option('--data <directory>', 'where everything is kept', '/var/lib/flotilla/server')
    .option('--listen <host:port>', 'where the API listens', '0.0.0.0:7443')
    .option('--advertise <url>', 'how others reach this server; may be repeated', collect, [])
    .option('--store <store>', 'sqlite, or the URL of an etcd member; may be repeated', collect, [])
    .option('--store-ca <file>', "the authority of etcd's certificates, PEM")
    .option('--store-cert <file>', 'the certificate that this server shows to etcd, PEM')
    .option('--store-key <file>', 'its key, PEM')
    .option('--identity <directory>', "the cluster's identity (default: identity below the data directory)")
    .option('--failover-after <duration>', 'in a new cluster: what a silent node ran is replaced after so long', '10s');
  addIngressOptions(addNetworkOptions(server))
    .addHelpText('after', '\nExample:\n  $ flotilla server --advertise https://10.0.0.1:7443')
    .action(async (flags: ServerFlags) => {
      const { runServer } = await import('../../server/main.ts');
      await runServer({
        dataDirectory: flags.data,
        listen: flags.listen,
        advertise: flags.advertise,
        store: storeOf(flags),
        ...(flags.identity === undefined ? {} : { identityDirectory: flags.identity }),
        failoverAfterMs: parseDurationMs(flags.failoverAfter, '--failover-after'),
        network: readNetworkFlags(flags),
        ingress: readIngressFlags(flags),
      });
    });
  server
    .command('status')
    .description('the servers of the current context: reachable, version, leader')
    .addHelpText('after', '\nExample:\n  $ flotilla server status')
    .action(async (_flags, command: Command) => (await import('./server-status.ts')).serverStatus(command));
}

function addAgent(program: Command): void {
  program
    .command('agent')
    .description('run the agent of this host; the token is needed once')
    .option('--data <directory>', 'where everything is kept', '/var/lib/flotilla/agent')
    .option('--server <url>', 'a server, https://host:port; may be repeated', collect, [])
    .option('--token <token>', 'join token ("flotilla node token create"); also $FLOTILLA_TOKEN')
    .option('--name <node>', 'name of this node (default: the host name)')
    .option('--address <ip>', 'address of this node for the others; may be repeated', collect, [])
    .option('--interface <name>', 'its address is that of this interface (default: of the way to the server)')
    .option('--external-address <ip>', 'where nodes of other regions, or beyond a NAT, reach this one')
    .option('--docker <socket>', "Docker's socket", '/run/docker.sock')
    .option('--max-pods <number>', 'pods that this node takes (default: 110)', countOf)
    .option('--metrics-port <port>', '/metrics also on 127.0.0.1 (always: through the server, as an admin)', portOf)
    .addHelpText('after', '\nExample:\n  $ flotilla agent --server https://10.0.0.1:7443 --token flj1.…')
    .action(async (flags: AgentFlags) => {
      const { runAgent } = await import('../../agent/main.ts');
      const token = flags.token ?? process.env.FLOTILLA_TOKEN;
      await runAgent({
        dataDirectory: flags.data,
        servers: flags.server,
        ...(token === undefined ? {} : { token: token.trim() }),
        ...(flags.name === undefined ? {} : { nodeName: flags.name }),
        addresses: flags.address,
        ...(flags.interface === undefined ? {} : { interfaceName: flags.interface }),
        ...(flags.externalAddress === undefined ? {} : { externalAddress: addressOf(flags.externalAddress) }),
        dockerSocket: flags.docker,
        ...(flags.maxPods === undefined ? {} : { capacity: { pods: flags.maxPods } }),
        ...(flags.metricsPort === undefined ? {} : { metricsPort: flags.metricsPort }),
      });
    });
}

interface ServerFlags extends NetworkFlags {
  readonly data: string;
  readonly listen: string;
  readonly advertise: readonly string[];
  readonly store: readonly string[];
  readonly storeCa?: string;
  readonly storeCert?: string;
  readonly storeKey?: string;
  readonly identity?: string;
  readonly failoverAfter: string;
}

interface AgentFlags {
  readonly data: string;
  readonly server: readonly string[];
  readonly token?: string;
  readonly name?: string;
  readonly address: readonly string[];
  readonly interface?: string;
  readonly externalAddress?: string;
  readonly docker: string;
  readonly maxPods?: number;
  readonly metricsPort?: number;
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new FlotillaError('BadUsage', `--metrics-port "${text}" is no port`, { hint: '--metrics-port 9101' });
}

function addressOf(text: string): string {
  if (parseIPv4(text) !== undefined) return text;
  throw new FlotillaError('BadUsage', `--external-address "${text}" is no IPv4 address`, {
    hint: '--external-address 203.0.113.7',
  });
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new FlotillaError('BadUsage', `--max-pods "${text}" is not a number from 1 to 9999`, {
    hint: '--max-pods 250',
  });
}

type StoreFlags = Pick<ServerFlags, 'store' | 'storeCa' | 'storeCert' | 'storeKey'>;

/** As the server takes it; see there. */
interface EtcdChoice {
  readonly etcd: readonly string[];
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Throws BadUsage when the options do not go together. */
export function storeOf({ store, storeCa, storeCert, storeKey }: StoreFlags): 'sqlite' | EtcdChoice {
  const hasFiles = [storeCa, storeCert, storeKey].some((file) => file !== undefined);
  if (store.length === 0 || (store.length === 1 && store[0] === 'sqlite')) {
    if (hasFiles) throw badStore('--store-ca, --store-cert and --store-key are for an etcd', httpsExample);
    return 'sqlite';
  }
  const wrong = store.find((value) => !/^https?:\/\//.test(value));
  if (wrong !== undefined) {
    throw badStore(
      `--store "${wrong}" is neither sqlite nor the URL of an etcd member`,
      '--store http://10.0.0.1:2379',
    );
  }
  const secure = store.filter((value) => value.startsWith('https:'));
  if (secure.length > 0 && secure.length < store.length) {
    throw badStore('--store: some members with https:// and some with http://', 'write all of them alike');
  }
  if (secure.length === 0 && hasFiles) throw badStore('--store-ca needs https:// members', httpsExample);
  if (secure.length > 0 && storeCa === undefined) {
    throw badStore('--store https:// needs --store-ca', `${httpsExample} --store-ca ca.crt`);
  }
  if ((storeCert === undefined) !== (storeKey === undefined)) {
    throw badStore('--store-cert and --store-key belong together', 'give both');
  }
  return {
    etcd: store,
    ...(storeCa === undefined ? {} : { caFile: storeCa }),
    ...(storeCert === undefined ? {} : { certFile: storeCert }),
    ...(storeKey === undefined ? {} : { keyFile: storeKey }),
  };
}

const httpsExample = '--store https://10.0.0.1:2379';

function badStore(message: string, hint: string): FlotillaError {
  return new FlotillaError('BadUsage', message, { hint });
}
