// The application's log, as a worker thread: takes `<id>` lines from instances over TCP, and answers how many it has taken. An
// instance answers its client only after that, so that a 200 whose id is missing here cannot be a line that got lost.
import { createServer, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { type ClientAccount, Ledger, type LedgerVerdict } from './ledger.ts';

export interface CollectorAnswer {
  readonly verdict: LedgerVerdict;
  /** Names of all that have ever logged. */
  readonly instances: readonly string[];
}

const ledger = new Ledger();
const { address, port } = workerData as { readonly address: string; readonly port: number };

function serve(socket: Socket): void {
  let instance: string | undefined;
  let rest = '';
  let taken = 0;
  socket.setNoDelay(true);
  socket.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (instance === undefined) {
        instance = line;
        continue;
      }
      ledger.record(line, instance);
      taken++;
    }
    socket.write(`${taken}\n`);
  });
  socket.on('error', () => {}); // an instance that was killed
}

const server = createServer(serve).listen(port, address, () => {
  const listening = server.address();
  parentPort?.postMessage({ port: typeof listening === 'object' ? listening?.port : undefined });
});
server.on('error', (error) => {
  throw error;
});
parentPort?.on('message', (accounts: readonly ClientAccount[]) => {
  parentPort?.postMessage({ verdict: ledger.check(accounts), instances: ledger.instances } satisfies CollectorAnswer);
});
