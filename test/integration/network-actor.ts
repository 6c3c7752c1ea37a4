// Runs inside a network namespace: serves and calls, as standard input says, a JSON command a line. Each answer on a line.
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Socket as TcpSocket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ActorCommand, Call } from './network-actors.ts';

const name = process.argv[2] ?? '';
const sockets = new Map<number, Socket>();
let held: TcpSocket | undefined;
let stopTraffic: (() => Promise<unknown>) | undefined;

/** Says who it is and whom it sees; ends when the caller does. */
function serve(port: number): Promise<unknown> {
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(`${name} ${socket.remoteAddress?.replace('::ffff:', '')}`));
    socket.on('end', () => socket.end());
  });
  const udp = createSocket('udp4');
  udp.on('message', (_, from) => udp.send(`${name} ${from.address}`, from.port, from.address));
  return Promise.all([
    new Promise((resolve) => tcp.listen(port, '0.0.0.0', () => resolve(undefined))),
    new Promise((resolve) => udp.bind(port, '0.0.0.0', () => resolve(undefined))),
  ]);
}

/** `<who answered> <whom it saw> <peer as the caller sees it>`, or the error's code. */
function callTcp({ host, port, timeoutMs = 2_000 }: Call): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: string) => {
      resolve(answer);
      socket.resetAndDestroy();
    };
    socket.setTimeout(timeoutMs, () => end('TIMEOUT'));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on('connect', () => socket.write('?'));
    socket.on('data', (data) => end(`${data} ${socket.remoteAddress}`));
  });
}

/** A socket that is connected hears of refusals, and one with a port of its own is kept: its packets are one flow. */
async function callUdp({ host, port, localPort, timeoutMs = 2_000 }: Call): Promise<string> {
  const socket = (localPort && sockets.get(localPort)) || createSocket('udp4');
  if (localPort && !sockets.has(localPort)) {
    await new Promise((resolve) => socket.bind(localPort, () => resolve(undefined)));
    sockets.set(localPort, socket);
  } else if (!localPort) {
    await new Promise((resolve) => socket.connect(port, host, () => resolve(undefined)));
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => end('TIMEOUT'), timeoutMs);
    const onMessage = (data: Buffer, from: { address: string }) => end(`${data} ${from.address}`);
    const onError = (error: NodeJS.ErrnoException) => end(error.code ?? error.message);
    const end = (answer: string) => {
      clearTimeout(timer);
      socket.off('message', onMessage);
      socket.off('error', onError);
      if (!localPort) socket.close();
      resolve(answer);
    };
    socket.once('message', onMessage);
    socket.once('error', onError);
    if (localPort) socket.send('?', port, host);
    else socket.send('?');
  });
}

/** Connects without a pause, four at a time, until it is stopped. */
function startTraffic(call: Call): void {
  let isStopping = false;
  let calls = 0;
  const failures: string[] = [];
  const loops = Array.from({ length: 4 }, async () => {
    while (!isStopping) {
      const answer = await callTcp(call);
      calls++;
      if (!answer.includes(' ') && failures.length < 20) failures.push(answer);
    }
  });
  stopTraffic = async () => {
    isStopping = true;
    await Promise.all(loops);
    return { calls, failures };
  };
}

function hold({ host, port }: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    held = connect({ host, port }, () => resolve(undefined)).on('error', reject);
  });
}

function askHeld(): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!held) return reject(new Error('no connection'));
    const timer = setTimeout(() => resolve('TIMEOUT'), 2_000);
    held.once('data', (data) => {
      clearTimeout(timer);
      resolve(String(data));
    });
    held.write('?');
  });
}

/** Milliseconds that each of `count` connects took, one after the other. */
async function measure(call: Call): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < (call.count ?? 1); index++) {
    const startedAt = performance.now();
    await new Promise((resolve, reject) => {
      const socket = connect({ host: call.host, port: call.port }, () => {
        times.push(performance.now() - startedAt);
        socket.resetAndDestroy();
        resolve(undefined);
      });
      socket.on('error', reject);
    });
  }
  return times;
}

async function run(command: ActorCommand): Promise<unknown> {
  switch (command.type) {
    case 'serve':
      return serve(command.port);
    case 'call': {
      const answers: string[] = [];
      for (let index = 0; index < (command.call.count ?? 1); index++) {
        answers.push(await (command.call.protocol === 'UDP' ? callUdp(command.call) : callTcp(command.call)));
      }
      return answers;
    }
    case 'measure':
      return measure(command.call);
    case 'hold':
      return hold(command.call);
    case 'askHeld':
      return askHeld();
    case 'startTraffic':
      return startTraffic(command.call);
    case 'stopTraffic':
      return stopTraffic?.();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command } = JSON.parse(line) as { id: number; command: ActorCommand };
  const answer = (body: object) => process.stdout.write(`${JSON.stringify({ id, ...body })}\n`);
  run(command).then(
    (result) => answer({ result: result ?? null }),
    (error) => answer({ error: String(error) }),
  );
}
process.exit(0);
