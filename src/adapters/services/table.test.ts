import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlotillaError } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { countRules, listChains, loadTable } from './table.ts';

const answering =
  (version: string): Exec =>
  async (argv) => {
    if (argv[1] === '--version') return { stdout: version, stderr: '', code: 0 };
    throw new FlotillaError('HostToolFailed', '"nft -f -" failed, exit code 1: syntax error, unexpected numgen');
  };

test('an nft that is older than the one that was tried is named as the likely cause', async () => {
  for (const [version, hint] of [
    ['nftables v0.9.8 (E.D.S.)\n', 'install nftables 1.0.6 or newer; this host has 0.9.8'],
    ['nftables v1.0.2 (Lester Gooch)\n', 'install nftables 1.0.6 or newer; this host has 1.0.2'],
    ['nftables v1.0.6 (Lester Gooch #5)\n', undefined],
    ['nftables v1.1.0 (Commodore Bullmoose)\n', undefined],
    ['what?\n', undefined],
  ] as const) {
    await assert.rejects(loadTable(answering(version), 'x'), (error: FlotillaError) => {
      assert.equal(error.code, 'HostToolFailed');
      assert.match(error.message, /unexpected numgen/);
      assert.equal(error.hint, hint);
      return true;
    });
  }
});

test('what is listed of others is not counted, and what is no answer is said', async () => {
  const listing = {
    nftables: [
      { metainfo: { version: '1.0.6' } },
      { chain: { family: 'ip', table: 'nat', name: 'DOCKER' } },
      { chain: { family: 'ip', table: 'flotilla_services', name: 'inside' } },
      { rule: { family: 'ip', table: 'flotilla_services', chain: 'inside' } },
    ],
  };
  const exec: Exec = async () => ({ stdout: JSON.stringify(listing), stderr: '', code: 0 });
  assert.deepEqual([...(await listChains(exec))], ['inside']);
  assert.equal((await countRules(exec)).get('inside'), 1);
  const broken: Exec = async () => ({ stdout: '<html>', stderr: '', code: 0 });
  await assert.rejects(listChains(broken), { code: 'HostToolFailed', message: /nft -j/ });
});
