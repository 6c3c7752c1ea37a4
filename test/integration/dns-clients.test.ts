import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { exec } from '../../src/lib/exec.ts';

/** What a container in the namespace `shop` writes → the first address, or the name, that its library gives. */
const expected: Readonly<Record<string, string | undefined>> = {
  db: '10.80.0.7',
  database: '10.80.0.7',
  'db-0.db': '10.80.0.7',
  'db.shop': '10.80.0.7',
  'web.other': '10.96.0.5',
  'w-0.w.other': '10.80.0.8',
  'web.other.svc': '10.96.0.5',
  'web.other.svc.cluster.local': '10.96.0.5',
  'web.other.main.flotilla.local': '10.96.0.5',
  '10-80-0-9.other.pod': '10.80.0.9',
  'www.example.org': '192.0.2.1',
  out: '192.0.2.1',
  nobody: undefined,
  'nobody.example.org': undefined,
  'web.other.grid2.flotilla.local': undefined,
  '10.80.0.7': 'db-0.db.shop.svc.cluster.local',
  '10.96.0.5': 'web.other.svc.cluster.local',
};

test('what containers write is found by the resolver of glibc, and by nslookup of busybox', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fl-dns-clients-'));
  const resolvConf = join(directory, 'resolv.conf');
  await writeFile(resolvConf, '');
  const program = `${process.execPath} --disable-warning=ExperimentalWarning test/integration/dns-clients-inside.ts`;
  const names = [...Object.keys(expected), 'many'];
  const script = [
    'set -e',
    'ip link set lo up',
    'ip addr add 10.80.0.1/32 dev lo',
    'ip addr add 10.80.0.2/32 dev lo',
    `mount --bind ${resolvConf} "$(readlink -f /etc/resolv.conf)"`,
    `exec ${program} ${resolvConf} ${names.join(' ')}`,
  ];
  const { stdout } = await exec(['unshare', '--net', '--mount', 'sh', '-c', script.join('\n')], { timeoutMs: 60_000 });
  const { found } = JSON.parse(stdout) as { found: Record<string, { glibc: string[]; busybox: boolean }> };
  for (const [name, address] of Object.entries(expected)) {
    assert.deepEqual(found[name]?.glibc, address === undefined ? [] : [address], name);
  }
  assert.equal(found.many?.glibc.length, 200, 'over TCP, since it does not fit');
  const whole = ['web.other.svc.cluster.local', 'www.example.org', '10.80.0.7'];
  assert.deepEqual(
    whole.map((name) => found[name]?.busybox),
    [true, true, true],
  );
  assert.equal(found['web.other.grid2.flotilla.local']?.busybox, false);
  await rm(directory, { recursive: true });
});
