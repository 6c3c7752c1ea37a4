// Answers DNS for the pods of this node, in a process of its own that outlives the agent: started by process-client.ts with the
// agent's data directory as argument, told what to answer over dns.sock in there. With a channel to a process of the same kind it
// takes over from that one. Imports as little as it can: it runs on every node.
import { Socket } from 'node:dgram';
import { type Socket as ControlConnection, Server, type Socket as TcpSocket } from 'node:net';
import { messageOf } from '../../../lib/errors.ts';
import type { DnsAddress, DnsRecords, DnsSettings } from '../port.ts';
import { createDnsServer } from '../server.ts';
import { type ControlSocket, openControlSocket } from './control-socket.ts';
import { type Command, FrameSocket, type HandOverFrame, protocolVersion, type Report } from './frames.ts';
import { handOver } from './hand-over.ts';
import { createLineLogger } from './line-logger.ts';
import { programId } from './program-id.ts';

const statsMs = 1_000;

const dataDirectory = process.argv[2] ?? '';
if (dataDirectory === '') throw new Error('usage: dns-process <data directory of the agent>');
process.umask(0o077);
process.title = 'flotilla-dns';

const log = createLineLogger();
const program = programId();
const server = createDnsServer({ domain: 'cluster.local', log });
let settings: DnsSettings = { domain: 'cluster.local' };
let revision: string | undefined;
let staged: { set: Map<string, DnsRecords>; drop: string[] } | undefined;
let control: ControlSocket | undefined;
let client: FrameSocket<Command, Report> | undefined;
let toldStats = '';
/** TCP sockets whose UDP socket is still to come, with the connections that came meanwhile. */
const halves = new Map<string, { readonly tcp: Server; readonly early: TcpSocket[] }>();
const whereKey = ({ address, port }: DnsAddress) => `${address} ${port}`;

const hello = (): Report => ({
  type: 'hello',
  protocol: protocolVersion,
  program,
  pid: process.pid,
  ...(revision === undefined ? {} : { revision }),
});

function end(why: string): void {
  log.info('dns process ends', { why });
  const close = control?.remove() ?? Promise.resolve();
  void close.finally(() => process.exit(0));
}

async function serve(): Promise<void> {
  control = await openControlSocket(dataDirectory, accept, () => end('another process has its place'));
}

/** The last agent to come is the one that is listened to. */
function accept(socket: ControlConnection): void {
  client?.destroy();
  const own = new FrameSocket<Command, Report>(socket, (command) => {
    if (own === client) take(command, (report) => own.send(report));
  });
  client = own;
  own.send(hello());
}

let working: Promise<void> = Promise.resolve();
/** One after the other, as they came. */
function take(command: HandOverFrame, reply: (report: Report) => void, handle?: unknown): void {
  working = working.then(async () => {
    try {
      await run(command, handle);
      if ('id' in command && command.id !== undefined) reply({ type: 'done', id: command.id });
      if (command.type === 'end') end('it was told to');
      if (command.type === 'replace') client?.end();
    } catch (error) {
      log.warn('dns command failed', { command: command.type, error: messageOf(error) });
      if ('id' in command && command.id !== undefined) {
        reply({ type: 'failed', id: command.id, message: messageOf(error) });
      }
    }
  });
}

async function run(command: HandOverFrame, handle: unknown): Promise<void> {
  switch (command.type) {
    case 'configure': {
      const isSame = JSON.stringify(command.settings) === JSON.stringify(settings);
      if (!isSame) server.configure(command.settings);
      settings = command.settings;
      const isTakingOver = process.send !== undefined && control === undefined;
      if (!isTakingOver) await server.listen(command.addresses); // else its sockets come from the other process
      return;
    }
    case 'zone':
      return takeZone(command);
    case 'replace':
      return replaceBy(command.argv);
    case 'socket':
      return takeSocket(command.kind, command.where, handle);
    case 'late': {
      const listener = server.listening.find((one) => whereKey(one) === whereKey(command.where));
      listener?.send(Buffer.from(command.packet, 'base64'), command.port, command.address);
      return;
    }
    case 'serve':
      return serve();
    case 'question':
    case 'end':
    case 'ping':
      return;
  }
}

/** Out of turn: one that has to ask resolvers keeps no other waiting. */
async function answer(
  { id, packet }: Extract<HandOverFrame, { type: 'question' }>,
  reply: (report: Report) => void,
): Promise<void> {
  const response = await server.respond(Buffer.from(packet, 'base64'), false);
  reply({ type: 'answer', id, ...(response ? { packet: response.toString('base64') } : {}) });
}

async function takeZone({ id, isWhole, set, drop, ...part }: Extract<Command, { type: 'zone' }>): Promise<void> {
  staged ??= { set: new Map(), drop: [] };
  for (const [name, records] of set) staged.set.set(name, records);
  staged.drop.push(...drop);
  if (id === undefined) return;
  const change = staged;
  staged = undefined;
  if (isWhole) await server.apply({ names: change.set });
  else await server.change(change);
  revision = part.revision ?? revision;
}

async function replaceBy(argv: readonly string[]): Promise<void> {
  let isGivenAway = false;
  try {
    const beforeServe = async () => {
      isGivenAway = true;
      control?.close();
    };
    const { finished } = await handOver({ server, settings, revision, argv, beforeServe });
    void finished.finally(async () => {
      log.info('dns process ends', { why: 'another program goes on' });
      await client?.closed;
      process.exit(0);
    });
  } catch (error) {
    if (isGivenAway) {
      log.error('dns process ends: its sockets are given away, and the other program failed', { error });
      process.exit(1);
    }
    throw error;
  }
}

/** Both sockets of an address make a listener; the second one to come is UDP, from which is read at once. */
function takeSocket(kind: 'udp' | 'tcp', where: DnsAddress, handle: unknown): void {
  const key = whereKey(where);
  if (kind === 'tcp' && handle instanceof Server) {
    const early: TcpSocket[] = [];
    handle.on('connection', (socket) => early.push(socket));
    halves.set(key, { tcp: handle, early });
    return;
  }
  const half = halves.get(key);
  if (kind !== 'udp' || !(handle instanceof Socket) || !half) throw new Error(`no ${kind} socket came for ${key}`);
  halves.delete(key);
  half.tcp.removeAllListeners('connection');
  server.adopt(where, { udp: handle, tcp: half.tcp });
  const listener = server.listening.find((one) => whereKey(one) === key);
  for (const socket of half.early) listener?.adopt(socket);
}

setInterval(() => {
  const stats = server.stats();
  const text = JSON.stringify(stats);
  if (text !== toldStats) client?.send({ type: 'stats', stats });
  toldStats = text;
}, statsMs).unref();

process.on('SIGTERM', () => end('SIGTERM'));
process.on('SIGINT', () => {}); // meant for who started us
process.on('SIGHUP', () => {});
if (process.send) {
  process.on('message', (frame: HandOverFrame, handle: unknown) => {
    const reply = (report: Report) => process.send?.(report);
    if (frame.type === 'question') void answer(frame, reply);
    else take(frame, reply, handle);
  });
  process.on('disconnect', () => {
    if (!control) process.exit(1); // it goes on as before
  });
  process.send(hello());
} else {
  await serve();
}
log.info('dns process runs', { pid: process.pid, program });
