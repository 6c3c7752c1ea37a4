import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Call {
  readonly protocol?: 'TCP' | 'UDP';
  readonly host: string;
  readonly port: number;
  /** One after the other. Default 1. */
  readonly count?: number;
  /** UDP: calls from the same one are one flow. */
  readonly localPort?: number;
  /** Default 2,000. */
  readonly timeoutMs?: number;
}

export type ActorCommand =
  | { readonly type: 'serve'; readonly port: number }
  | { readonly type: 'call'; readonly call: Call }
  | { readonly type: 'measure'; readonly call: Call }
  | { readonly type: 'hold'; readonly call: Call }
  | { readonly type: 'askHeld' }
  | { readonly type: 'startTraffic'; readonly call: Call }
  | { readonly type: 'stopTraffic' };

/** A process inside a network namespace that serves and calls. */
export interface NetworkActor {
  /** TCP and UDP on this port, every address. Answers say the actor's name and the caller's address. */
  serve(port: number): Promise<void>;
  /** `<name> <address it saw> <address the caller saw>` each, or an error's code; `TIMEOUT`. */
  call(call: Call): Promise<string[]>;
  /** Milliseconds of TCP connects. */
  measure(call: Call): Promise<number[]>;
  /** Opens a TCP connection that stays. */
  hold(call: Call): Promise<void>;
  /** Asks once more on it: as `call`. */
  askHeld(): Promise<string>;
  startTraffic(call: Call): Promise<void>;
  stopTraffic(): Promise<{ readonly calls: number; readonly failures: readonly string[] }>;
  stop(): Promise<void>;
}

export function startNetworkActor(name: string, namespace: string): NetworkActor {
  const script = fileURLToPath(new URL('network-actor.ts', import.meta.url));
  const child = spawn('nsenter', [`--net=/var/run/netns/${namespace}`, process.execPath, script, name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, result, error } = JSON.parse(line) as { id: number; result?: unknown; error?: string };
    const one = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) one?.resolve(result);
    else one?.reject(new Error(`${name}: ${error}`));
  });
  const exited = new Promise<void>((resolve) => {
    child.on('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error(`${name} ended`));
      resolve();
    });
  });
  const ask = <T>(command: ActorCommand): Promise<T> =>
    new Promise((resolve, reject) => {
      waiting.set(++lastId, { resolve: (value) => resolve(value as T), reject });
      child.stdin.write(`${JSON.stringify({ id: lastId, command })}\n`);
    });
  return {
    serve: (port) => ask({ type: 'serve', port }),
    call: (call) => ask({ type: 'call', call }),
    measure: (call) => ask({ type: 'measure', call }),
    hold: (call) => ask({ type: 'hold', call }),
    askHeld: () => ask({ type: 'askHeld' }),
    startTraffic: (call) => ask({ type: 'startTraffic', call }),
    stopTraffic: () => ask({ type: 'stopTraffic' }),
    stop: () => {
      child.stdin.end();
      return exited;
    },
  };
}
