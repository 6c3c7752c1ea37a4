import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError, Option } from 'commander';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { type IngressFlags, ingressFlags, readIngressFlags } from '../resources/grid-ingress-flags.ts';
import { type NetworkFlags, networkFlags, readNetworkFlags } from '../resources/grid-network-flags.ts';
import { takeDown } from './down.ts';
import { currentContextBesides, dropLabContext, useLabContext } from './lab-context.ts';
import { labNames, labRoot, readLab, readRecord, writeRecord } from './lab-record.ts';
import { planLayout, requireLabName } from './layout.ts';
import { observeLab, renderTable } from './list.ts';
import { withLabLock } from './lock.ts';
import { cutCable, findMachine, plugCable, powerOff, powerOn, shutDown } from './power.ts';
import { requireFreeNetwork, requireRoot, requireTools } from './preflight.ts';
import { runIn } from './run-in.ts';
import { bringUp } from './up.ts';

/** Where `scripts/images/build.ts` puts the images: the same for all labs, and kept when they go. */
const registryStorage = '/var/lib/flotilla-lab/registry';

interface NameOption {
  readonly name: string;
}

interface UpFlags extends NameOption, NetworkFlags, IngressFlags {
  readonly hosts: number;
  readonly servers: number;
  readonly network: string;
  /** `h3,h4`. */
  readonly natHosts?: string;
  /** False with `--no-flotilla`. */
  readonly flotilla: boolean;
}

/** `flotilla lab …`; gives the exit code: 0 done, 1 failed, 2 wrong usage, or that of the command that `exec` ran. */
export async function runLab(argv: readonly string[]): Promise<number> {
  const root = labRoot(process.env);
  let exitCode = 0;
  const program = new Command('flotilla lab')
    .description('Several hosts on one machine, out of namespaces, each with its own Docker and agent (needs root)')
    .exitOverride()
    .enablePositionalOptions();
  const command = (usage: string, description: string, example: string): Command =>
    program
      .command(usage)
      .description(description)
      .addOption(new Option('--name <name>', 'name of the lab').default('lab'))
      .addHelpText('after', `\nExample:\n  $ flotilla lab ${example}`);

  const upCommand = command('up', 'make a lab and use it as the current context', 'up --hosts 3')
    .option('--hosts <n>', 'number of hosts', Number, 3)
    .option('--servers <n>', 'number of servers; several share an etcd', Number, 1)
    .option('--network <cidr>', 'an unused /24', '10.99.0.0/24')
    .option('--nat-hosts <names>', 'hosts that stand behind a router of their own, h3,h4')
    .addOption(new Option('--no-flotilla', 'hosts with Docker and the registry only').hideHelp())
    .action((flags: UpFlags) => up(root, flags));
  const gridFlags = [...networkFlags, ...ingressFlags.map((one) => ({ ...one, isRepeatable: one.form === 'list' }))];
  for (const { usage, description, isRepeatable } of gridFlags) {
    const option = new Option(usage, description);
    upCommand.addOption(isRepeatable ? option.argParser((value, all?: string[]) => [...(all ?? []), value]) : option);
  }

  command('down', 'remove a lab and all that belongs to it', 'down').action(async ({ name }: NameOption) => {
    requireRoot(process.getuid?.() ?? -1);
    requireLabName(name);
    await withLabLock(name, () => down(root, name));
  });

  program
    .command('ls')
    .description('the machines of all labs, or of one')
    .option('--name <name>', 'name of the lab')
    .addOption(new Option('-o, --output <format>', 'json').choices(['json']))
    .addHelpText('after', '\nExample:\n  $ flotilla lab ls')
    .action(async ({ name, output }: { name?: string; output?: string }) => {
      requireRoot(process.getuid?.() ?? -1);
      const names = name === undefined ? await labNames(root) : [name];
      const labs = await Promise.all(names.map((each) => readLab(root, each)));
      const machines = (await Promise.all(labs.map(observeLab))).flat();
      if (output === 'json') console.log(JSON.stringify(machines, null, 2));
      else if (machines.length > 0) console.log(renderTable(machines));
      else console.error('no lab; flotilla lab up --hosts 3 makes one');
    });

  command('exec', 'run a command on a machine', 'exec h1 -- docker ps')
    .argument('<machine>')
    .argument('<command...>')
    .passThroughOptions()
    .action(async (machineName: string, words: string[], { name }: NameOption) => {
      requireRoot(process.getuid?.() ?? -1);
      const lab = await readLab(root, name);
      // The parser leaves the separator of `exec h1 -- CMD` in.
      exitCode = await runIn(lab, findMachine(lab, machineName), words[0] === '--' ? words.slice(1) : words);
    });

  const changes = {
    cut: { does: cutCable, description: 'pull the network cable of a machine', said: 'cut off' },
    plug: { does: plugCable, description: 'plug the network cable in again', said: 'plugged in' },
    off: { does: powerOff, description: 'cut the power: every process dies at once, disks stay', said: 'off' },
    shutdown: {
      does: shutDown,
      description: 'tell the agent that its host goes down, wait for it, cut the power',
      said: 'off',
    },
    on: { does: powerOn, description: 'boot a machine that is off', said: 'on' },
  } as const;
  for (const [verb, { does, description, said }] of Object.entries(changes)) {
    command(verb, description, `${verb} h2`)
      .argument('<machine>')
      .action(async (machineName: string, { name }: NameOption) => {
        requireRoot(process.getuid?.() ?? -1);
        const lab = await readLab(root, name);
        const machine = findMachine(lab, machineName);
        await withLabLock(name, () => does(lab, machine));
        console.log(`${machineName} is ${said}`);
      });
  }

  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error);
  }
}

async function up(root: string, flags: UpFlags): Promise<void> {
  const { name, network, hosts, servers, flotilla } = flags;
  requireRoot(process.getuid?.() ?? -1);
  const grid = readNetworkFlags(flags);
  const ingress = readIngressFlags(flags);
  const natHosts = (flags.natHosts ?? '').split(',').filter(Boolean);
  const lab = planLayout({ name, network, hosts, servers, flotilla, natHosts, root, grid, ingress });
  const wireguard = natHosts.length > 0 || grid.overlay === 'wireguard';
  await requireTools(process.env.PATH ?? '', { etcd: servers > 1, wireguard });
  const startMs = performance.now();
  const stop = new AbortController();
  const interrupt = () => stop.abort(new FlotillaError('Canceled', 'interrupted'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    await withLabLock(name, async () => {
      if ((await labNames(root)).includes(name)) {
        throw new FlotillaError('Conflict', `there is a lab "${name}" already`, {
          hint: 'flotilla lab down takes it down, --name makes a second one',
        });
      }
      await requireFreeNetwork(lab);
      try {
        const previousContext = flotilla ? currentContextBesides(name) : undefined;
        const record = { version: 1, name, network, hosts, servers, flotilla, natHosts, grid, ingress } as const;
        await writeRecord(root, previousContext === undefined ? record : { ...record, previousContext });
        await bringUp(lab, {
          registryStorage,
          say: (line) => console.log(line),
          signal: stop.signal,
        });
        if (flotilla) await useLabContext(lab);
      } catch (error) {
        await down(root, name);
        throw error;
      }
    });
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
  console.log(`lab "${name}": ${hosts} hosts in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

async function down(root: string, name: string): Promise<void> {
  const record = await readRecord(root, name).catch(() => undefined); // a broken record must not keep a lab up
  await takeDown(name, `${root}/${name}`);
  if (record?.flotilla !== false) dropLabContext(name, record?.previousContext);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed it
  console.error(`error: ${messageOf(error)}`);
  if (!(error instanceof FlotillaError)) return 1;
  if (error.hint !== undefined) console.error(`hint: ${error.hint}`);
  return error.code === 'BadUsage' ? 2 : 1;
}

// Also a program of its own: `node src/lab/main.ts up --hosts 3`.
const entry = process.argv[1];
if (entry !== undefined && realpathSync(entry) === fileURLToPath(import.meta.url)) {
  process.exitCode = await runLab(process.argv.slice(2));
}
