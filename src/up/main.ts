import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isApiError } from '../client/api-error.ts';
import { contextsPath, saveContext } from '../client/contexts.ts';
import { createHttpClient } from '../client/http-client.ts';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { exec } from '../lib/exec.ts';
import { createPinoLogger } from '../lib/pino-logger.ts';
import { formatTime } from '../resources/conditions.ts';
import type { GridIngressSpec } from '../resources/grid-ingress.ts';
import { ingressArgs } from '../resources/grid-ingress-flags.ts';
import type { GridNetworkSpec } from '../resources/grid-network.ts';
import { networkArgs } from '../resources/grid-network-flags.ts';
import { nodes, type Token, tokens } from '../resources/kinds.ts';
import { defaultGrid, labels, systemGrid } from '../resources/names.ts';

export interface UpOptions {
  readonly data: string;
  readonly listen: string;
  readonly name?: string;
  readonly address: readonly string[];
  readonly interface?: string;
  readonly externalAddress?: string;
  readonly docker: string;
  readonly install?: boolean;
  /** Of a new cluster. */
  readonly network: GridNetworkSpec;
  readonly ingress: GridIngressSpec;
}

const labelTimeoutMs = 15_000;

/** Server and agent in one process, until SIGTERM or SIGINT. Gives the exit code. */
export async function up(options: UpOptions): Promise<number> {
  if (options.install) return install(options);
  const { startServer } = await import('../server/main.ts');
  const { endOfAgent, startAgent } = await import('../agent/main.ts');
  const log = createPinoLogger({ fields: { role: 'up' } });
  const server = await startServer({
    dataDirectory: join(options.data, 'server'),
    listen: options.listen,
    advertise: [],
    store: 'sqlite',
    failoverAfterMs: 10_000,
    network: options.network,
    ingress: options.ingress,
    log: log.with({ role: 'server' }),
  });
  const url = `https://127.0.0.1:${new URL(server.url).port}`;
  makeCurrent(options.data, url);
  const agentData = join(options.data, 'agent');
  const isFirstStart = !existsSync(join(agentData, 'node.crt'));
  const agent = await startAgent({
    dataDirectory: agentData,
    servers: [url],
    // Needed once: what has a certificate has joined.
    ...(!isFirstStart ? {} : { token: await createJoinToken(options.data, url) }),
    ...(options.name === undefined ? {} : { nodeName: options.name }),
    addresses: options.address,
    ...(options.interface === undefined ? {} : { interfaceName: options.interface }),
    ...(options.externalAddress === undefined ? {} : { externalAddress: options.externalAddress }),
    dockerSocket: options.docker,
    log: log.with({ role: 'agent' }),
  });
  process.stderr.write(`flotilla is up: ${url}, the current context is "local"\n`);
  if (isFirstStart) await letTrafficIn(options.data, url, agent.nodeName);
  if ((await endOfAgent()) === 'host') await agent.endHost();
  await agent.stop();
  await server.stop();
  return 0;
}

export async function down(options: { readonly uninstall?: boolean }): Promise<number> {
  const { requireSystemd, stopUnit, uninstallUnit } = await import('./systemd.ts');
  const { unitPath } = await import('./unit.ts');
  requireSystemd();
  if (!existsSync(unitPath) && !options.uninstall) {
    throw new FlotillaError('NotFound', `there is no service ${unitPath}`, {
      hint: 'a "flotilla up" in the foreground ends with Ctrl-C',
    });
  }
  await (options.uninstall ? uninstallUnit(exec) : stopUnit(exec));
  process.stderr.write(
    options.uninstall ? 'service removed; data and containers stay\n' : 'stopped; containers go on\n',
  );
  return 0;
}

async function install(options: UpOptions): Promise<number> {
  const { installUnit, requireSystemd } = await import('./systemd.ts');
  requireSystemd();
  const program = process.env.FLOTILLA_BIN;
  if (program === undefined) throw new Error('FLOTILLA_BIN is not set: start through bin/flotilla');
  const args = ['--data', resolve(options.data), '--listen', options.listen, '--docker', options.docker];
  if (options.name !== undefined) args.push('--name', options.name);
  for (const address of options.address) args.push('--address', address);
  if (options.interface !== undefined) args.push('--interface', options.interface);
  if (options.externalAddress !== undefined) args.push('--external-address', options.externalAddress);
  args.push(...networkArgs(options.network), ...ingressArgs(options.ingress));
  await installUnit(exec, { program, args, nodeBinary: process.execPath });
  process.stderr.write('flotilla runs as a service: systemctl status flotilla, journalctl -u flotilla\n');
  return 0;
}

function makeCurrent(data: string, url: string): void {
  const { token, caCertificate } = adminOf(data);
  saveContext(
    contextsPath(),
    { name: 'local', servers: [url], grid: defaultGrid, caCertificate, token },
    { makeCurrent: true },
  );
}

function adminOf(data: string): { token: string; caCertificate: string } {
  return {
    token: readFileSync(join(data, 'server', 'admin.token'), 'utf8').trim(),
    caCertificate: readFileSync(join(data, 'server', 'identity', 'ca.crt'), 'utf8'),
  };
}

/** The first node lets traffic in, until somebody says otherwise. Its agent makes the Node object within a moment. */
async function letTrafficIn(data: string, url: string, nodeName: string): Promise<void> {
  const client = createHttpClient({ servers: [url], ...adminOf(data), grid: defaultGrid, userAgent: 'flotilla (up)' });
  const body = { metadata: { labels: { [labels.ingress]: 'true' } } };
  const deadlineMs = performance.now() + labelTimeoutMs;
  try {
    for (;;) {
      try {
        await client.patch(nodes, { name: nodeName }, { type: 'merge', body });
        break;
      } catch (error) {
        if (!isApiError(error, 'NotFound') || performance.now() > deadlineMs) throw error;
        await delay(100);
      }
    }
  } catch (error) {
    process.stderr.write(
      `warning: node ${nodeName} lets no traffic in: ${messageOf(error)}; flotilla node label ${nodeName} ${labels.ingress}=true makes it do so\n`,
    );
    return;
  } finally {
    client.close();
  }
  process.stderr.write(
    `node ${nodeName} lets traffic in, by HTTP and HTTPS; flotilla node label ${nodeName} ${labels.ingress}- ends that\n`,
  );
}

/** Good for ten minutes: this machine's own agent uses it at once. */
async function createJoinToken(data: string, url: string): Promise<string> {
  const client = createHttpClient({ servers: [url], ...adminOf(data), grid: systemGrid, userAgent: 'flotilla (up)' });
  try {
    const made = await client.create<Token>(tokens, {
      apiVersion: 'flotilla.dev/v1alpha1',
      kind: 'Token',
      metadata: { name: `up-${Date.now().toString(36)}` },
      spec: {
        type: 'join',
        grid: defaultGrid,
        expiresAt: formatTime(Date.now() + 600_000),
        description: 'this machine',
      },
    });
    return made.status?.token ?? '';
  } finally {
    client.close();
  }
}
