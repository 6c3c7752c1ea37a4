import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { contextsPath, saveContext } from '../client/contexts.ts';
import { createHttpClient } from '../client/http-client.ts';
import { FlotillaError } from '../lib/errors.ts';
import { exec } from '../lib/exec.ts';
import { createPinoLogger } from '../lib/pino-logger.ts';
import { formatTime } from '../resources/conditions.ts';
import { type Token, tokens } from '../resources/kinds.ts';
import { defaultGrid, systemGrid } from '../resources/names.ts';

export interface UpOptions {
  readonly data: string;
  readonly listen: string;
  readonly name?: string;
  readonly address: readonly string[];
  readonly docker: string;
  readonly install?: boolean;
}

/** Server and agent in one process, until SIGTERM or SIGINT. Gives the exit code. */
export async function up(options: UpOptions): Promise<number> {
  if (options.install) return install(options);
  const { startServer } = await import('../server/main.ts');
  const { startAgent } = await import('../agent/main.ts');
  const log = createPinoLogger({ fields: { role: 'up' } });
  const server = await startServer({
    dataDirectory: join(options.data, 'server'),
    listen: options.listen,
    advertise: [],
    store: 'sqlite',
    failoverAfterMs: 10_000,
    podRange: '10.80.0.0/12',
    log: log.with({ role: 'server' }),
  });
  const url = `https://127.0.0.1:${new URL(server.url).port}`;
  makeCurrent(options.data, url);
  const agentData = join(options.data, 'agent');
  const agent = await startAgent({
    dataDirectory: agentData,
    servers: [url],
    // Needed once: what has a certificate has joined.
    ...(existsSync(join(agentData, 'node.crt')) ? {} : { token: await createJoinToken(options.data, url) }),
    ...(options.name === undefined ? {} : { nodeName: options.name }),
    addresses: options.address,
    dockerSocket: options.docker,
    log: log.with({ role: 'agent' }),
  });
  process.stderr.write(`flotilla is up: ${url}, the current context is "local"\n`);
  await new Promise<void>((stop) => {
    process.once('SIGTERM', () => stop());
    process.once('SIGINT', () => stop());
  });
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
