import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:dgram';
import type { Server } from 'node:net';
import type { DnsAddress, DnsSettings } from '../port.ts';
import type { RunningDnsServer } from '../server.ts';
import { type HandOverFrame, type Report, zoneParts } from './frames.ts';

export interface HandOverInput {
  readonly server: RunningDnsServer;
  readonly settings: DnsSettings;
  readonly revision: string | undefined;
  /** Program and arguments of who goes on. */
  readonly argv: readonly string[];
  /** From here on this process reads its sockets no more. */
  readonly beforeServe: () => Promise<void>;
}

const startTimeoutMs = 10_000;
/** Resolvers are waited for so long at most (`Forwarder`), and so is their answer here. */
const lateMs = 5_000;
/** Connections stay with this process; one that is not idle for so long is cut. */
const maxConnectionMs = 60_000;

/**
 * Starts another program and gives it the very sockets: it first gets all names, then the sockets, and reads from them
 * before this process stops. What the kernel holds for them is lost to nobody. Rejects when the other one cannot; then
 * nothing has changed. Resolves with what is left to do here before the end.
 */
export async function handOver(input: HandOverInput): Promise<{ readonly finished: Promise<void> }> {
  const { server, settings, revision, argv } = input;
  const [program = '', ...args] = argv;
  const successor = new Successor(
    spawn(program, args, { detached: true, cwd: '/', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  try {
    await successor.ready();
    const { zone } = server;
    if (zone) {
      const set = new Map([...zone.entries()].map((entry) => [entry.name, entry.records]));
      const id = successor.nextId();
      const answered = successor.answerTo(id);
      for (const part of zoneParts({ set, drop: [] }, { id, isWhole: true, revision })) successor.send(part);
      await answered;
    }
    // Its sockets come from here: it opens none.
    await successor.ask({ type: 'configure', settings, addresses: [] });
    for (const { address, port, sockets } of server.listening) {
      const where: DnsAddress = { address, port };
      await successor.ask({ type: 'socket', kind: 'tcp', where }, sockets.tcp);
      await successor.ask({ type: 'socket', kind: 'udp', where }, sockets.udp);
    }
  } catch (error) {
    successor.kill();
    throw error;
  }
  const listeners = server.listening;
  const respond = (packet: Buffer) => successor.question(packet);
  const ended = listeners.map((listener) => {
    const where = { address: listener.address, port: listener.port };
    return listener.handOver(
      (packet, port, address) =>
        successor.send({ type: 'late', where, packet: packet.toString('base64'), port, address }),
      respond,
      maxConnectionMs,
    );
  });
  await input.beforeServe();
  await successor.ask({ type: 'serve' });
  const finished = Promise.all([...ended, ...listeners.map((one) => one.quiet(lateMs))]).then(() => successor.leave());
  return { finished };
}

type WithoutId<T> = T extends { readonly id: number } ? Omit<T, 'id'> : never;

class Successor {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly #asked = new Map<number, PromiseWithResolvers<Buffer | undefined>>();
  readonly #ready = Promise.withResolvers<void>();
  #nextId = 1;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#ready.promise.catch(() => {});
    child.on('message', (report: Report) => {
      if (report.type === 'hello') this.#ready.resolve();
      if (report.type === 'answer') {
        this.#asked
          .get(report.id)
          ?.resolve(report.packet === undefined ? undefined : Buffer.from(report.packet, 'base64'));
        this.#asked.delete(report.id);
      }
      if (report.type !== 'done' && report.type !== 'failed') return;
      const waiting = this.#waiting.get(report.id);
      this.#waiting.delete(report.id);
      if (report.type === 'done') waiting?.resolve();
      else waiting?.reject(new Error(report.message));
    });
    const gone = (error: Error) => {
      this.#ready.reject(error);
      for (const one of [...this.#waiting.values(), ...this.#asked.values()]) one.reject(error);
      this.#waiting.clear();
      this.#asked.clear();
    };
    child.on('error', gone);
    child.on('exit', (code, signal) => gone(new Error(`the next program ended with ${signal ?? code}; see dns.log`)));
    child.on('disconnect', () => gone(new Error('the next program closed the channel')));
  }

  ready(): Promise<void> {
    return within(this.#ready.promise, 'the next program does not start');
  }

  nextId(): number {
    return this.#nextId++;
  }

  answerTo(id: number): Promise<void> {
    const answered = new Promise<void>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    answered.catch(() => {});
    return within(answered, 'the next program does not answer');
  }

  send(frame: HandOverFrame, handle?: Socket | Server): void {
    if (this.#child.connected) this.#child.send(frame, handle, { keepOpen: false }, () => {});
  }

  ask(frame: WithoutId<HandOverFrame>, handle?: Socket | Server): Promise<void> {
    const id = this.nextId();
    const answered = this.answerTo(id);
    this.send({ ...frame, id }, handle);
    return answered;
  }

  /** Who asks has a deadline of its own, and so has who is asked. */
  question(packet: Buffer): Promise<Buffer | undefined> {
    if (!this.#child.connected) return Promise.reject(new Error('the next program is gone'));
    const id = this.nextId();
    const answered = Promise.withResolvers<Buffer | undefined>();
    this.#asked.set(id, answered);
    this.send({ type: 'question', id, packet: packet.toString('base64') });
    return answered.promise;
  }

  leave(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.unref();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function within(promise: Promise<void>, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} within ${startTimeoutMs} ms`)), startTimeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
