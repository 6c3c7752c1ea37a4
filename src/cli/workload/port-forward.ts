import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Command } from 'commander';
import type { HttpClient } from '../../client/http-client.ts';
import { startInformer } from '../../client/informer.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/log.ts';
import { type Pod, pods } from '../../resources/kinds.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { chooseRunning, refOf } from './choose-instance.ts';
import { instanceOf, selectInstances } from './instances.ts';

export interface PortPair {
  /** 0: any free one. */
  readonly local: number;
  readonly remote: number;
}

/** `8080:80`, `80` (the same here and there), `:80` (any free one here). Throws BadUsage. */
export function parsePortPair(text: string): PortPair {
  const [, local, remote] = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const pair = { local: Number(local ?? remote), remote: Number(remote) };
  const isPort = (port: number) => port >= 1 && port <= 65_535;
  if (isPort(pair.remote) && (isPort(pair.local) || local === '' || local === '0')) return pair;
  throw new FlotillaError('BadUsage', `"${text}" is no pair of ports`, {
    hint: 'flotilla port-forward shop/web 8080:80',
  });
}

/** Listens here until Ctrl-C, or until the instance that was named is gone. */
export async function portForward(
  target: string,
  texts: readonly string[],
  flags: { readonly address: string },
  command: Command,
): Promise<void> {
  const pairs = texts.map(parsePortPair);
  await withSession(command, async ({ client }) => {
    const known = new Map<string, Pod>();
    const chosen = selectInstances((await client.list(pods)).items.map(instanceOf), target);
    const isNamed = chosen.every(({ pod }) => pod.metadata.name === target.slice(target.indexOf('/') + 1));
    const end = Promise.withResolvers<void>();
    const informer = startInformer({
      client,
      kind: pods,
      log: silentLogger,
      onChange: (key, pod) => {
        if (pod) known.set(key, pod);
        else known.delete(key);
        const one = chosen[0]?.pod;
        const isIt = one && key === `${one.metadata.namespace}/${one.metadata.name}`;
        if (isNamed && isIt && (!pod || pod.metadata.uid !== one.metadata.uid)) {
          end.reject(new FlotillaError('NotFound', `instance "${one.metadata.name}" is gone`, { hint: 'flotilla ps' }));
        }
      },
    });
    process.once('SIGINT', () => end.resolve());
    process.once('SIGTERM', () => end.resolve());
    const choose = () => chooseRunning([...known.values()].map(instanceOf), target);
    const servers: Server[] = [];
    const open = new Set<Socket>();
    try {
      for (const pair of pairs) servers.push(await listen(pair, flags.address, { client, choose, open }));
      await end.promise;
    } finally {
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
      await informer.stop();
    }
  });
}

interface Forwarding {
  readonly client: HttpClient;
  /** A connection goes to what is ready when it is made. */
  readonly choose: () => Pod;
  readonly open: Set<Socket>;
}

async function listen({ local, remote }: PortPair, address: string, forwarding: Forwarding): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const { open } = forwarding;
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    join(socket, remote, forwarding).catch((error) => {
      socket.destroy();
      process.stderr.write(`port ${remote}: ${messageOf(error)}\n`);
    });
  });
  server.listen(local, address);
  await once(server, 'listening').catch((cause) => {
    throw new FlotillaError('Unavailable', `cannot listen on ${address}:${local}: ${messageOf(cause)}`, {
      hint: `Choose another port here: ${local + 10_000}:${remote}, or any free one: :${remote}`,
    });
  });
  print(`Forwarding from ${address}:${(server.address() as AddressInfo).port} -> ${remote}`);
  return server;
}

async function join(socket: Socket, port: number, { client, choose }: Forwarding): Promise<void> {
  socket.on('error', () => {}); // its close follows
  const connection = await client.podConnect(refOf(choose()), port);
  await new Promise<void>((resolve, reject) => {
    connection.on('error', reject);
    connection.once('close', () => {
      if (!connection.readableEnded) socket.destroy();
      resolve();
    });
    socket.once('close', () => connection.destroy());
    socket.pipe(connection);
    connection.pipe(socket);
  });
}
