import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../lib/clock.ts';
import { storeContract } from './contract.ts';
import { openSqliteStore } from './sqlite.ts';

storeContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-store-'));
  const clock = new ManualClock();
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock });
  return {
    store,
    pass: (seconds) => clock.advance(seconds * 1000),
    cleanup: async () => rmSync(folder, { recursive: true }),
  };
});
