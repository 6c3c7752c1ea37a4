import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ports, udpPort, world } from '../../src/adapters/policy/contract.ts';
import type { Attempt } from '../../src/adapters/policy/fake.ts';
import { type Exec, exec } from '../../src/lib/exec.ts';

/** Network namespaces: two hosts and a client on a switch; host 1 has two pods on its bridge, host 2 has one. */
export interface PolicyHosts {
  /** Runs a command in host 1. */
  readonly inHost: Exec;
  /** A real connection; also from `hostAddress`, the host itself. UDP: a datagram and its echo. */
  connect(attempt: Attempt, isExpected: boolean): Promise<boolean>;
  /** Opens a TCP connection and keeps it. */
  hold(attempt: Attempt): Promise<{ echoes(): Promise<boolean>; close(): void }>;
  /** Sends datagrams to the echo all the while; true when some were sent and none was answered. */
  isSilentWhile(attempt: Attempt, work: () => Promise<void>): Promise<boolean>;
  stop(): Promise<void>;
}

/** The gateway address of host 1, from which it calls its pods. */
export const hostAddress = '10.80.0.1';
export const remoteGateway = '10.80.1.1';

/** What should come about has time on a busy machine; what should not is known to be dropped sooner. */
const connectMs = { expected: 5_000, unexpected: 300 };

/** Listens on the ports with an echo; does what it is told, one JSON line each: `connect`, `open`, `send`, `close`. */
const speaker = `
const net = require('node:net'), dgram = require('node:dgram');
const [ports, udpPort] = JSON.parse(process.argv[1]);
const held = new Map();
const answer = (id, ok) => process.stdout.write(JSON.stringify({ id, ok }) + '\\n');
const open = ({ address, port, from }, ms, done) => {
  const socket = net.connect({ host: address, port, ...(from ? { localAddress: from } : {}) });
  const timer = setTimeout(() => socket.destroy(new Error('late')), ms);
  socket.once('connect', () => { clearTimeout(timer); done(socket); });
  socket.once('error', () => { clearTimeout(timer); done(undefined); });
};
const ping = (target, ms, done) => {
  const socket = dgram.createSocket('udp4');
  const end = (ok) => { clearTimeout(timer); socket.close(); done(ok); };
  const timer = setTimeout(end, ms, false);
  socket.on('message', () => end(true));
  socket.on('error', () => end(false));
  socket.send('x', target.port, target.address);
};
const commands = {
  connect: (c) => c.protocol === 'UDP' ? ping(c, c.ms, (ok) => answer(c.id, ok))
    : open(c, c.ms, (socket) => { answer(c.id, socket !== undefined); socket?.destroy(); }),
  open: (c) => open(c, c.ms, (socket) => { if (socket) held.set(c.id, socket); answer(c.id, socket !== undefined); }),
  send: (c) => {
    const socket = held.get(c.socket);
    const end = (ok) => { clearTimeout(timer); socket.off('data', yes); answer(c.id, ok); };
    const yes = () => end(true);
    const timer = setTimeout(end, c.ms, false);
    socket.once('data', yes);
    socket.write('x');
  },
  close: (c) => held.get(c.socket)?.destroy(),
  flood: (c) => {
    const socket = dgram.createSocket('udp4');
    const flood = { sent: 0, answered: 0 };
    socket.on('message', () => { flood.answered += 1; });
    flood.timer = setInterval(() => { for (let i = 0; i < 5; i++, flood.sent++) socket.send('x', c.port, c.address); }, 1);
    flood.stop = () => { clearInterval(flood.timer); socket.close(); };
    held.set(c.id, flood);
    answer(c.id, true);
  },
  ebb: (c) => {
    const flood = held.get(c.socket);
    flood.stop();
    answer(c.id, flood.sent > 0 && flood.answered === 0);
  },
};
let waiting = ports.length + 1;
const listening = () => { if (--waiting === 0) answer(0, true); };
for (const port of ports) net.createServer((s) => { s.on('error', () => {}); s.pipe(s); }).listen(port, '0.0.0.0', listening);
const echo = dgram.createSocket('udp4');
echo.on('message', (m, from) => echo.send(m, from.port, from.address));
echo.bind(udpPort, listening);
require('node:readline').createInterface({ input: process.stdin })
  .on('line', (line) => { const c = JSON.parse(line); commands[c.verb](c); })
  .on('close', () => process.exit());
`;

interface Speaker {
  ask(command: Record<string, unknown>): Promise<boolean>;
  tell(command: Record<string, unknown>): void;
  nextId(): number;
  readonly child: ChildProcessWithoutNullStreams;
}

async function startSpeaker(namespace: string): Promise<Speaker> {
  const argv = [`--net=/var/run/netns/${namespace}`, process.execPath, '-e', speaker, JSON.stringify([ports, udpPort])];
  const child = spawn('nsenter', argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting = new Map<number, (ok: boolean) => void>();
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, ok } = JSON.parse(line) as { id: number; ok: boolean };
    waiting.get(id)?.(ok);
    waiting.delete(id);
  });
  const ready = new Promise<boolean>((resolve) => waiting.set(0, resolve));
  const ended = new Promise<never>((_, reject) =>
    child.once('exit', () => reject(new Error(`the process in ${namespace} ended: ${words}`))),
  );
  ended.catch(() => {});
  await Promise.race([ready, ended]);
  let last = 0;
  const tell = (command: Record<string, unknown>) => child.stdin.write(`${JSON.stringify(command)}\n`);
  return {
    child,
    tell,
    nextId: () => ++last,
    ask: (command) => {
      const id = typeof command.id === 'number' ? command.id : ++last;
      const answered = new Promise<boolean>((resolve) => waiting.set(id, resolve));
      tell({ ...command, id });
      return Promise.race([answered, ended]);
    },
  };
}

export async function startPolicyHosts(prefix: string): Promise<PolicyHosts> {
  const name = (short: string) => `${prefix}-${short}`;
  const all = ['sw', 'h1', 'h2', 'own', 'other', 'remote', 'outside'];
  await exec(['ip', '-batch', '-'], { stdin: all.map((one) => `netns add ${name(one)}\n`).join('') });
  const enter =
    (short: string): Exec =>
    (argv, options) =>
      exec(['nsenter', `--net=/var/run/netns/${name(short)}`, ...argv], options);
  const batch = (short: string, ...lines: string[]) =>
    enter(short)(['ip', '-batch', '-'], { stdin: lines.map((line) => `${line}\n`).join('') });

  await batch(
    'sw',
    'link add bridge0 type bridge',
    'link set bridge0 up',
    ...['h1', 'h2', 'outside'].flatMap((one) => [
      `link add p-${one} type veth peer name eth0 netns ${name(one)}`,
      `link set p-${one} master bridge0 up`,
    ]),
  );
  const host = async (short: string, index: number, pods: readonly (readonly [string, string])[]) => {
    const [own, peer] = [index, 1 - index];
    await batch(
      short,
      'link set lo up',
      `addr add 192.0.2.${own + 1}/24 dev eth0`,
      'link set eth0 up',
      'link add fl0 type bridge',
      `addr add 10.80.${own}.1/24 dev fl0`,
      'link set fl0 up',
      `route add 10.80.${peer}.0/24 via 192.0.2.${peer + 1} src 10.80.${own}.1`,
      ...pods.flatMap(([pod]) => [
        `link add v-${pod} type veth peer name eth0 netns ${name(pod)}`,
        `link set v-${pod} master fl0 up`,
      ]),
    );
    await enter(short)(['tee', '/proc/sys/net/ipv4/ip_forward'], { stdin: '1\n' });
    for (const [pod, address] of pods) {
      await batch(
        pod,
        'link set lo up',
        `addr add ${address}/24 dev eth0`,
        'link set eth0 up',
        `route add default via 10.80.${own}.1`,
      );
    }
  };
  await host('h1', 0, [
    ['own', world.own],
    ['other', world.other],
  ]);
  await host('h2', 1, [['remote', world.remote]]);
  await batch(
    'outside',
    'link set lo up',
    `addr add ${world.outside}/24 dev eth0`,
    'link set eth0 up',
    'route add 10.80.0.0/24 via 192.0.2.1',
    'route add 10.80.1.0/24 via 192.0.2.2',
  );

  const places: Readonly<Record<string, string>> = {
    [world.own]: 'own',
    [world.other]: 'other',
    [world.remote]: 'remote',
    [world.outside]: 'outside',
    [hostAddress]: 'h1',
    [remoteGateway]: 'h2',
  };
  const speakers = new Map(
    await Promise.all(
      Object.entries(places).map(async ([address, place]) => [address, await startSpeaker(name(place))] as const),
    ),
  );
  const speakerAt = (address: string): Speaker => {
    const found = speakers.get(address);
    if (!found) throw new Error(`nobody has the address ${address}`);
    return found;
  };
  const commandOf = ({ from, to, port, protocol }: Attempt, isExpected: boolean) => ({
    address: to,
    port,
    protocol,
    from,
    ms: isExpected ? connectMs.expected : connectMs.unexpected,
  });

  return {
    inHost: enter('h1'),
    connect: (attempt, isExpected) =>
      speakerAt(attempt.from).ask({ verb: 'connect', ...commandOf(attempt, isExpected) }),
    hold: async (attempt) => {
      const speaker = speakerAt(attempt.from);
      const socket = speaker.nextId();
      if (!(await speaker.ask({ verb: 'open', ...commandOf(attempt, true), id: socket })))
        throw new Error('not connected');
      return {
        echoes: () => speaker.ask({ verb: 'send', socket, ms: connectMs.expected }),
        close: () => speaker.tell({ verb: 'close', socket }),
      };
    },
    isSilentWhile: async (attempt, work) => {
      const speaker = speakerAt(attempt.from);
      const socket = speaker.nextId();
      await speaker.ask({ verb: 'flood', ...commandOf(attempt, false), id: socket });
      await work();
      return speaker.ask({ verb: 'ebb', socket });
    },
    stop: async () => {
      for (const { child } of speakers.values()) child.stdin.end();
      await Promise.all(
        [...speakers.values()].map(({ child }) => new Promise((resolve) => child.once('exit', resolve))),
      );
      await exec(['ip', '-batch', '-'], { stdin: all.map((one) => `netns del ${name(one)}\n`).join('') });
    },
  };
}
