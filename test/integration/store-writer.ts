// Writes to an SQLite store until it is killed, and prints a line for each acknowledged commit: `ack <writer> <n> <revision>`.
// Each commit of a writer puts the same n under three keys.   node store-writer.ts PATH WRITERS COUNT FULL|OFF
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../src/store/sqlite.ts';

const [path = '', writers = '1', count = '10', synchronous = 'FULL'] = process.argv.slice(2);
if (synchronous !== 'FULL' && synchronous !== 'OFF') throw new Error(`bad synchronous ${synchronous}`);

/** Gone from this process when it returns; a full pipe is waited for. */
function print(line: string): void {
  for (let tries = 0; ; tries++) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      const isFull = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isFull || tries > 10_000) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

try {
  const store = await openSqliteStore({ path, synchronous, historyRevisions: 2000 });
  print('open');
  await Promise.all(
    Array.from({ length: Number(writers) }, async (_, writer) => {
      const keys = [`/o/object/${writer}`, `/meta/a/${writer}`, `/meta/b/${writer}`];
      let n = Number(Buffer.from((await store.get(keys[0] ?? ''))?.value ?? []).toString() || 0);
      for (const end = n + Number(count); n < end; ) {
        n++;
        const value = Buffer.from(String(n));
        const { revision } = await store.commit(
          [],
          keys.map((key) => ({ type: 'put', key, value })),
        );
        print(`ack ${writer} ${n} ${revision}`);
      }
    }),
  );
  await store.close();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
